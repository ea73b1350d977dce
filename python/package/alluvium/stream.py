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
    if isinstance(samples, tuple) and len(samples) == 2:
        inputs, labels = (_array(part) for part in samples)
    elif hasattr(samples, "__getitem__") and hasattr(samples, "__len__"):
        items = [samples[index] for index in range(len(samples))]
        inputs = np.stack([_array(item[0]) for item in items]) if items else np.zeros((0, 1), np.float32)
        labels = np.array([_label(item[1]) for item in items])
    else:
        raise TypeError(
            f"samples are a {type(samples).__name__}; accepted: a pair (inputs, labels) of arrays, or a dataset with `__len__` and "
            "`__getitem__`"
        )
    if inputs.dtype not in (np.uint8, np.float32):
        inputs = inputs.astype(np.float32)
    return row_major(inputs), labels


def _array(part: Any) -> npt.NDArray[Any]:
    if is_of_torch(part):
        part = part.detach().cpu().numpy()
    return np.asarray(part)


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
        read = [(task, arrays(task.train), arrays(task.test)) for task in tasks]
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
