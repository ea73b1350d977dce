"""Streams in Python: the tasks of the devices, from arrays or from datasets of torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from alluvium.errors import ConfigError
from alluvium.model import row_major
from alluvium.plugins import Plugin, decorator, seeded
from alluvium.values import is_of_torch

Kind = TypeVar("Kind", bound="type[Stream]")

_LARGEST_LABEL = 1_000_000


@dataclass(frozen=True)
class Task:
    """A task of a stream: what one device learns."""

    name: str
    """A name for people."""
    train: Any
    """The device's training samples: a pair ``(inputs, labels)`` of arrays, or a dataset of torch whose items are such pairs.
    ``inputs`` ``[samples, …]`` of uint8 (0…255 become −1…1) or float32; ``labels`` are numbers or names of the stream's classes."""
    test: Any
    """Test samples of the same classes, for the evaluator."""
    classes: Sequence[Any] | None = None
    """The classes of its head, as numbers or names of the stream's classes. Default: those of its training samples, sorted."""
    head: str | None = None
    """The name of its head. Tasks with the same head name share the head, and need the same classes. Default: the task's name."""


class Stream(Plugin):
    """A stream of tasks, one a device.

    Subclass it, write ``tasks``, and register the class with ``stream``. Options are the annotated attributes of the class; see
    ``alluvium.plugins.Plugin``.
    """

    def tasks(self, seed: int) -> Sequence[Task]:
        """The tasks, in the order of the devices. The same seed gives the same tasks.

        Args:
            seed: the seed of the stream, below 2⁶³. ``random``, ``numpy.random`` and ``torch`` are seeded with it already.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method `tasks`")

    def class_names(self) -> Sequence[str] | None:
        """The names of all classes; a label is a place in this list, or one of these names. Default: the labels as texts."""
        return None


def arrays(samples: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Samples as arrays of inputs and labels.

    A pair of arrays stays as it is: uint8 and float32 in row-major order are not copied here. A dataset of torch is read item by item,
    and its items are copied into one array.

    Args:
        samples: a pair ``(inputs, labels)`` of arrays or tensors; or a dataset whose items are pairs of an input and a label.

    Raises:
        TypeError: something else.
    """
    if isinstance(samples, (tuple, list)) and len(samples) == 2 and all(_is_array(part) for part in samples):
        inputs, labels = (_array(part) for part in samples)
    elif isinstance(samples, tuple) and len(samples) == 2:
        inputs, labels = (np.asarray(part) for part in samples)
    elif hasattr(samples, "__getitem__") and hasattr(samples, "__len__"):
        items = [_item(index, samples[index]) for index in range(len(samples))]
        inputs = np.stack([_array(item[0]) for item in items]) if items else np.zeros((0, 1), np.float32)
        labels = np.array([_label(item[1]) for item in items])
    else:
        raise TypeError(
            f"samples are a {type(samples).__name__}; accepted: a pair (inputs, labels) of arrays, or a dataset with `__len__` and "
            "`__getitem__`"
        )
    if inputs.dtype not in (np.uint8, np.float32):
        inputs = inputs.astype(np.float32)
    return row_major(inputs), _labels(labels)


def _is_array(part: Any) -> bool:
    return isinstance(part, np.ndarray) or is_of_torch(part)


def _item(index: int, item: Any) -> Any:
    """An item of a dataset: an input and a label.

    Raises:
        TypeError: something else.
    """
    if not isinstance(item, (tuple, list)) or len(item) < 2:
        raise TypeError(f"item {index} of the dataset is a {type(item).__name__}; accepted: pairs of an input and a label")
    return item


def _array(part: Any) -> npt.NDArray[Any]:
    if is_of_torch(part):
        part = part.detach().cpu()
        # numpy lacks bfloat16.
        part = part.float().numpy() if part.is_floating_point() else part.numpy()
    return np.asarray(part)


def _labels(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Labels ``[samples]``: whole numbers, or texts. Those ``[samples, 1]`` lose their second axis, and whole numbers may be floats.

    Raises:
        ValueError: labels of another shape, or numbers that are not whole.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"the labels have the shape {list(labels.shape)}; accepted: one number or text a sample, [samples]")
    if np.issubdtype(labels.dtype, np.floating):
        whole = labels.astype(np.int64)
        if not np.array_equal(whole, labels):
            raise ValueError("the labels are numbers that are not whole; accepted: whole numbers, or texts")
        return whole
    return labels


def _label(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label


class _Runner:
    """Runs a stream for the native module."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def run_tasks(self, seed: int) -> tuple[str, list[Any]]:
        """What the stream states, as JSON, and the arrays of each task."""
        with seeded(seed):
            tasks = list(self._stream.tasks(seed))
        if not tasks:
            raise ValueError("`tasks` returned no tasks; accepted: at least one")
        read = [(task, _part(task, "training samples", task.train), _part(task, "test samples", task.test)) for task in tasks]
        names = self._stream.class_names()
        if names is None:
            found = {label for _, train, test in read for label in [*train[1].tolist(), *test[1].tolist()]}
            numbers = bool(found) and all(isinstance(label, int) for label in found)
            if numbers:
                _check_numbers(read)
            names = [str(label) for label in (range(max(found) + 1) if numbers else sorted(found, key=str))]
        names = list(names)
        _refuse_twice("the class", names)
        places = {name: place for place, name in enumerate(names)}

        def number(label: Any) -> int:
            place = places.get(label) if isinstance(label, str) else label
            if not isinstance(place, (int, np.integer)) or not 0 <= place < len(names):
                raise ValueError(f"the label {label!r} is none of the {len(names)} classes; accepted: {', '.join(names[:20])}")
            return int(place)

        stated, parts = [], []
        for task, train, test in read:
            numbered = [(inputs, np.array([number(label) for label in labels.tolist()], np.int64)) for inputs, labels in (train, test)]
            classes = sorted(set(numbered[0][1].tolist())) if task.classes is None else [number(one) for one in task.classes]
            stated.append({"name": task.name, "head": task.head or task.name, "classes": classes})
            parts.append((numbered[0], numbered[1]))
        _check_tasks(stated, parts)
        shape = list(read[0][1][0].shape[1:])
        return json.dumps({"input": shape, "class_names": names, "tasks": stated}), parts


def _part(task: Task, what: str, samples: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The arrays of a part of a task.

    Raises:
        TypeError: something else than samples; the message names the task.
        ValueError: labels of another form, or pictures whose channels come last.
    """
    try:
        inputs, labels = arrays(samples)
    except (TypeError, ValueError) as error:
        raise type(error)(f"the task {task.name!r}, {what}: {error}") from error
    sizes = inputs.shape[1:]
    if len(sizes) == 3 and sizes[2] in (1, 3) and sizes[0] not in (1, 3) and min(sizes[:2]) > 3:
        raise ValueError(
            f"the task {task.name!r}, {what}: the inputs have the shape {list(inputs.shape)}, whose channels seem to come last; accepted: "
            "pictures [samples, channels, height, width], as `np.moveaxis(inputs, 3, 1)` gives them"
        )
    return inputs, labels


def _check_tasks(stated: list[dict[str, Any]], parts: list[Any]) -> None:
    """Refuses tasks that contradict each other, and inputs that are no numbers: training would fail at them, and blame the settings."""
    _refuse_twice("the task", [task["name"] for task in stated])
    heads: dict[str, dict[str, Any]] = {}
    for task, sides in zip(stated, parts, strict=True):
        _refuse_twice(f"the task {task['name']!r}: the class", task["classes"])
        first = heads.setdefault(task["head"], task)
        if first["classes"] != task["classes"]:
            raise ConfigError(
                f"the tasks {first['name']!r} and {task['name']!r} share the head {task['head']!r} and have different classes; "
                "accepted: the same classes in the same order, as `Task.classes` states them, or a head of their own"
            )
        for what, (inputs, _) in zip(("training samples", "test samples"), sides, strict=True):
            if inputs.dtype == np.float32 and not np.isfinite(inputs).all():
                raise ConfigError(f"the task {task['name']!r}, {what}: some inputs are NaN or infinite; accepted: finite numbers")


def _refuse_twice(what: str, values: list[Any]) -> None:
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise ConfigError(f"{what} {value!r} is there twice; accepted: different ones")
        seen.add(value)


def _check_numbers(read: list[tuple[Task, Any, Any]]) -> None:
    """Refuses labels that are too large to be numbers of classes: every class up to the largest one gets a name."""
    for task, train, test in read:
        for what, (_, labels) in (("training samples", train), ("test samples", test)):
            if labels.size and labels.max() > _LARGEST_LABEL:
                raise ConfigError(
                    f"the task {task.name!r}, {what}: the label {labels.max()} is too large; accepted: numbers of classes from 0 to "
                    f"{_LARGEST_LABEL}, or names of classes"
                )


def stream(kind: str, *, scenario: str = "class-shift", paper: str = "") -> Callable[[Kind], Kind]:
    """Registers a subclass of ``Stream``, so that a configuration can name it under ``[stream]``.

    Args:
        kind: the name in a configuration: lower case, words joined by hyphens.
        scenario: how tasks differ: ``"class-shift"`` (each has its own classes and head), ``"domain-shift"`` (one head, other
            inputs) or ``"label-skew"`` (one head, other frequencies of classes).
        paper: the publication of the data.

    Raises:
        ConfigError: the kind is taken, or the class cannot be registered.
    """
    return decorator("stream", kind, Stream, _Runner, paper=paper, settings=lambda _: {"scenario": scenario})  # type: ignore[return-value]
