"""Devices and streams in Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_strategies import unaligned

import alluvium as al


@al.device("mean-of-classes")
class MeanOfClasses(al.Device):
    """Sets the head from the mean latent of each class, and trains nothing."""

    strength: float = 1.0

    def adapt(self, model: al.Model, task: al.DeviceTask, context: al.DeviceContext) -> Mapping[str, np.ndarray]:
        inputs, targets = task.samples.inputs.reshape(len(task.samples.inputs), -1), task.samples.targets
        latents = np.maximum(inputs @ model["backbone.layers.0.weight"] + model["backbone.layers.0.bias"], 0)
        means = np.stack([latents[targets == place].mean(axis=0) for place in range(len(task.classes))])
        adapted = dict(model)
        adapted[f"heads.{task.head}.weight"] = self.strength * means.T
        adapted[f"heads.{task.head}.bias"] = -self.strength * (means**2).sum(axis=1) / 2
        context.step(1, 1)
        return adapted


def blobs(seed: int, classes: range, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Points around one centre for each class."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.array(classes), samples)
    centres = np.random.default_rng(7).normal(size=(6, 5)) * 2
    inputs = centres[labels] + 0.3 * draw.normal(size=(len(labels), 5))
    return inputs.astype(np.float32), labels


@al.stream("blobs")
class Blobs(al.Stream):
    """Three tasks of two classes of points."""

    samples: int = 30

    def tasks(self, seed: int) -> list[al.Task]:
        parts = [range(0, 2), range(2, 4), range(4, 6)]
        return [al.Task(f"part {n}", blobs(n + seed % 100, part, self.samples), blobs(n + 1000, part, 10)) for n, part in enumerate(parts)]


def test_a_device_takes_part_in_a_comparison_and_conforms(config: Any, run: Any) -> None:
    config["device"] = {"kind": "mean-of-classes"}
    results = run(config)
    data = results.variants[0].data
    assert results.matrix("weight-averaging")[0, 0] > 0.6
    assert data["config"]["device"]["class"] == "mean-of-classes"


def test_devices_are_checked_for_conformance() -> None:
    @al.device("nudging")
    class Nudging(al.Device):
        """Nudges every weight."""

        def adapt(self, model: al.Model, task: al.DeviceTask, context: al.DeviceContext) -> Any:
            return {name: array + 0.1 * context.generator.normal(size=array.shape) for name, array in model.items()}

    al.testing.check_device("nudging")
    # The tests have another backbone.
    with pytest.raises(AssertionError, match="'mean-of-classes' does not conform: .*KeyError: 'backbone.layers.0.weight'"):
        al.testing.check_device("mean-of-classes")


def test_a_device_that_fails_is_named(config: Any, run: Any) -> None:
    @al.device("failing-device")
    class FailingDevice(al.Device):
        """Fails."""

        def adapt(self, model: al.Model, task: al.DeviceTask, context: al.DeviceContext) -> Any:
            if task.device == 0:
                return {name: array for name, array in model.items() if not name.endswith("bias")}
            raise KeyError("gone")

    config["device"] = {"kind": "failing-device"}
    with pytest.raises(al.RunError, match='"failing-device" in Python: its model lacks .*`backbone.layers.0.bias`'):
        run(config)


def test_a_stream_of_arrays_runs_and_conforms(config: Any, run: Any) -> None:
    config["stream"] = {"kind": "blobs", "samples": 20}
    config["device"] = {"epochs": 20, "learning_rate": 0.1}
    results = run(config)
    assert results.matrix("weight-averaging").diagonal().min() > 0.8
    tasks = results.variants[0].data["tasks"]
    assert tasks[1]["name"] == "part 1" and tasks[1]["classes"] == ("2", "3") and tasks[1]["train_samples"] == 40
    al.testing.check_stream("blobs")


def test_arrays_at_odd_places_are_read(config: Any, run: Any) -> None:
    @al.stream("unaligned-blobs")
    class UnalignedBlobs(al.Stream):
        """Points in arrays that are not aligned."""

        def tasks(self, seed: int) -> list[al.Task]:
            parts = [[unaligned(array) for array in blobs(n, range(2 * n, 2 * n + 2), 20)] for n in range(3)]
            return [al.Task(f"part {n}", tuple(part), tuple(part)) for n, part in enumerate(parts)]

    @al.device("unaligned-device")
    class UnalignedDevice(al.Device):
        """Returns arrays that are not aligned."""

        def adapt(self, model: al.Model, task: al.DeviceTask, context: al.DeviceContext) -> Any:
            return {name: unaligned(array) for name, array in model.items()}

    al.testing.check_stream("unaligned-blobs")
    config["stream"], config["device"] = {"kind": "unaligned-blobs"}, {"kind": "unaligned-device"}
    assert run(config).matrix("weight-averaging").shape == (3, 3)


def test_a_label_that_is_no_number_of_a_class_is_refused(config: Any, run: Any) -> None:
    @al.stream("large-labels")
    class LargeLabels(al.Stream):
        """A task whose labels are numbers of something else."""

        def tasks(self, seed: int) -> list[al.Task]:
            inputs, labels = blobs(1, range(0, 2), 5)
            return [al.Task("small", (inputs, labels), (inputs, labels)), al.Task("large", (inputs, labels + 10**9), (inputs, labels))]

    config["stream"] = {"kind": "large-labels"}
    with pytest.raises(al.ConfigError, match="the task 'large', training samples: the label 1000000001 is too large; accepted: .* 0 to 1000000"):
        run(config)


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([("a", None, [0, 1], 0.0), ("a", None, [0, 1], 0.0)], "the task 'a' is there twice"),
        ([("a", "one", [0, 1], 0.0), ("b", "one", [1, 0], 0.0)], "'a' and 'b' share the head 'one'"),
        ([("a", None, [0, 1, 1], 0.0)], "the task 'a': the class 1 is there twice"),
        ([("a", None, [0, 1], float("nan"))], "the task 'a', training samples: some inputs are NaN"),
    ],
)
def test_tasks_that_contradict_each_other_are_refused_before_training(config: Any, run: Any, tasks: Any, expected: str) -> None:
    @al.stream("contradicting")
    class Contradicting(al.Stream):
        """Tasks that do not go together."""

        def tasks(self, seed: int) -> list[al.Task]:
            inputs, labels = blobs(1, range(0, 2), 5)
            part = [(inputs.astype(np.float32) + shift, labels) for *_, shift in tasks]
            return [al.Task(name, one, one, classes, head) for (name, head, classes, _), one in zip(tasks, part, strict=True)]

    config["stream"] = {"kind": "contradicting"}
    with pytest.raises(al.ConfigError, match=expected):
        run(config)


def test_wrong_streams_say_what_is_wrong(config: Any, run: Any) -> None:
    @al.stream("wrong-stream")
    class Wrong(al.Stream):
        """Wrong in one of several ways."""

        way: str = ""

        def tasks(self, seed: int) -> Any:
            inputs, labels = blobs(1, range(0, 2), 5)
            if self.way == "none":
                return []
            if self.way == "shapes":
                return [al.Task("a", (inputs, labels), (inputs[:, :3], labels))]
            if self.way == "labels":
                return [al.Task("a", (inputs, labels[:3]), (inputs, labels))]
            return [al.Task("a", (inputs, labels), (inputs, labels), classes=[0])]

    for way, message in [
        ("none", "`tasks` returned no tasks; accepted: at least one"),
        ("shapes", r'"a", test samples: inputs have the shape \[10, 3\]; accepted: \[10, 5\]'),
        ("labels", r"\[10, 5\]; accepted: \[3, 5\], one input for each label"),
        ("", "which its head does not have"),
    ]:
        config["stream"] = {"kind": "wrong-stream", "way": way}
        with pytest.raises(al.AlluviumError, match=message):
            run(config, fresh=True)


def test_experts_that_exist_are_judged_on_arrays(config: Any, run: Any, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="skipped: torch is not installed")
    from torch import nn

    def network(classes: int) -> Any:
        return nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, classes))

    names = tmp_path / "names.toml"
    pairs = {"0.weight": "layers.0.weight", "0.bias": "layers.0.bias", "2.weight": "head.weight", "2.bias": "head.bias"}
    lines = [f'"{own}" = "{ours}"' for own, ours in pairs.items()]
    names.write_text("\n".join(['transposed = ["layers.0.weight", "head.weight"]', "[names]", *lines]))
    experts = []
    for number, classes in enumerate((["0", "1"], ["2", "3"], ["4", "5"])):
        torch.save(network(2).state_dict(), tmp_path / f"{number}.pt")
        experts.append({"file": str(tmp_path / f"{number}.pt"), "classes": classes, "names": str(names)})
    torch.save(network(2).state_dict(), tmp_path / "base.pt")
    config["stream"] = {"kind": "blobs"}
    config["backbone"] = {"kind": "mlp", "layers": [16]}
    config["initial"] = {"file": str(tmp_path / "base.pt"), "names": str(names)}
    config["device"] = {"kind": "checkpoints", "experts": experts}
    assert run(config).matrix("weight-averaging").shape == (3, 3)


def test_datasets_of_torch_become_tasks(config: Any, run: Any) -> None:
    torch = pytest.importorskip("torch", reason="skipped: torch is not installed")
    from torch.utils.data import TensorDataset

    @al.stream("datasets")
    class Datasets(al.Stream):
        """Datasets of torch."""

        def tasks(self, seed: int) -> Any:
            def dataset(part: int, samples: int) -> Any:
                inputs, labels = blobs(part, range(2 * part, 2 * part + 2), samples)
                return TensorDataset(torch.from_numpy(inputs), torch.from_numpy(labels))

            return [al.Task(f"part {part}", dataset(part, 20), dataset(part, 5)) for part in range(3)]

    config["stream"] = {"kind": "datasets"}
    config["device"] = {"epochs": 20, "learning_rate": 0.1}
    assert run(config).matrix("weight-averaging").diagonal().min() > 0.8


def test_a_device_trains_with_torch_and_repeats_itself(config: Any, run: Any, tmp_path: Any) -> None:
    torch = pytest.importorskip("torch", reason="skipped: torch is not installed")

    @al.device("torch-device")
    class TorchDevice(al.Device):
        """Trains a perceptron with PyTorch."""

        epochs: int = 3

        def adapt(self, model: al.Model, task: al.DeviceTask, context: al.DeviceContext) -> Any:
            tensors = {name: tensor.requires_grad_() for name, tensor in model.torch().items()}
            optimizer = torch.optim.SGD(tensors.values(), lr=0.05)
            inputs, targets = (torch.from_numpy(part) for part in (task.samples.inputs, task.samples.targets))
            for epoch in range(self.epochs):
                order = torch.randperm(len(inputs))
                for batch in order.split(32):
                    latents = torch.relu(inputs[batch].flatten(1) @ tensors["backbone.layers.0.weight"] + tensors["backbone.layers.0.bias"])
                    scores = latents @ tensors[f"heads.{task.head}.weight"] + tensors[f"heads.{task.head}.bias"]
                    optimizer.zero_grad()
                    torch.nn.functional.cross_entropy(scores, targets[batch]).backward()
                    optimizer.step()
                context.step(epoch + 1, self.epochs)
            return tensors

    config["device"] = {"kind": "torch-device"}
    first = run(config).matrix("weight-averaging")
    again = al.compare(config, out=tmp_path / "again", jobs=1, progress=False).matrix("weight-averaging")
    assert first.diagonal().min() > 0.7 and np.array_equal(first, again, equal_nan=True)


def stream_of(samples: Any, kind: str = "of-samples") -> None:
    """A stream of one task with these samples for training and test."""

    @al.stream(kind)
    class OfSamples(al.Stream):
        """The samples of a test."""

        def tasks(self, seed: int) -> Any:
            return [al.Task("own task", samples, samples)]


ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize("labels", [np.array([0.0, 1.0, 0.0, 1.0]), np.array([[0], [1], [0], [1]]), np.array([0, 1, 0, 1], np.uint8)])
def test_labels_of_any_usual_form_are_read(labels: Any) -> None:
    stream_of((ROWS, labels))
    assert al.announce("of-samples", "own task").classes == ("0", "1")
    stream_of([ROWS, labels])
    assert al.announce("of-samples", "own task").samples == 4


class Dictionaries:
    """A dataset whose items are tables."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input": ROWS[index], "label": index}


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ((ROWS, np.eye(4, 2)), r"labels have the shape \[4, 2\]; accepted: one number or text a sample, \[samples\]"),
        ((ROWS, np.array([0.5, 1, 0, 1])), "numbers that are not whole; accepted: whole numbers, or texts"),
        (Dictionaries(), "item 0 of the dataset is a dict; accepted: pairs of an input and a label"),
        ((np.zeros((4, 28, 30, 1), np.uint8), np.array([0, 1, 0, 1])), r"shape \[4, 28, 30, 1\], whose channels seem to come last; accepted: pictures"),
        (7, "samples are a int; accepted: a pair"),
    ],
)
def test_samples_of_another_form_are_named(samples: Any, expected: str) -> None:
    stream_of(samples)
    with pytest.raises(al.AlluviumError, match=f"the task 'own task', training samples: .*{expected}"):
        al.announce("of-samples", "own task")


@pytest.mark.parametrize("shape", [(4, 1, 28, 28), (4, 3, 32, 32), (4, 3, 5, 3), (4, 40, 3), (4, 8), (4, 1, 30, 1)])
def test_inputs_whose_channels_come_first_are_taken(shape: Any) -> None:
    stream_of((np.zeros(shape, np.uint8), np.array([0, 1, 0, 1])))
    assert al.announce("of-samples", "own task").samples == 4


def test_half_precision_inputs_are_read() -> None:
    torch = pytest.importorskip("torch", reason="skipped: torch is not installed")
    for dtype in (torch.bfloat16, torch.float16):
        stream_of((torch.from_numpy(ROWS).to(dtype), torch.tensor([0, 1, 0, 1])))
        assert al.announce("of-samples", "own task").samples == 4
