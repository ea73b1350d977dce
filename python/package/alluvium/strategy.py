"""Strategies in Python: how a centre consolidates an expert."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from alluvium import _alluvium
from alluvium.errors import ConfigError, RunError
from alluvium.model import Array, Head, Model, arrays_of
from alluvium.plugins import Plugin, decorator, seeded
from alluvium.values import is_of_torch, plain, whole_number

Kind = TypeVar("Kind", bound="type[Strategy]")

# The key under which the state of a strategy states a model. No attribute has such a name.
_STATED = "alluvium model"
# The key under which the state of a strategy names its tensors of PyTorch. No attribute has such a name.
_OF_TORCH = "of torch"
# What the names of a kept expert's statistic begin with.
_STATISTIC = "statistic/"


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

    __slots__ = ("_manifest", "_missing", "_statistic")

    def __init__(
        self,
        description: Mapping[str, Any],
        arrays: Mapping[str, Array],
        manifest: Mapping[str, Any],
        statistic: Mapping[str, Array] | None = None,
        missing: str | None = None,
    ) -> None:
        """Args:
        description: as of a model.
        arrays: the tensors.
        manifest: what the device states.
        statistic: the statistic that the device sent along.
        missing: why it sent none, if the strategy asked for it.
        """
        super().__init__(description, arrays)
        names = [field.name for field in dataclasses.fields(Manifest)]
        self._manifest = Manifest(**{name: manifest[name] for name in names})
        self._statistic = None if statistic is None else dict(statistic)
        self._missing = missing

    @property
    def manifest(self) -> Manifest:
        """What the device states."""
        return self._manifest

    @property
    def own_head(self) -> Head:
        """The head of the device's task."""
        return self.heads[0]

    @property
    def statistic(self) -> dict[str, Any]:
        """What the strategy's ``statistic`` returned on the device: arrays of float32 or float64.

        Raises:
            RunError: the device sent none. The strategy has no method ``statistic``, or the device cannot run it.
        """
        if self._statistic is None:
            nothing = f"the expert of {self.manifest.task_name!r} carries no statistic; accepted: a strategy with a method `statistic`"
            raise RunError(self._missing or nothing)
        return self._statistic


class Context:
    """What a strategy gets besides the two models: only what it declared and what the protocol grants.

    It is valid while the strategy consolidates.
    """

    def __init__(self, native: _alluvium.NativeContext, generator: np.random.Generator) -> None:
        self._native = native
        self._generator = generator

    @property
    def device(self) -> int:
        """The number of experts that were consolidated before this one; for a round, before its first."""
        return self._native.device

    @property
    def seed(self) -> int:
        """The seed of this consolidation, below 2⁶³. ``random``, ``numpy.random`` and ``torch`` are seeded with it already."""
        return self._native.seed

    @property
    def generator(self) -> np.random.Generator:
        """A generator that starts from the seed."""
        return self._generator

    def of_expert(self, index: int) -> Context:
        """The context for one expert of a round, from 0: seed, device and current task are those of a consolidation of its own.

        Raises:
            ConfigError: the round has no such expert.
        """
        native = self._native.of_expert(whole_number("index", index))
        return Context(native, np.random.default_rng(native.seed))

    def surrogate(self) -> Array:
        """The fixed set of surrogate data, ``[samples, …]``: the same for all consolidations of a cell. Data that are made from
        an expert are made from the last one of a round.

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
        """The training samples of the device whose expert is consolidated; in a round, of the last one.

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
    its other attributes: numbers, texts, lists and tables of these, models, and arrays of numpy or tensors of PyTorch (on the processor,
    without gradients, float32 or float64) or tables of these. They are stored with each consolidation, so a run that was stopped goes on. Then numbers of numpy are numbers of
    Python, keys of tables are texts, and tables are in another order; keep what does not depend on that.
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

    def consolidate_round(self, previous: Model, experts: Sequence[Expert], context: Context) -> Mapping[str, Any]:
        """Consolidates the experts of one round of a federated protocol at once. Override it for that.

        A round of one expert must equal ``consolidate``. Default: they are consolidated one after another, each in a context of its
        own.

        Args:
            previous: the central model, which all experts started from.
            experts: what came back, in the order of the devices; at least one.
            context: as for ``consolidate``, of the whole round; see ``Context.of_expert``.

        Returns:
            As ``consolidate``, with the heads of all experts.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method `consolidate_round`")

    def statistic(
        self, taken: Model, adapted: Model, samples: Samples, generator: np.random.Generator
    ) -> Mapping[str, Any]:
        """A statistic that every device computes from its samples and sends along with its expert. Override it for that.

        It runs on the device, in an instance of its own, and knows nothing but its arguments and the options. ``consolidate`` finds the
        result as ``expert.statistic``. Its bytes are counted. Return sums over samples, never samples. On a device elsewhere, this
        class must be imported, too.

        Args:
            taken: the model that the device took.
            adapted: the model that it adapted; its only head is that of its task.
            samples: the device's training samples.
            generator: a generator that starts from the seed.

        Returns:
            Arrays or tensors of float32 or float64, by names of your choice; finite.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method `statistic`")

    def state(self) -> dict[str, Any]:
        """What is kept between devices. Default: all attributes beside the options."""
        options = {field.name for field in dataclasses.fields(self) if field.init}
        return {name: value for name, value in vars(self).items() if name not in options}

    def restore(self, state: dict[str, Any]) -> None:
        """Restores what ``state`` returned. Default: sets the attributes."""
        for name, value in state.items():
            setattr(self, name, value)


# Description, tensors, manifest, the statistic, and why there is none.
_SentExpert = tuple[str, dict[str, Array], str, dict[str, Array] | None, str | None]


class _Runner:
    """Runs a strategy for the native module."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy

    def run_consolidation(
        self, previous: str, arrays: dict[str, Array], experts: list[_SentExpert], native: _alluvium.NativeContext
    ) -> dict[str, Array]:
        """Consolidates one expert."""
        before, (expert,) = Model(json.loads(previous), arrays), _experts(experts)
        with seeded(native.seed) as generator:
            central = self._strategy.consolidate(before, expert, Context(native, generator))
        return _tensors("consolidate", central, "the new central model")

    def run_round(
        self, previous: str, arrays: dict[str, Array], experts: list[_SentExpert], native: _alluvium.NativeContext
    ) -> dict[str, Array]:
        """Consolidates the experts of a round."""
        before, sent = Model(json.loads(previous), arrays), _experts(experts)
        with seeded(native.seed) as generator:
            central = self._strategy.consolidate_round(before, sent, Context(native, generator))
        return _tensors("consolidate_round", central, "the new central model")

    def run_statistic(
        self,
        taken: str,
        taken_arrays: dict[str, Array],
        adapted: str,
        adapted_arrays: dict[str, Array],
        samples: tuple[Any, Any, list[int]],
        seed: int,
    ) -> dict[str, Array]:
        """Computes the statistic of a device."""
        start, end = Model(json.loads(taken), taken_arrays), Model(json.loads(adapted), adapted_arrays)
        with seeded(seed) as generator:
            statistic = self._strategy.statistic(start, end, _samples(samples), generator)
        return _tensors("statistic", statistic, "the statistic")

    def stored_state(self) -> tuple[str, dict[str, Array]]:
        """The state: a JSON object, and arrays."""
        values: dict[str, Any] = {}
        arrays: dict[str, Any] = {}
        for name, value in self._strategy.state().items():
            if _is_tensor(value):
                arrays[name] = value
            elif isinstance(value, Model):
                values[name] = _model_stated(value)
                arrays.update({f"{name}/{key}": one for key, one in {**value, **_statistic_of(value)}.items()})
            elif isinstance(value, Mapping) and value and all(_is_tensor(one) for one in value.values()):
                arrays.update({f"{name}/{key}": one for key, one in value.items()})
            else:
                values[name] = _plain(name, value)
        of_torch = [name for name, value in arrays.items() if is_of_torch(value)]
        if of_torch:
            values[_OF_TORCH] = of_torch
        return json.dumps(values), arrays_of(arrays, "the state")

    def restore_state(self, values: str, arrays: dict[str, Array]) -> None:
        """Restores the state."""
        state: dict[str, Any] = json.loads(values)
        of_torch = set(state.pop(_OF_TORCH, []))
        for name, stored in arrays.items():
            array: Any = stored
            if name in of_torch:
                import torch

                array = torch.from_numpy(stored)
            owner, slash, key = name.partition("/")
            if slash:
                state.setdefault(owner, {})[key] = array
            else:
                state[name] = array
        # A model left its description among the values, and its tensors under its name.
        self._strategy.restore({name: _model_restored(value) for name, value in state.items()})


def _experts(sent: list[_SentExpert]) -> list[Expert]:
    return [
        Expert(json.loads(description), arrays, json.loads(manifest), statistic, missing)
        for description, arrays, manifest, statistic, missing in sent
    ]


def _tensors(method: str, returned: Any, what: str) -> dict[str, Array]:
    if not isinstance(returned, Mapping):
        raise TypeError(f"`{method}` returned a {type(returned).__name__}; accepted: a mapping from names to tensors")
    return arrays_of(returned, what)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, np.ndarray) or is_of_torch(value)


def _model_stated(model: Model) -> dict[str, Any]:
    """What makes a model of its tensors again."""
    stated: dict[str, Any] = {"description": plain(_STATED, model._description), "manifest": None}
    if isinstance(model, Expert):
        stated["manifest"], stated["statistic"] = dataclasses.asdict(model.manifest), model._statistic is not None
    return {_STATED: stated}


def _statistic_of(model: Model) -> dict[str, Array]:
    """The statistic that an expert carries, under names that no tensor of a model has."""
    statistic = model._statistic if isinstance(model, Expert) else None
    return {_STATISTIC + name: array for name, array in (statistic or {}).items()}


def _model_restored(value: Any) -> Any:
    if not isinstance(value, dict) or _STATED not in value:
        return value
    stated, arrays = value[_STATED], {name: array for name, array in value.items() if name != _STATED}
    if stated["manifest"] is None:
        return Model(stated["description"], arrays)
    own = {name: array for name, array in arrays.items() if not name.startswith(_STATISTIC)}
    statistic = {name.removeprefix(_STATISTIC): array for name, array in arrays.items() if name not in own}
    return Expert(stated["description"], own, stated["manifest"], statistic if stated["statistic"] else None)


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


def strategy(kind: str, *, data: str = "none", tells: str = "", paper: str = "") -> Callable[[Kind], Kind]:
    """Registers a subclass of ``Strategy``, so that a configuration can name it: ``kind = "…"``.

    Args:
        kind: the name in a configuration: lower case, words joined by hyphens.
        data: the data that it needs while it consolidates: ``"none"``, ``"surrogate"``, ``"current-task"`` or ``"all-tasks"``.
        tells: what the statistic of a class with the method ``statistic`` tells of a device's samples, as words that follow "tells the
            centre". It is stated below the table. Such a class must say it.
        paper: the publication of the method.

    Raises:
        ConfigError: the kind is taken, or the class cannot be registered.
    """

    def settings(owner: type[Strategy]) -> dict[str, Any]:
        rounds, statistic = (
            getattr(owner, name) is not getattr(Strategy, name) for name in ("consolidate_round", "statistic")
        )
        if statistic != bool(tells):
            found = "has the method `statistic`, but `tells` does not say what it tells" if statistic else "has no method `statistic`, but `tells`"
            raise ConfigError(f"{kind!r}: the class {owner.__name__} {found}; accepted: both or neither, as tells=\"the mean of each class\"")
        return {"data": data, "rounds": rounds, "statistic": statistic, "tells": tells}

    return decorator("strategy", kind, Strategy, _Runner, paper=paper, settings=settings)  # type: ignore[return-value]
