"""Strategies in Python: how a centre consolidates an expert."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from alluvium import _alluvium
from alluvium.model import Array, Head, Model, arrays_of
from alluvium.plugins import Plugin, decorator, seeded
from alluvium.values import is_of_torch, plain, whole_number

Kind = TypeVar("Kind", bound="type[Strategy]")

# The key under which the state of a strategy states a model. No attribute has such a name.
_STATED = "alluvium model"


@dataclass(frozen=True)
class Samples:
    """Labelled samples of one task."""

    inputs: Array
    """``[samples, …]``: pictures are ``[samples, channels, height, width]``, as networks see them."""
    targets: npt.NDArray[np.int64]
    """``[samples]``: the place of each sample's class among the classes of the task's head."""
    classes: tuple[int, ...]
    """The stream's number of each class of the head."""


@dataclass(frozen=True)
class Manifest:
    """What a device states about the expert that it sends."""

    task: int
    """The number of the task in the stream, from 0."""
    task_name: str
    """Its name."""
    samples: int
    """The number of training samples."""
    steps: int
    """The number of gradient steps."""


class Expert(Model):
    """The model that a device sends back: the backbone, and the head of its own task."""

    __slots__ = ("_manifest",)

    def __init__(self, description: Mapping[str, Any], arrays: Mapping[str, Array], manifest: Mapping[str, Any]) -> None:
        super().__init__(description, arrays)
        names = [field.name for field in dataclasses.fields(Manifest)]
        self._manifest = Manifest(**{name: manifest[name] for name in names})

    @property
    def manifest(self) -> Manifest:
        """What the device states."""
        return self._manifest

    @property
    def own_head(self) -> Head:
        """The head of the device's task."""
        return self.heads[0]


class Context:
    """What a strategy gets besides the two models: only what it declared and what the protocol grants.

    It is valid while the strategy consolidates.
    """

    def __init__(self, native: _alluvium.NativeContext, generator: np.random.Generator) -> None:
        self._native = native
        self._generator = generator

    @property
    def device(self) -> int:
        """The number of experts that were consolidated before this one."""
        return self._native.device

    @property
    def seed(self) -> int:
        """The seed of this consolidation, below 2⁶³. ``random``, ``numpy.random`` and ``torch`` are seeded with it already."""
        return self._native.seed

    @property
    def generator(self) -> np.random.Generator:
        """A generator that starts from the seed."""
        return self._generator

    def surrogate(self) -> Array:
        """The fixed set of surrogate data, ``[samples, …]``: the same for all consolidations of a cell.

        Raises:
            RunError: the strategy has not declared ``data="surrogate"``, or the protocol does not grant it.
        """
        return self._native.surrogate()

    def fresh_surrogate(self, count: int, step: int) -> Array:
        """Fresh surrogate data, ``[count, …]``; ``step`` numbers the draw within this consolidation.

        Raises:
            RunError: as ``surrogate``.
        """
        return self._native.fresh_surrogate(whole_number("count", count), whole_number("step", step))

    def current_task(self) -> Samples:
        """The training samples of the device whose expert is consolidated.

        Raises:
            RunError: the strategy has not declared ``data="current-task"``, or the protocol does not grant it.
        """
        return _samples(self._native.current_task()[0])

    def all_tasks(self) -> list[Samples]:
        """The training samples of all devices so far, the current one last.

        Raises:
            RunError: the strategy has not declared ``data="all-tasks"``, or the protocol does not grant it.
        """
        return [_samples(task) for task in self._native.all_tasks()]

    def step(self, samples: int, done: int, steps: int) -> None:
        """Counts a gradient step on ``samples`` samples, and reports that ``done`` of ``steps`` steps are done."""
        self._native.step(whole_number("samples", samples), whole_number("done", done), whole_number("steps", steps))

    def note(self, text: str) -> None:
        """Notes something that people should know about this consolidation. It is stated below the table."""
        self._native.note(text)


def _samples(sent: tuple[Any, Any, list[int]]) -> Samples:
    inputs, targets, classes = sent
    return Samples(inputs, targets, tuple(classes))


class Strategy(Plugin):
    """A consolidation strategy: previous central model + expert → new central model.

    Subclass it, write ``consolidate``, and register the class::

        @al.strategy("towards-the-expert")
        class TowardsTheExpert(al.Strategy):
            \"\"\"Moves the central backbone a fraction of the way to the expert's.\"\"\"

            fraction: Annotated[float, al.Range(0, 1), "The fraction of the way."] = 0.5

            def consolidate(self, previous, expert, context):
                new = {**expert, **previous}
                for name in previous.backbone():
                    new[name] = previous[name] + self.fraction * (expert[name] - previous[name])
                return new

    Options are the annotated attributes of the class; see ``alluvium.plugins.Plugin``. What a strategy keeps between devices are
    its other attributes: numbers, texts, lists and tables of these, and arrays of numpy. They are stored with each consolidation, so a
    run that was stopped goes on.
    """

    def consolidate(self, previous: Model, expert: Expert, context: Context) -> Mapping[str, Any]:
        """Consolidates one expert.

        Before the first expert, ``previous`` has initial weights and no heads.

        Args:
            previous: the central model.
            expert: the model that the device sent.
            context: what else the strategy may use.

        Returns:
            The tensors of the new central model, as arrays of numpy or tensors of torch: all tensors of the backbone, all heads of
            ``previous``, and the expert's head, with the names and shapes that they have there. Values of float64 are rounded.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method `consolidate`")

    def state(self) -> dict[str, Any]:
        """What is kept between devices. Default: all attributes beside the options."""
        options = {field.name for field in dataclasses.fields(self) if field.init}  # type: ignore[arg-type]
        return {name: value for name, value in vars(self).items() if name not in options}

    def restore(self, state: dict[str, Any]) -> None:
        """Restores what ``state`` returned. Default: sets the attributes."""
        for name, value in state.items():
            setattr(self, name, value)


class _Runner:
    """Runs a strategy for the native module."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy

    def run_consolidation(
        self,
        previous: str,
        previous_arrays: dict[str, Array],
        expert: str,
        expert_arrays: dict[str, Array],
        manifest: str,
        native: _alluvium.NativeContext,
    ) -> dict[str, Array]:
        """Consolidates one expert."""
        before = Model(json.loads(previous), previous_arrays)
        sent = Expert(json.loads(expert), expert_arrays, json.loads(manifest))
        with seeded(native.seed) as generator:
            central = self._strategy.consolidate(before, sent, Context(native, generator))
        if not isinstance(central, Mapping):
            raise TypeError(f"`consolidate` returned a {type(central).__name__}; accepted: a mapping from names to tensors")
        return arrays_of(central, "the new central model")

    def stored_state(self) -> tuple[str, dict[str, Array]]:
        """The state: a JSON object, and arrays."""
        values: dict[str, Any] = {}
        arrays: dict[str, Any] = {}
        for name, value in self._strategy.state().items():
            if _is_tensor(value):
                arrays[name] = value
            elif isinstance(value, Model):
                values[name] = _model_stated(value)
                arrays.update({f"{name}/{key}": one for key, one in value.items()})
            elif isinstance(value, Mapping) and value and all(_is_tensor(one) for one in value.values()):
                arrays.update({f"{name}/{key}": one for key, one in value.items()})
            else:
                values[name] = _plain(name, value)
        return json.dumps(values), arrays_of(arrays, "the state")

    def restore_state(self, values: str, arrays: dict[str, Array]) -> None:
        """Restores the state."""
        state: dict[str, Any] = json.loads(values)
        for name, array in arrays.items():
            owner, slash, key = name.partition("/")
            if slash:
                state.setdefault(owner, {})[key] = array
            else:
                state[name] = array
        # A model left its description among the values, and its tensors under its name.
        self._strategy.restore({name: _model_restored(value) for name, value in state.items()})


def _is_tensor(value: Any) -> bool:
    return isinstance(value, np.ndarray) or is_of_torch(value)


def _model_stated(model: Model) -> dict[str, Any]:
    """What makes a model of its tensors again."""
    manifest = dataclasses.asdict(model.manifest) if isinstance(model, Expert) else None
    return {_STATED: {"description": plain(_STATED, model._description), "manifest": manifest}}


def _model_restored(value: Any) -> Any:
    if not isinstance(value, dict) or _STATED not in value:
        return value
    stated, arrays = value[_STATED], {name: array for name, array in value.items() if name != _STATED}
    if stated["manifest"] is None:
        return Model(stated["description"], arrays)
    return Expert(stated["description"], arrays, stated["manifest"])


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    number = None
    try:
        read = json.loads(json.dumps(value))
        # In Python, JSON has infinity and NaN; in the core, it has neither.
        number = _not_finite(read)
        if number is None and read == value:
            return value
    except (TypeError, ValueError, RecursionError):
        pass
    if number is not None:
        raise ValueError(f"the attribute {name!r} is kept between devices, but it holds {number}; accepted: finite numbers")
    raise TypeError(
        f"the attribute {name!r} is kept between devices, but a {type(value).__name__} cannot be stored; accepted: numbers, texts, "
        "lists, tables with texts as keys, arrays, tables of arrays, or a `state` of the strategy's own"
    )


def _not_finite(value: Any) -> float | None:
    """The first number that is infinite or none, if there is one."""
    if isinstance(value, float) and not math.isfinite(value):
        return value
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return next((number for number in map(_not_finite, inner) if number is not None), None)


def strategy(kind: str, *, data: str = "none", paper: str = "") -> Callable[[Kind], Kind]:
    """Registers a subclass of ``Strategy``, so that a configuration can name it: ``kind = "…"``.

    Args:
        kind: the name in a configuration: lower case, words joined by hyphens.
        data: the data that it needs while it consolidates: ``"none"``, ``"surrogate"``, ``"current-task"`` or ``"all-tasks"``.
        paper: the publication of the method.

    Raises:
        ConfigError: the kind is taken, or the class cannot be registered.
    """
    return decorator("strategy", kind, Strategy, _Runner, paper=paper, settings={"data": data})  # type: ignore[return-value]
