"""Models out of a comparison: kept, read, and asked for scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alluvium as al


def by_hand(model: al.Model, inputs: np.ndarray[Any, Any], head: str) -> np.ndarray[Any, Any]:
    """The scores of a perceptron with one hidden layer."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    latents = np.maximum(flat @ model["backbone.layers.0.weight"] + model["backbone.layers.0.bias"], 0)
    return latents @ model[f"heads.{head}.weight"] + model[f"heads.{head}.bias"]


def test_scores_are_those_of_the_network(config: Any, run: Any) -> None:
    # More inputs than go through at once.
    inputs = np.random.default_rng(3).standard_normal((1203, 1, 28, 28)).astype(np.float32)
    model = run(config, models=True).model("weight-averaging")
    scores = model.scores(inputs)
    assert list(scores) == [head.name for head in model.heads] == ["task-1", "task-2", "task-3"]
    for head in model.heads:
        assert scores[head.name].shape == (1203, 4) and scores[head.name].dtype == np.float32
        assert np.allclose(scores[head.name], by_hand(model, inputs, head.name), atol=1e-3)
    assert model.scores(inputs[:0])["task-1"].shape[0] == 0
    with pytest.raises(al.ConfigError, match=r"the inputs have the shape \[5, 28, 28\]; accepted: .*1×28×28"):
        model.scores(inputs[:5, 0])


@al.stream("points-in-space")
class PointsInSpace(al.Stream):
    """Two classes a task, each around a centre of its own."""

    def tasks(self, seed: int) -> Any:
        return [al.Task(f"task {first}", points(first, 40), points(first, 50)) for first in (0, 2)]


def points(first: int, samples: int) -> tuple[Any, Any]:
    labels = np.arange(samples) % 2 + first
    centres = np.random.default_rng(1).standard_normal((4, 8))
    noise = np.random.default_rng(samples + first).standard_normal((samples, 8))
    return (centres[labels] + noise).astype(np.float32), labels


def test_scores_give_the_accuracies_of_the_results(config: Any, run: Any) -> None:
    config["stream"], config["device"] = {"kind": "points-in-space"}, {"epochs": 5, "learning_rate": 0.1}
    results = run(config, models=True)
    model = results.model("weight-averaging")
    for number, head in enumerate(model.heads):
        inputs, labels = points(2 * number, 50)
        right = np.array(head.classes)[model.scores(inputs)[head.name].argmax(1)] == labels
        assert right.mean() == results.matrix("weight-averaging")[-1, number]


def test_a_run_that_is_done_keeps_its_models_when_it_is_called_again(config: Any, run: Any, tmp_path: Path) -> None:
    config["seeds"] = [0, 1]
    config["strategies"] += [{"kind": "naive", "name": "Old & new: naïve"}]
    without = run(config)
    with pytest.raises(al.ConfigError, match="no model of 'weight-averaging' was kept; accepted: `models=True`"):
        without.model("weight-averaging")
    kept = run(config, models=True)
    digests = {(row, seed): kept.model(row, seed=seed).digest for row in kept.strategies[:2] for seed in (0, 1)}
    assert len(set(digests.values())) == 4
    # They are the models of a centre that other programs drive.
    single = {**config, "seeds": [1], "strategies": config["strategies"][:1]}
    with al.Centre(tmp_path / "centre", single) as centre:
        for task in centre.tasks:
            taken = centre.hand_out(al.announce(config["stream"], task.name, seed=1))
            centre.receive(taken, al.adapt(taken, stream=config["stream"], seed=1))
        assert centre.central().digest == digests["weight-averaging", 1]
    assert al.Results.read(tmp_path / "run").model("weight-averaging", seed=1).digest == digests["weight-averaging", 1]
    for wrong, message in (("nobody", "there is no row 'nobody'"), ("devices-alone", "there is no row")):
        with pytest.raises(al.ConfigError, match=message):
            kept.model(wrong)
    with pytest.raises(al.ConfigError, match="has no seed 7; accepted: 0, 1"):
        kept.model("weight-averaging", seed=7)


def test_small_cnn_is_the_network_of_pytorch_that_its_description_names(config: Any, run: Any) -> None:
    torch = pytest.importorskip("torch", reason="skipped: torch is not installed")
    nn = torch.nn
    config["backbone"] = {"kind": "small-cnn", "width": 8, "latent": 16}
    model = run(config, models=True).model("weight-averaging")
    tensors = model.torch()
    blocks = [layer for a, b, stride in ((1, 8, 2), (8, 16, 2), (16, 32, 1)) for layer in (nn.Conv2d(a, b, 3, stride, padding=1), nn.GroupNorm(4, b), nn.ReLU())]
    network = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(32 * 7 * 7, 16), nn.ReLU(), nn.Linear(16, 4))
    state = {"10.weight": tensors["backbone.latent.weight"].t(), "10.bias": tensors["backbone.latent.bias"]}
    state |= {"12.weight": tensors["heads.task-2.weight"].t(), "12.bias": tensors["heads.task-2.bias"]}
    for number in range(3):
        block = f"backbone.blocks.{number}."
        state |= {f"{3 * number}.{name}": tensors[f"{block}conv.{name}"] for name in ("weight", "bias")}
        state |= {f"{3 * number + 1}.weight": tensors[f"{block}norm.gamma"], f"{3 * number + 1}.bias": tensors[f"{block}norm.beta"]}
    network.load_state_dict(state, strict=True)
    inputs = torch.randn(40, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert np.allclose(network(inputs).numpy(), model.scores(inputs)["task-2"], atol=1e-5)
