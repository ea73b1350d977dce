"""The rows of an experiment: one strategy under one seed each, with a centre of its own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import tomllib

import alluvium as al
from alluvium import _alluvium
from alluvium.flower.errors import Refused
from alluvium.flower.files import read_json, write
from alluvium.flower.settings import shown

#: Seconds between two writings of the results so far.
REPORT = 30.0

#: Files of the run directory. The folder of a row would take their place, and ``done`` and ``stop`` would end the run.
TAKEN = (
    "centre.sign",
    "done",
    "events.jsonl",
    "flower.json",
    "flower.lock",
    "messages.jsonl",
    "results.json",
    "stop",
)


@dataclass
class Visit:
    """A visit of a node, as the centre notes it beside the core's list."""

    number: int
    task: str
    node: int
    key: str
    #: When it began, in seconds.
    since: float
    #: ``under-way``, ``received`` or ``given-up``.
    state: str = "under-way"
    is_overdue: bool = False
    #: Whether the hand-out is on its way in this process. Not kept: a message of an older process goes nowhere.
    is_sent: bool = False
    failures: int = 0
    not_before: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """What is kept."""
        kept = asdict(self)
        for name in ("is_sent", "failures", "not_before"):
            del kept[name]
        return kept


@dataclass
class RowState:
    """What is kept of a row."""

    visits: dict[int, Visit] = field(default_factory=dict)
    #: The visit that is about to begin. It is noted before the core lists it.
    pending: Visit | None = None
    #: The visits by their tasks: a task has one visit.
    by_task: dict[str, Visit] = field(default_factory=dict)

    def add(self, visit: Visit) -> None:
        """Adds a visit."""
        self.visits[visit.number] = visit
        self.by_task.setdefault(visit.task, visit)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> RowState:
        """Reads what was kept."""
        pending = kept.get("pending")
        state = cls(pending=None if pending is None else Visit(**pending))
        for visit in kept.get("visits", {}).values():
            state.add(Visit(**visit))
        return state

    def to_json(self) -> dict[str, Any]:
        """What is kept."""
        visits = {str(number): visit.to_json() for number, visit in self.visits.items()}
        return {"visits": visits, "pending": None if self.pending is None else self.pending.to_json()}


@dataclass
class Job:
    """Work that a row's thread does."""

    what: str
    about: tuple[Any, ...]
    future: Future[Any]


class Row:
    """One strategy under one seed. Its centre lives in a thread of its own, because a consolidation takes time."""

    def __init__(
        self, label: str, folder: Path, config: Any, seed: int, state: RowState, order: tuple[str, ...] | str
    ) -> None:
        self.label, self.folder, self.config, self.seed, self.state = label, folder, config, seed, state
        self._order = order
        self.worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=label)
        self.job: Job | None = None
        self.is_open = False
        self.is_closed = False
        self._reported = 0.0
        self.centre: al.Centre
        self.tasks: tuple[str, ...] = ()
        #: The hand-outs of the visits that are under way.
        self.hand_outs: dict[int, al.HandOut] = {}
        #: Experts that wait until the row's thread is free: visit, bytes, seconds, reported accuracy, node.
        self.arrived: list[tuple[int, bytes, float | None, float | None, int]] = []

    def start(self, what: str, work: Callable[[], Any], about: tuple[Any, ...] = ()) -> None:
        """Does work in the row's thread."""
        assert self.job is None
        self.job = Job(what, about, self.worker.submit(work))

    # ---- in the row's thread

    def open(self) -> None:
        """Opens the centre."""

        def work() -> None:
            self.centre = al.Centre(self.folder, self.config)
            self.tasks = tuple(task.name for task in self.centre.tasks)
            self._check_order()
            self.hand_outs = {hand_out.visit: hand_out for hand_out in self.centre.under_way()}
            self.is_open = True

        self.start("open", work)

    def _check_order(self) -> None:
        """Refuses tasks that the stream does not have: the centre would wait for them without end."""
        unknown = [name for name in self.order if name not in self.tasks]
        if unknown:
            # Leaving the centre lets its directory go.
            with self.centre:
                raise ValueError(
                    f"order names {_quoted(unknown)}, which the stream of {self.label} does not have; "
                    f'accepted: "arrival", "stream", or names of its tasks, separated by commas: {_quoted(self.tasks)}'
                )

    def hand_out(self, announced: str) -> int:
        """The first contact, for the core."""
        hand_out = self.centre.hand_out(al.Announcement.from_json(announced))
        self.hand_outs[hand_out.visit] = hand_out
        return hand_out.visit

    def receive(self, visit: int, data: bytes, seconds: float | None, accuracy: float | None) -> dict[str, Any]:
        """The second contact, for the core. Its reader of hostile files is the first that looks into the bytes."""
        try:
            received = self.centre.receive(visit, data, seconds=seconds, accuracy=accuracy)
        except al.FileError as error:
            raise Refused("not-an-expert", str(error)) from error
        except al.ConfigError as error:
            raise Refused("refused-by-centre", str(error)) from error
        del self.hand_outs[visit]
        if time.monotonic() - self._reported > REPORT:
            # `alluvium report` reads what there is so far.
            self.centre.results()
            self._reported = time.monotonic()
        return {"expert_accuracy": received.expert_accuracy, "task_aware": list(received.task_aware)}

    def give_up(self, visit: int) -> None:
        """Gives a visit up."""
        self.centre.give_up(visit)
        del self.hand_outs[visit]

    def close(self) -> None:
        """Closes the centre, which writes the results."""
        if self.is_open:
            self.worker.submit(self.centre.close).result()
        self.is_closed, self.is_open = True, False

    # ---- in the main thread

    def given_up(self) -> set[int]:
        """The visits that the core's list says were given up."""
        contacts = read_json(self.folder / "visits.json", [])
        return {contact["visit"] for contact in contacts if contact.get("event") == "given-up"}

    def is_receiving(self, visit: int) -> bool:
        """Whether the expert of a visit came and is not consolidated yet."""
        job = self.job is not None and self.job.what == "receive" and self.job.about[0] == visit
        return job or any(number == visit for number, *_ in self.arrived)

    def visit_of(self, task: str) -> Visit | None:
        """The visit of a task, if it had one."""
        return self.state.by_task.get(task)

    @property
    def order(self) -> tuple[str, ...]:
        """The tasks that are expected."""
        return self._order if isinstance(self._order, tuple) else self.tasks

    @property
    def is_sequential(self) -> bool:
        """Whether one device comes after another."""
        return self._order != "arrival"

    def next_tasks(self) -> list[str]:
        """The tasks whose visit may begin now."""
        waiting = [task for task in self.order if self.visit_of(task) is None]
        if not self.is_sequential:
            return waiting
        held = any(visit.state == "under-way" and not visit.is_overdue for visit in self.state.visits.values())
        return [] if held or self.arrived else waiting[:1]

    def is_complete(self) -> bool:
        """Whether each expected task's expert came or was given up."""
        if not self.is_open:
            return self.is_closed
        visits = [self.visit_of(task) for task in self.order]
        return not self.arrived and all(visit is not None and visit.state != "under-way" for visit in visits)


def table(experiment: str | os.PathLike[str]) -> dict[str, Any]:
    """The configuration of an experiment."""
    path = Path(experiment)
    text = path.read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    return read


def check(experiment: str | os.PathLike[str]) -> dict[str, Any]:
    """The configuration of an experiment, after the checks of a comparison: names, seeds and the baseline among them. The centre of a
    row sees that row alone, so it cannot refuse what is wrong between rows."""
    config = table(experiment)
    try:
        # The table, not the file: paths in it then mean what they mean to the centres.
        al.check(config)
    except al.ConfigError as error:
        raise al.ConfigError(f"{experiment}: {error}") from error
    for number, strategy in enumerate(config["strategies"], 1):
        name = _name(strategy)
        # Each row has a folder of its name in the run directory.
        if name in (".", "..") or any(sign in name for sign in "/\\\0") or name in TAKEN:
            raise al.ConfigError(
                f"{experiment}: [[strategies]] {number}: `name` = {_quoted([name])} cannot be the name of a folder in the run directory; "
                f"accepted: a name without `/` and `\\`, and none of ., .., {', '.join(TAKEN)}"
            )
    return config


def _name(strategy: Mapping[str, Any]) -> str:
    """The name of the row of a strategy."""
    return str(strategy.get("name", strategy["kind"]))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(shown, names))


def rows(experiment: str | os.PathLike[str], directory: Path) -> Iterator[tuple[str, Path, Any, int]]:
    """The rows of an experiment: label, run directory, configuration of a centre, seed."""
    config = check(experiment)
    strategies, seeds = config["strategies"], config["seeds"]
    single = len(strategies) == 1 and len(seeds) == 1
    for seed in seeds:
        for strategy in strategies:
            name = _name(strategy)
            label = name if len(seeds) == 1 else f"{name}-seed-{seed}"
            # A baseline that is another row does not exist for this centre.
            own = {key: value for key, value in config.items() if key != "baseline"}
            own |= {"strategies": [strategy], "seeds": [seed]}
            yield label, directory if single else directory / label, own, seed


def merge(experiment: str | os.PathLike[str], directory: Path, done: list[Row]) -> None:
    """Writes the results of several rows as those of one comparison, into ``results.json`` of the directory."""
    # While the run goes on, the baseline may have no results yet.
    baseline = table(experiment).get("baseline")
    known = any(_name(row.config["strategies"][0]) == baseline for row in done)
    parts = [(row.folder / "results.json").read_text(encoding="utf-8") for row in done]
    write(directory / "results.json", _alluvium.merge(parts, baseline if known else None).encode())
