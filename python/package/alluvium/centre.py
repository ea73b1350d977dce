"""A centre that is driven from outside, and the device's side of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from alluvium import _alluvium, log
from alluvium.errors import ConfigError
from alluvium.model import Model
from alluvium.plugins import at_work, going_on
from alluvium.results import Results
from alluvium.strategy import Expert
from alluvium.values import BytesLike, Table, as_bytes, folder, plain, table, whole_number

Config = str | os.PathLike[str] | Mapping[str, Any]


@dataclass(frozen=True)
class Announcement:
    """What a device states when it asks for the model. It is a part of the first contact."""

    task: str
    """The name of its task."""
    head: str
    """The name of the task's head."""
    classes: tuple[str, ...]
    """The names of the head's classes, in the order of its scores."""
    samples: int | None
    """The number of training samples; None if the device does not say."""
    digest: str
    """A digest of its samples. It tells nothing about them."""

    def to_json(self) -> str:
        """The announcement as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Announcement:
        """Reads what ``to_json`` gave.

        Raises:
            ConfigError: another text.
        """
        try:
            stated = json.loads(text)
            return cls(stated["task"], stated["head"], tuple(stated["classes"]), stated["samples"], stated["digest"])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"this is not an announcement: {error}") from error


@dataclass(frozen=True)
class TaskInfo:
    """A task of a centre's stream."""

    name: str
    head: str
    classes: tuple[str, ...]
    """The names of the classes, in the order of the head's scores."""
    visits: int
    """How often a device took a model for it."""


@dataclass(frozen=True)
class HandOut:
    """What a device takes at its first contact: the model, and what is declared beside it."""

    _data: bytes = field(repr=False)
    visit: int
    """The number of the visit: the answer names it."""
    announcement: dict[str, Any]
    """What the device stated, in the numbers of the centre's stream."""
    terms: dict[str, Any]
    """What is declared beside the model: ``device``, ``visit`` (how often the device took a model before), ``seed``, ``settings``
    (the ``[device]`` table) and ``statistics``."""
    model: Model = field(repr=False)
    """The model that the device adapts."""

    @classmethod
    def from_bytes(cls, data: BytesLike) -> HandOut:
        """Reads what ``to_bytes`` gave. Nothing is believed: lengths are compared with the bytes, and weights are finite.

        Raises:
            FileError: other bytes.
        """
        data = as_bytes("the hand-out", data)
        slip, terms, description, arrays = _alluvium.hand_out_parts(data)
        stated = json.loads(slip)
        return cls(data, stated["visit"], stated["announced"], json.loads(terms), Model(json.loads(description), arrays))

    def to_bytes(self) -> bytes:
        """The hand-out as bytes: what is sent to a device that runs elsewhere."""
        return self._data


@dataclass(frozen=True)
class SentExpert:
    """What a device sends at its second contact."""

    _data: bytes = field(repr=False)
    visit: int
    """The number of the visit that it answers."""
    expert: Expert = field(repr=False)
    """The adapted model with its manifest."""
    own_accuracy: float | None = None
    """Its accuracy on the device's own test samples, in [0, 1], if ``adapt`` was told to judge it. It is not part of the bytes."""

    @classmethod
    def from_bytes(cls, data: BytesLike, hand_out: HandOut) -> SentExpert:
        """Reads what ``to_bytes`` gave, and checks it against what the device took.

        Raises:
            FileError: other bytes, or an expert that contradicts what its device stated or took.
        """
        data = as_bytes("the expert", data)
        manifest, description, arrays = _alluvium.expert_parts(data, hand_out.to_bytes())
        return cls(data, hand_out.visit, Expert(json.loads(description), arrays, json.loads(manifest)))

    def to_bytes(self) -> bytes:
        """The expert as bytes: what is sent to the centre."""
        return self._data


@dataclass(frozen=True)
class Received:
    """What the centre measured when it received an expert."""

    expert_accuracy: float | None
    """The expert's accuracy on its own task, in [0, 1]. A centre without test samples has what the device reported, or None."""
    task_aware: tuple[float, ...]
    """The accuracy of the new central model on the task of each expert so far, the task known. Empty without test samples."""
    task_agnostic: tuple[float, ...]
    """The same, the task unknown."""


class Centre:
    """A centre in a run directory: it hands out models, receives experts, and is closed.

    It consolidates and judges as ``alluvium.compare`` does, with the same numbers, for one strategy under one seed. Each contact is
    on disk before it takes effect: a process that is killed opens the centre again with the same arguments, visits that were under
    way still are, and an expert that was received is not asked for again.

    A centre may be used from several threads; one contact follows another.
    """

    @at_work()
    def __init__(
        self,
        directory: str | os.PathLike[str],
        config: Config,
        *,
        fresh: bool = False,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        """Opens a centre, or opens it again.

        Args:
            directory: its run directory.
            config: a TOML file or a table with one strategy, one seed, and the protocol ``dcl``.
            fresh: removes what the directory holds.
            cache: the folder for stored stages; default: ``DIRECTORY/cache``.

        Raises:
            ConfigError: the configuration does not describe one centre, or the directory belongs to another one.
            RunError: what is stored cannot be continued.
        """
        log.start()
        file, text = source(config)
        self._directory = Path(folder("directory", directory))
        self._native = _alluvium.NativeCentre(
            os.fspath(self._directory), file=file, table=text, fresh=fresh, cache=None if cache is None else folder("cache", cache)
        )
        described = json.loads(self._native.described())
        self._strategy: str = described["strategy"]
        self._seed: int = described["seed"]

    @property
    def directory(self) -> Path:
        """The run directory."""
        return self._directory

    @property
    def strategy(self) -> str:
        """The name of its strategy."""
        return self._strategy

    @property
    def seed(self) -> int:
        """Its seed. A device that builds the same stream itself needs it: it decides which samples belong to which task."""
        return self._seed

    @property
    def tasks(self) -> tuple[TaskInfo, ...]:
        """The tasks of the stream."""
        tasks = json.loads(self._native.described())["tasks"]
        return tuple(TaskInfo(task["name"], task["head"], tuple(task["classes"]), task["visits"]) for task in tasks)

    @going_on()
    def hand_out(self, announcement: Announcement) -> HandOut:
        """The first contact: hands out the model to a device that asks for it. Its task is found by its name and classes; a device may
        call its head as it likes.

        Raises:
            ConfigError: the stream has no such task.
            RunError: the protocol permits no further contact for it.
        """
        _, data = self._native.hand_out(announcement.to_json())
        return HandOut.from_bytes(data)

    def under_way(self) -> list[HandOut]:
        """What was handed out to the visits that are under way, such as those before the process was killed."""
        return [HandOut.from_bytes(data) for _, data in self._native.under_way()]

    @going_on()
    def receive(
        self,
        visit: int | HandOut,
        expert: BytesLike | SentExpert,
        *,
        seconds: float | None = None,
        accuracy: float | None = None,
    ) -> Received:
        """The second contact: receives the expert that answers a visit, and consolidates it.

        Args:
            visit: the number of the visit, or what was handed out.
            expert: what the device sent.
            seconds: how long the device took, if that is known.
            accuracy: what the device says of its expert's accuracy on test samples of its own, in [0, 1]. It counts only where the
                centre has no test samples, as with the stream ``declared``.

        Raises:
            ConfigError: the visit is not under way, or the accuracy is not one.
            FileError: the expert contradicts what its device stated or took. The visit stays under way.
            RunError: the consolidation failed. The expert is stored: when the cause is mended, the next contact consolidates it.
        """
        data = expert.to_bytes() if isinstance(expert, SentExpert) else as_bytes("the expert", expert)
        measured = json.loads(self._native.receive(_number(visit), data, seconds, accuracy))
        return Received(measured["expert_accuracy"], tuple(measured["task_aware"]), tuple(measured["task_agnostic"]))

    def give_up(self, visit: int | HandOut) -> None:
        """Gives up a visit. Its device counts as lost, and its answer is refused.

        Raises:
            ConfigError: the visit is not under way.
        """
        self._native.give_up(_number(visit))

    def central(self) -> Model:
        """The central model."""
        return Model.from_bytes(self._native.central())

    def results(self) -> Results:
        """The results so far. They are written into the directory, with the central model, so that ``alluvium report`` works on it.
        Visits stay under way.
        """
        _, results = self._native.write_results()
        return Results.of([("", os.fspath(self._directory), results)])

    @going_on()
    def close(self) -> Results:
        """Closes the centre: gives up all visits that are under way, and writes the central model and the results into the directory.
        It can be opened again.
        """
        _, results = self._native.close()
        return Results.of([("", os.fspath(self._directory), results)])

    def __enter__(self) -> Centre:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Lets the directory go. Visits stay under way; ``close`` ends them."""
        self._native.release()


@at_work()
def announce(stream: Table, task: str | int, *, seed: int = 0) -> Announcement:
    """What a device states about its task.

    Args:
        stream: the stream that holds the device's samples: a kind, or a table with its ``kind`` and options.
        task: the name of the device's task, or its number in this stream, from 0.
        seed: the seed of the stream.

    Raises:
        ConfigError: the stream is wrong, or has no such task.
    """
    return Announcement.from_json(_alluvium.announce(table("stream", stream), str(task), whole_number("seed", seed)))


@at_work()
def adapt(
    hand_out: HandOut | BytesLike,
    *,
    stream: Table,
    seed: int = 0,
    device: Table | None = None,
    judge: bool = False,
) -> SentExpert:
    """Adapts what a device took to its own samples: the numbers are those of a comparison in one process.

    Args:
        hand_out: what the device took.
        stream: the stream that holds the device's samples. Its task is found by the name that the device announced.
        seed: the seed of the stream.
        device: who adapts: a kind, or a table with its ``kind`` and options. Default: as the centre's ``[device]`` says.
        judge: whether to judge the expert on the task's test samples in this stream, if there are any.

    Raises:
        ConfigError: the stream or the device is wrong.
        RunError: training failed.
    """
    taken = hand_out if isinstance(hand_out, HandOut) else HandOut.from_bytes(hand_out)
    own = None if device is None else table("device", {"kind": device} if isinstance(device, str) else device)
    data, accuracy = _alluvium.adapt(taken.to_bytes(), table("stream", stream), whole_number("seed", seed), own, judge)
    return replace(SentExpert.from_bytes(data, taken), own_accuracy=accuracy)


def source(config: Config) -> tuple[str | None, str | None]:
    """The file or the table of a configuration, one of which is given."""
    if isinstance(config, Mapping):
        return None, json.dumps(plain("", config))
    file = os.fspath(config) if isinstance(config, (str, os.PathLike)) else None
    if not isinstance(file, str) or not file:
        found = "''" if file == "" else f"a {type(config).__name__}"
        raise ConfigError(f"the configuration is {found}; accepted: a TOML file, or a table")
    return file, None


def _number(visit: int | HandOut) -> int:
    return visit.visit if isinstance(visit, HandOut) else whole_number("visit", visit)
