"""Centre and devices, without processes: who gets what, what is refused, and what survives a kill."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import alluvium as al
import pytest
from alluvium.flower import centre as flower_centre
from alluvium.flower import files, rows
from alluvium.flower.centre import FlowerCentre, Settings
from alluvium.flower.errors import REFUSALS, Refused
from alluvium.flower.keys import SigningKey, make_all, read_public_keys
from alluvium.flower.messages import RECORD, seal, unseal
from flwr.app import Error, Message, RecordDict

from double import Fault, Grid, Peer, answer
from misdeeds import MISDEEDS, resealed

STREAM = {"kind": "split-glyphs", "tasks": 3, "classes_per_task": 2}

EXPERIMENT = """
name = "small"
protocol = { kind = "dcl" }
seeds = [0]
references = []
[backend]
kind = "flex"
[stream]
kind = "split-glyphs"
tasks = 3
classes_per_task = 2
[backbone]
kind = "mlp"
layers = [8]
[device]
epochs = 1
[[strategies]]
kind = "weight-averaging"
"""


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Place:
    """A folder with keys, an experiment, and three nodes with a task each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_all(folder / "keys", ["node-1", "node-2", "node-3"], ["localhost"])
        (folder / "small.toml").write_text(EXPERIMENT, encoding="utf-8")
        self.clock = Clock()
        self.peers = {
            number: Peer(
                {
                    "data": json.dumps(STREAM),
                    "tasks": str(number - 1),
                    "state": str(folder / f"node-{number}"),
                    "key": str(folder / "keys" / f"node-{number}.sign"),
                    "centre-key": str(folder / "keys" / "centre.pub"),
                }
            )
            for number in (1, 2, 3)
        }
        self.grid = Grid(self.peers)

    def settings(self, **changed: Any) -> Settings:
        given = {
            "experiment": str(self.folder / "small.toml"),
            "directory": str(self.folder / "run"),
            "nodes": str(self.folder / "keys" / "nodes.txt"),
            "key": str(self.folder / "keys" / "centre.sign"),
            "order": "stream",
            "poll": 0.0,
            **{name.replace("_", "-"): value for name, value in changed.items()},
        }
        return Settings.of(given)

    def centre(self, **changed: Any) -> FlowerCentre:
        return FlowerCentre(self.grid, self.settings(**changed), self.clock)  # type: ignore[arg-type]

    def run(self, **changed: Any) -> str:
        """Runs to the end; gives the table."""
        with self.centre(**changed) as centre:
            centre.run()
        return self.table()

    def table(self) -> str:
        results = json.loads((self.folder / "run" / "results.json").read_text(encoding="utf-8"))
        cell = results["rows"][0]["cells"][0]
        return json.dumps([cell["accuracy"], cell.get("expert_accuracy")], sort_keys=True)

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in files.read_lines(self.folder / "run" / "events.jsonl") if line["event"] == event]

    def refusals(self) -> list[str]:
        return [line["name"] for line in self.events("refused")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one process computes."""
    folder = tmp_path_factory.mktemp("in-process")
    (folder / "small.toml").write_text(EXPERIMENT, encoding="utf-8")
    al.compare(folder / "small.toml", out=folder / "run")
    cell = json.loads((folder / "run" / "results.json").read_text(encoding="utf-8"))["rows"][0]["cells"][0]
    return json.dumps([cell["accuracy"], cell.get("expert_accuracy")], sort_keys=True)


def once(kind: str, change: Callable[[Message, Message], Message | Error | None]) -> Fault:
    """Changes the first reply to a message of a kind."""
    left = [1]

    def fault(request: Message, reply: Message) -> Message | Error | None:
        if request.metadata.message_type == kind and left:
            left.pop()
            return change(request, reply)
        return reply

    return fault


def test_a_stated_order_gives_the_numbers_of_one_process(place: Place, expected: str) -> None:
    assert place.run() == expected
    assert place.refusals() == []
    kinds = [message.metadata.message_type for message in place.grid.sent]
    assert kinds.count("query.announce") == 3 and kinds.count("train.adapt") == 3


def test_the_order_of_arrival_serves_all_nodes_at_once(place: Place) -> None:
    place.run(order="arrival")
    order = [line["event"] for line in files.read_lines(place.folder / "run" / "events.jsonl")]
    assert order.index("received") > [at for at, event in enumerate(order) if event == "handed-out"][1]
    assert len(place.events("received")) == 3


def test_the_audit_has_every_message(place: Place) -> None:
    place.run()
    audit = files.read_lines(place.folder / "run" / "messages.jsonl")
    assert sum(line["way"] == "out" for line in audit) == len(place.grid.sent)
    assert sum(line["way"] == "in" for line in audit) == len(place.grid.answered)
    assert {(line["way"], line["kind"]) for line in audit} == {
        ("out", "query"),
        ("in", "announcement"),
        ("out", "hand-out"),
        ("in", "expert"),
    }
    experts = [line for line in audit if line["kind"] == "expert"]
    assert all(line["bytes"] > line["payloads"]["expert"]["bytes"] > 100 for line in experts)


def test_a_node_sees_nothing_of_another(place: Place) -> None:
    place.run()
    names = {number: json.loads(al.announce(STREAM, str(number - 1)).to_json())["task"] for number in place.peers}
    for message in place.grid.sent:
        statement = message.content[RECORD]["statement"].decode()
        own = message.metadata.dst_node_id
        assert not any(json.dumps(names[other]) in statement for other in names if other != own)


def foreign(reply: Message, _key: Path, folder: Path) -> Message:
    return resealed(reply, folder / "keys" / "node-2.sign")


@pytest.mark.parametrize("name", [*MISDEEDS, "foreign-key"])
def test_a_bad_expert_is_refused_by_name_and_changes_nothing(place: Place, expected: str, name: str) -> None:
    misdeed, key = {**MISDEEDS, "foreign-key": foreign}[name], place.folder / "keys" / "node-1.sign"
    place.peers[1].fault = once("train.adapt", lambda _, reply: misdeed(reply, key, place.folder))
    assert place.run() == expected
    assert place.refusals() == [name]
    assert name in REFUSALS


def test_a_node_that_crashes_is_asked_again(place: Place, expected: str) -> None:
    place.peers[2].fault = once("train.adapt", lambda _request, _reply: Error(8, "ClientApp stopped responding."))
    assert place.run() == expected
    assert [line["code"] for line in place.events("node-failed")] == [8]


def test_a_node_that_answers_an_older_visit_again_is_refused(place: Place, expected: str) -> None:
    place.peers[1].config["tasks"] = "0,1"
    place.peers[2].config["tasks"] = "2"
    del place.peers[3]
    kept: list[RecordDict] = []

    def twice(request: Message, reply: Message) -> Message:
        if request.metadata.message_type == "train.adapt":
            if len(kept) == 1:
                kept.append(copy.deepcopy(reply.content))
                reply.content = kept[0]
            elif not kept:
                kept.append(copy.deepcopy(reply.content))
        return reply

    place.peers[1].fault = twice
    assert place.run() == expected
    assert place.refusals() == ["duplicate"]


def test_a_late_expert_of_a_visit_that_was_given_up_is_refused(place: Place) -> None:
    held: list[tuple[Message, Message]] = []

    def hold(request: Message, reply: Message) -> Message | None:
        if request.metadata.message_type != "train.adapt":
            return reply
        held.append((request, reply))
        return None

    place.peers[1].fault = hold
    with place.centre(give_up=1000.0) as centre:
        centre.open()
        until(centre, lambda: held)
        place.clock.ahead = 2000.0
        until(centre, lambda: place.events("given-up"))
        request, reply = held[0]
        place.grid.replies[request.metadata.message_id] = reply
        until(centre, lambda: place.refusals())
        assert place.refusals() == ["late"]
        centre.run()
    assert len(place.events("received")) == 2


def test_an_overdue_expert_is_a_stale_start(place: Place) -> None:
    held: list[tuple[Message, Message]] = []

    def hold(request: Message, reply: Message) -> Message | None:
        if request.metadata.message_type != "train.adapt":
            return reply
        held.append((request, reply))
        return None

    place.peers[1].fault = hold
    with place.centre(patience=1000.0, resend=1000.0) as centre:
        centre.open()
        until(centre, lambda: held)
        place.clock.ahead = 2000.0
        until(centre, lambda: len(place.events("received")) == 2)
        request, reply = held[0]
        place.grid.replies[request.metadata.message_id] = reply
        centre.run()
    assert place.refusals() == []
    assert place.events("no-reply"), "it was asked again meanwhile"
    assert [line["visit"] for line in place.events("received")] == [1, 2, 0]


def test_a_reply_that_was_lost_on_the_way_is_asked_for_again(place: Place, expected: str) -> None:
    place.peers[1].fault = once("train.adapt", lambda _request, _reply: None)  # type: ignore[arg-type,return-value]
    assert place.run(resend=1.0) == expected
    assert [line["kind"] for line in place.events("no-reply")] == ["hand-out"]


def test_two_answers_to_one_visit_are_received_once(place: Place, expected: str) -> None:
    """A node that was started again answers the message that it had taken, and the one that was sent again."""

    def restart(request: Message, reply: Message) -> Message:
        if request.metadata.message_type == "train.adapt" and place.peers[1].started == "0":
            place.peers[1].started = "1"
            kept.append((request, reply))
            return None  # type: ignore[return-value]
        if request.metadata.message_type == "train.adapt":
            earlier, first = kept[0]
            place.grid.replies[earlier.metadata.message_id] = first
        return reply

    kept: list[tuple[Message, Message]] = []
    place.peers[1].fault = restart
    assert place.run() == expected
    assert place.refusals() == ["duplicate"]


def test_a_node_that_was_started_again_gets_its_message_again(place: Place, expected: str) -> None:
    def lose(request: Message, reply: Message) -> Message | None:
        if request.metadata.message_type == "train.adapt" and place.peers[1].started == "0":
            place.peers[1].started = "1"
            return None
        return reply

    place.peers[1].fault = lose
    assert place.run() == expected
    assert len(place.events("node-restarted")) == 1


def test_a_centre_that_is_killed_at_any_write_goes_on(place: Place, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends before the n-th write of its own state, for each n, and is started again."""
    written = 0
    limit = 1
    real = files.write_json

    def write(path: Path, value: Any) -> None:
        nonlocal written
        if path.name == "flower.json":
            written += 1
            if written > limit:
                raise Killed
        real(path, value)

    monkeypatch.setattr("alluvium.flower.nodes.write_json", write)
    kills = 0
    while True:
        written, limit = 0, 2 + kills % 5
        try:
            table = place.run()
            break
        except Killed:
            kills += 1
            # The run ended: its messages go nowhere.
            place.grid.queues.clear()
            place.grid.replies.clear()
            assert kills < 60
    assert table == expected
    assert kills > 5
    assert len(place.events("received")) <= 3
    contacts = json.loads((place.folder / "run" / "visits.json").read_text(encoding="utf-8"))
    assert sum(contact["event"] == "received" for contact in contacts) == 3
    assert sum(contact["event"] == "handed-out" for contact in contacts) == 3


def test_rows_and_seeds_are_one_comparison_while_it_runs_and_at_its_end(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (rows, flower_centre):
        monkeypatch.setattr(module, "REPORT", 0.0)
    several = EXPERIMENT.replace("seeds = [0]", 'seeds = [0, 1]\nbaseline = "naive"') + '[[strategies]]\nkind = "naive"\n'
    (place.folder / "small.toml").write_text(several, encoding="utf-8")
    with place.centre() as centre:
        centre.open()
        until(centre, lambda: place.events("received"))
        centre.merge()
        begun = al.Results.read(place.folder / "run")
        centre.run()
    cells = sum(len(row["cells"]) for row in begun.variants[0].data["rows"])
    assert 1 <= cells <= 4 and "weight-averaging" in begun.table()
    theirs = al.compare(place.folder / "small.toml", out=tmp_path / "compared").variants[0].data
    ours = al.Results.read(place.folder / "run").variants[0].data
    for name in ("seeds", "baseline", "notes", "tasks_vary"):
        assert ours.get(name) == theirs.get(name), name
    for name in ("strategies", "seeds", "baseline"):
        assert ours["config"][name] == theirs["config"][name], name
    accuracies = [
        [(row["name"], cell["seed"], cell["accuracy"]) for row in sorted(data["rows"], key=lambda row: row["name"]) for cell in row["cells"]]
        for data in (ours, theirs)
    ]
    assert accuracies[0] == accuracies[1] and len(accuracies[0]) == 4


@pytest.mark.parametrize("order", ["Arrival", "0,1,2", "j g,nope"])
def test_an_order_of_tasks_that_the_stream_lacks_is_refused(place: Place, order: str) -> None:
    names = [task.name for task in al.Centre(place.folder / "own", al_config()).tasks]
    said = r'order names ".*", which the stream of weight-averaging does not have; accepted: "arrival", "stream", .*: '
    with pytest.raises(ValueError, match=said + ", ".join(f'"{name}"' for name in names)), place.centre(order=order) as centre:
        centre.run()
    assert place.events("handed-out") == []
    assert place.run(order=",".join(names[::-1])), "the directory is free for a run with another order"


def test_a_deployment_refuses_what_a_comparison_refuses(place: Place) -> None:
    (place.folder / "small.toml").write_text(EXPERIMENT + '[[strategies]]\nkind = "weight-averaging"\n', encoding="utf-8")
    with pytest.raises(al.ConfigError, match='small.toml: .*the row name "weight-averaging" is taken'):
        place.centre()
    assert not (place.folder / "run").exists(), "nothing was written"


def test_two_runs_do_not_share_a_directory(place: Place) -> None:
    with place.centre(), pytest.raises(RuntimeError, match="in use by another run"):
        place.centre()


def test_a_task_that_is_added_later_is_served(place: Place) -> None:
    listed = place.folder / "tasks.txt"
    listed.write_text("0\n", encoding="utf-8")
    place.peers[1].config["tasks"] = f"@{listed}"
    place.peers = {1: place.peers[1]}
    place.grid.peers = place.peers
    with place.centre(until="stopped", order="arrival", query=0.0) as centre:
        centre.open()
        until(centre, lambda: len(place.events("received")) == 1)
        listed.write_text("0\n2\n", encoding="utf-8")
        until(centre, lambda: len(place.events("received")) == 2)
        (place.folder / "run" / "stop").touch()
        centre.run()
    assert (place.folder / "run" / "results.json").exists()


class Killed(Exception):
    """The process is gone."""


def until(centre: FlowerCentre, done: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        centre.step()
        time.sleep(0.01)
        assert time.monotonic() < deadline


# -------------------------------------------------------------------- the node's side


@pytest.fixture
def asked(place: Place) -> Iterator[Callable[..., tuple[str, dict[str, Any]]]]:
    """Sends a node a message of the centre's, and gives the kind and the statement of its reply."""
    centre = SigningKey.read(place.folder / "keys" / "centre.sign")
    numbers = iter(range(1, 1000))

    def ask(
        kind: str = "query", key: SigningKey = centre, payloads: dict[str, bytes] | None = None, **statement: Any
    ) -> tuple[str, dict[str, Any]]:
        stated = {"centre": "abc", "number": next(numbers), "settled": [], "done": [], "seeds": [0], **statement}
        sealed = seal(kind, stated, payloads or {}, key)
        message = Message(sealed.content, 1, "query.announce" if kind == "query" else "train.adapt")
        message.metadata.__dict__["_message_id"] = "x"
        reply = answer(place.peers[1].config, message)
        letter = unseal(reply.content, ("announcement", "expert", "refusal"), 1 << 24, lambda _: None)
        return str(letter.statement.get("name", letter.statement["kind"])), dict(letter.statement)

    yield ask


def test_a_node_refuses_what_is_not_its_centres(place: Place, asked: Callable[..., tuple[str, dict[str, Any]]]) -> None:
    assert asked(number=5)[0] == "announcement"
    assert asked(number=5)[0] == "replayed"
    assert asked(number=4)[0] == "replayed"
    assert asked(key=SigningKey.read_or_make(place.folder / "other.sign"), number=9)[0] == "foreign-key"
    assert asked("hand-out", number=10, row="r", visit=0, task="another", seed=0)[0] == "another-task"
    assert asked(number=11, seeds=["x"])[0] == "malformed"
    assert asked(number=12, centre="../..")[0] == "malformed"


def test_a_node_makes_two_contacts_a_visit(place: Place, asked: Callable[..., tuple[str, dict[str, Any]]]) -> None:
    announced = al.announce(STREAM, "0")
    config = {**al_config(), "strategies": [{"kind": "weight-averaging"}]}
    with al.Centre(place.folder / "own", config) as centre:
        data = centre.hand_out(announced).to_bytes()
    about = {"row": "r", "visit": 0, "task": announced.task, "seed": 0}
    first = asked("hand-out", payloads={"hand-out": data}, **about)
    again = asked("hand-out", payloads={"hand-out": data}, **about)
    assert first[0] == again[0] == "expert"
    assert first[1]["payloads"] == again[1]["payloads"], "a lost answer is sent again, and nothing is computed anew"
    assert asked("hand-out", payloads={"hand-out": data + b" "}, **about)[0] == "no-further-contact"
    assert asked("hand-out", payloads={"hand-out": b"no"}, **{**about, "visit": 1})[0] == "not-a-hand-out"
    assert list((place.folder / "node-1").glob("*/r-*.0.expert")) != []
    asked(settled=[["r", 0]])
    assert list((place.folder / "node-1").glob("*/r-*.0.expert")) == [], "what the centre has is deleted"


def al_config() -> dict[str, Any]:
    import tomllib

    return tomllib.loads(EXPERIMENT)


def test_keys(tmp_path: Path) -> None:
    make_all(tmp_path, ["a", "b"], ["localhost", "10.0.0.1"])
    listed = read_public_keys(tmp_path / "nodes.txt")
    assert sorted(listed.values()) == ["a", "b"]
    make_all(tmp_path, ["c"], ["localhost"])
    assert read_public_keys(tmp_path / "nodes.txt").items() >= listed.items(), "keys that exist are kept"
    assert (tmp_path / "a.sign").stat().st_mode & 0o077 == 0
    assert (tmp_path / "superlink.key").stat().st_mode & 0o077 == 0
    (tmp_path / "bad.txt").write_text("xyz a\n", encoding="utf-8")
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        read_public_keys(tmp_path / "bad.txt")


def test_refusals_have_names_that_are_explained() -> None:
    import re

    source = Path(files.__file__).parent
    used = {name for path in source.glob("*.py") for name in re.findall(r'Refused\(\s*"([a-z-]+)"', path.read_text())}
    assert used <= REFUSALS.keys()
    assert str(Refused("late", "x")) == "late: x"


def test_settings_say_what_is_accepted() -> None:
    with pytest.raises(ValueError, match=r"unknown keys of the run: pace; accepted: .*directory"):
        Settings.of({"pace": 1})
    with pytest.raises(ValueError, match="the run lacks experiment"):
        Settings.of({"directory": "x"})
    given = Settings.of({"experiment": "a", "directory": "b", "nodes": "c", "order": "x, y", "give-up": 3.0, "key": ""})
    assert (given.order, given.give_up, given.key) == (("x", "y"), 3.0, None)
