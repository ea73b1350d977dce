"""State dicts of torch and numpy, and checkpoint files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alluvium as al


def network(seed: int) -> dict[str, np.ndarray]:
    """A network of two layers, as arrays."""
    draw = np.random.default_rng(seed)
    return {
        "first.weight": draw.normal(size=(8, 4)).astype(np.float32),
        "first.bias": draw.normal(size=8).astype(np.float32),
        "steps": np.array(seed, np.int64),
        "last.weight": draw.normal(size=(3, 8)).astype(np.float16),
    }


def test_arrays_become_their_mean_and_own_their_memory() -> None:
    models = [network(seed) for seed in range(3)]
    merged = al.consolidate(previous=models[0], experts=models[1:], strategy="weight-averaging", tensorwise=True)
    assert list(merged) == list(models[0])
    for name, array in merged.items():
        assert (array.dtype, array.shape) == (models[0][name].dtype, models[0][name].shape)
        array[...] = 0
    again = al.consolidate(previous=models[0], experts=models[1:], strategy="weight-averaging", tensorwise=True)
    mean = np.mean([model["first.weight"].astype(np.float64) for model in models], axis=0)
    assert np.allclose(again["first.weight"], mean, atol=1e-6)
    assert again["steps"] == 2, "integers are copied from the last expert"


def test_layouts_that_are_not_contiguous_are_read_as_they_mean() -> None:
    model = network(1)
    turned = {**model, "first.weight": np.asfortranarray(model["first.weight"]), "first.bias": model["first.bias"][::-1][::-1]}
    plain, other = (
        al.consolidate(previous=one, experts=[network(2)], strategy="weight-averaging", tensorwise=True) for one in (model, turned)
    )
    assert all(np.array_equal(plain[name], other[name]) for name in plain)


def test_wrong_models_are_named() -> None:
    good = network(1)
    for model, message in [
        ({**good, "first.bias": good["first.bias"][:2]}, r"experts\[0\].*first.bias.*\[2\]"),
        ({name: good[name] for name in list(good)[1:]}, "first.weight"),
        ({**good, "first.bias": good["first.bias"] * np.nan}, "first.bias.*not finite"),
        ({**good, "name": "text"}, "'name' is a str; accepted: tensors of torch, arrays of numpy"),
        ({**good, "first.bias": good["first.bias"].astype(np.complex64)}, "complex64; accepted: float64"),
    ]:
        with pytest.raises(al.FileError, match=message):
            al.consolidate(previous=good, experts=[model], strategy="weight-averaging", tensorwise=True)
    with pytest.raises(al.ConfigError, match="accepted: a list of models"):
        al.consolidate(previous=good, experts=good, strategy="ties")  # type: ignore[arg-type]
    with pytest.raises(al.FileError, match="no built-in table of names.*a table of your own, names="):
        al.consolidate(previous=good, experts=[good], strategy="ties")
    with pytest.raises(al.ConfigError, match='unknown strategy kind "tie"'):
        al.consolidate(previous=good, experts=[good], strategy="tie", tensorwise=True)
    with pytest.raises(al.FileError, match="/nowhere.pt: cannot be read"):
        al.consolidate(previous="/nowhere.pt", experts=[good], strategy="ties", tensorwise=True)


NAMES = {
    "transposed": ["layers.0.weight", "head.weight"],
    "names": {"body.weight": "layers.0.weight", "body.bias": "layers.0.bias", "out.weight": "head.weight", "out.bias": "head.bias"},
}


def classifier(seed: int, rows: int = 4) -> dict[str, np.ndarray]:
    """A perceptron on glyphs, with PyTorch's order of dimensions."""
    draw = np.random.default_rng(seed)
    shapes = {"body.weight": (16, 784), "body.bias": (16,), "out.weight": (rows, 16), "out.bias": (rows,)}
    return {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_classes_are_matched_by_name_and_scored() -> None:
    said: dict[str, Any] = {"names": NAMES, "backbone": {"kind": "mlp", "layers": [16]}, "input": [1, 28, 28]}
    first, second = classifier(1), classifier(2)
    merged = al.consolidate(
        previous=first, experts=[second], strategy="weight-averaging", classes=[list("abcd"), list("efgh")], **said
    )
    assert merged["out.weight"].shape == (8, 16)
    assert np.allclose(merged["body.bias"], (first["body.bias"] + second["body.bias"]) / 2, atol=1e-6)
    assert np.array_equal(merged["out.bias"], np.concatenate([first["out.bias"], second["out.bias"]]))
    known = al.inspect(merged, classes=list("abcdefgh"), **said)
    assert known["model"]["kind"] == "foreign" and known["tensors"] == 4
    scores = al.evaluate(merged, stream={"kind": "split-glyphs", "tasks": 3}, classes=list("abcdefgh"), **said)
    assert len(scores.tasks) == 3 and 0 <= scores.accuracy <= 1 and scores.digest == known["digest"]
    with pytest.raises(al.FileError, match="inputs of 1×28×28, but the stream has inputs of 3"):
        al.evaluate(merged, stream="split-colour-glyphs", classes=list("abcdefgh"), **said)


def test_a_strategy_in_python_consolidates_checkpoints() -> None:
    import averaging  # noqa: F401

    said: dict[str, Any] = {"names": NAMES, "backbone": {"kind": "mlp", "layers": [16]}, "input": [1, 28, 28]}
    models = {"previous": classifier(1), "experts": [classifier(2)], "classes": [list("abcd"), list("efgh")]}
    ours = al.consolidate(strategy="my-averaging", **models, **said)
    theirs = al.consolidate(strategy="weight-averaging", **models, **said)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_files_and_state_dicts_mix(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="skipped: torch is not installed")
    models = [{name: torch.from_numpy(array) for name, array in network(seed).items()} for seed in range(2)]
    torch.save({"model": models[1]}, tmp_path / "expert.pt")
    merged = al.consolidate(previous=models[0], experts=[tmp_path / "expert.pt"], strategy="weight-averaging", tensorwise=True)
    mean = (models[0]["first.weight"] + models[1]["first.weight"]) / 2
    assert torch.allclose(merged["first.weight"], mean, atol=1e-6)


def test_tensors_of_every_type_come_back(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="skipped: torch is not installed")
    model = {
        "w64": torch.randn(3, 2, dtype=torch.float64),
        "w32": torch.randn(3, 2).T,
        "w16": torch.randn(4).half(),
        "b16": torch.randn(4).bfloat16(),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.0),
        "count": torch.tensor(7),
        "mask": torch.tensor([True, False]),
    }
    merged = al.consolidate(previous=model, experts=[model], strategy="weight-averaging", tensorwise=True)
    for name, tensor in model.items():
        assert merged[name].dtype == tensor.dtype and torch.equal(merged[name], tensor), name
    merged["w32"].add_(1)


def test_modules_of_torch_load_the_result_strictly() -> None:
    torch = pytest.importorskip("torch", reason="skipped: torch is not installed")
    from torch import nn

    def net() -> Any:
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 26 * 26, 5))

    torch.manual_seed(0)
    base, experts = net(), [net(), net()]
    for strategy in ("weight-averaging", "ties", {"kind": "task-arithmetic", "scaling": 0.4}, "magmax", "slerp"):
        merged = al.consolidate(
            previous=base.state_dict(),
            experts=[expert.state_dict() for expert in experts],
            strategy=strategy,
            tensorwise=True,
            initial_only=True,
        )
        assert not base.load_state_dict(merged, strict=True).missing_keys


def test_a_resnet_of_torchvision_is_known() -> None:
    torch = pytest.importorskip("torch", reason="skipped: torch is not installed")
    torchvision = pytest.importorskip("torchvision", reason="skipped: torchvision is not installed")
    models = [torchvision.models.resnet18(num_classes=10) for _ in range(2)]
    merged = al.consolidate(
        previous=models[0].state_dict(),
        experts=[models[1].state_dict()],
        strategy="weight-averaging",
        classes=[[str(c) for c in range(10)]] * 2,
    )
    models[0].load_state_dict(merged, strict=True)
    assert torch.isfinite(merged["fc.weight"]).all()
