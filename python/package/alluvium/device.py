"""Devices in Python: who adapts the central model to a task."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from alluvium.model import Array, Model, arrays_of
from alluvium.plugins import Plugin, decorator, seeded
from alluvium.strategy import Samples
from alluvium.values import whole_number

Kind = TypeVar("Kind", bound="type[Device]")


class _Steps(Protocol):
    def step(self, done: int, steps: int) -> None: ...


@dataclass(frozen=True)
class DeviceTask:
    """The task of a device, with its samples. They are private: nobody else sees them."""

    name: str
    """Its name."""
    head: str
    """The name of its head."""
    classes: tuple[str, ...]
    """The names of its classes, in the order of the head's scores."""
    device: int
    """The number of the device in the stream, from 0."""
    samples: Samples
    """The training samples."""


class DeviceContext:
    """What a device gets beside the model and its task."""

    def __init__(self, seed: int, generator: np.random.Generator, steps: _Steps) -> None:
        self._seed = seed
        self._generator = generator
        self._steps = steps
        self._taken = 0

    @property
    def seed(self) -> int:
        """The seed of this visit, below 2⁶³. ``random``, ``numpy.random`` and ``torch`` are seeded with it already."""
        return self._seed

    @property
    def generator(self) -> np.random.Generator:
        """A generator that starts from the seed."""
        return self._generator

    @property
    def steps_taken(self) -> int:
        """The number of gradient steps that were reported."""
        return self._taken

    def step(self, done: int, steps: int) -> None:
        """Reports that ``done`` of ``steps`` gradient steps are taken. The manifest states how many."""
        done, steps = whole_number("done", done), whole_number("steps", steps)
        self._taken = max(self._taken, done)
        self._steps.step(done, steps)


class Device(Plugin):
    """A device that adapts the central model to its task.

    Subclass it, write ``adapt``, and register the class with ``device``. Options are the annotated attributes of the class; see
    ``alluvium.plugins.Plugin``. Each visit gets an instance of its own.
    """

    def adapt(self, model: Model, task: DeviceTask, context: DeviceContext) -> Mapping[str, Any]:
        """Adapts a model.

        Args:
            model: what the centre handed out: the backbone, and the head of the device's task. A new head has initial weights.
            task: the device's task, with its samples.
            context: seed, generator, and where steps are reported.

        Returns:
            The tensors of the adapted model, as arrays of numpy or tensors of torch: those of ``model``, with the same names and
            shapes. Other heads are left behind. Values of float64 are rounded.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method `adapt`")


class _Runner:
    """Runs a device for the native module."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def run_adaptation(
        self,
        description: str,
        arrays: dict[str, Array],
        told: str,
        samples: tuple[Any, Any, list[int]],
        seed: int,
        steps: _Steps,
    ) -> tuple[dict[str, Array], int]:
        """Adapts a model. Returns its tensors, and the number of steps."""
        facts = json.loads(told)
        inputs, targets, classes = samples
        task = DeviceTask(
            name=facts["task"],
            head=facts["head"],
            classes=tuple(facts["classes"]),
            device=facts["device"],
            samples=Samples(inputs, targets, tuple(classes)),
        )
        with seeded(seed) as generator:
            context = DeviceContext(seed, generator, steps)
            adapted = self._device.adapt(Model(json.loads(description), arrays), task, context)
        if not isinstance(adapted, Mapping):
            raise TypeError(f"`adapt` returned a {type(adapted).__name__}; accepted: a mapping from names to tensors")
        return arrays_of(adapted, "the adapted model"), context.steps_taken


def device(kind: str, *, paper: str = "") -> Callable[[Kind], Kind]:
    """Registers a subclass of ``Device``, so that a configuration can name it under ``[device]``.

    Args:
        kind: the name in a configuration: lower case, words joined by hyphens.
        paper: the publication of the method.

    Raises:
        ConfigError: the kind is taken, or the class cannot be registered.
    """
    return decorator("device", kind, Device, _Runner, paper=paper, settings=lambda _: {})  # type: ignore[return-value]
