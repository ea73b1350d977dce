"""A pool for comparisons, without processes: the results are those of one process, whatever the nodes do."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import alluvium as al
import pytest
from alluvium.flower import files, server
from alluvium.flower.keys import make_all
from alluvium.flower.pool import FlowerPool
from alluvium.flower.settings import Settings
from flwr.app import Error, Message

from double import Fault, Grid, Peer
from misdeeds import nan, resealed
from quickstart import UNEQUAL

EXPERIMENT = """
name = "grid"
protocol = {{ kind = "dcl" }}
seeds = [0, 1]
references = ["devices-alone"]
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
{device}
[[strategies]]
kind = "weight-averaging"
[[strategies]]
kind = "fisher-merging"          # asks its devices for statistics
"""

HERE = "epochs = 1"
POOL = 'kind = "flower"\nadapt = { epochs = 1 }'


class Place:
    """A folder with keys and three nodes that work for comparisons."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_all(folder / "keys", ["node-1", "node-2", "node-3"], ["localhost"])
        (folder / "grid.toml").write_text(EXPERIMENT.format(device=POOL), encoding="utf-8")
        self.grid = Grid(
            {
                number: Peer(
                    {
                        "pool": True,
                        "state": str(folder / f"node-{number}"),
                        "key": str(folder / "keys" / f"node-{number}.sign"),
                        "centre-key": str(folder / "keys" / "centre.pub"),
                    }
                )
                for number in (1, 2, 3)
            }
        )

    def settings(self, **changed: Any) -> Settings:
        given = {
            "experiment": str(self.folder / "grid.toml"),
            "directory": str(self.folder / "run"),
            "nodes": str(self.folder / "keys" / "nodes.txt"),
            "key": str(self.folder / "keys" / "centre.sign"),
            "poll": 0.005,
            "query": 0.2,
        }
        return Settings.of({**given, **changed})

    def run(self, **changed: Any) -> list[Any]:
        return numbers(server.compare(self.grid, self.settings(**changed)))  # type: ignore[arg-type]

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in files.read_lines(self.folder / "run" / "events.jsonl") if line["event"] == event]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def numbers(results: al.Results) -> list[Any]:
    """The rows without what is measured in seconds or memory."""
    rows: list[Any] = json.loads(results.variants[0].json)["rows"]
    for row in rows:
        row["cells"] = [{key: value for key, value in cell.items() if key not in UNEQUAL} for cell in row["cells"]]
    return rows


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What one process computes."""
    folder = tmp_path_factory.mktemp("one-process")
    (folder / "grid.toml").write_text(EXPERIMENT.format(device=HERE), encoding="utf-8")
    return numbers(al.compare(folder / "grid.toml", out=folder / "run"))


def jobs(place: Place) -> list[Message]:
    return [message for message in place.grid.sent if message.metadata.message_type == "train.job"]


def test_the_results_are_those_of_one_process_and_all_nodes_work(place: Place, expected: list[Any]) -> None:
    assert place.run() == expected
    # Two seeds of three devices alone, and of three devices for each of two strategies.
    assert 12 <= len(jobs(place)) <= 18
    assert {message.metadata.dst_node_id for message in jobs(place)} == {1, 2, 3}
    assert len({event["job"] for event in place.events("received")}) == len(jobs(place)), "equal work is done once"


def test_stages_of_one_process_are_found(place: Place, expected: list[Any], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "here.toml").write_text(EXPERIMENT.format(device=HERE), encoding="utf-8")
    al.compare(tmp_path / "here.toml", out=tmp_path / "here", cache=cache)
    assert place.run(cache=str(cache)) == expected
    assert jobs(place) == []


def test_whatever_nodes_do_the_results_stay(place: Place, expected: list[Any]) -> None:
    # Each node misbehaves at its first jobs, so that no node can be done before another begins.
    left = {1: ["crash", "nan"], 2: ["lost"], 3: ["leave"]}

    def faulty(node: int) -> Fault:
        def fault(request: Message, reply: Message) -> Message | Error | None:
            if request.metadata.message_type != "train.job" or not left[node]:
                return reply
            misdeed = left[node].pop(0)
            if misdeed == "crash":
                return Error(8, "ClientApp stopped responding.")
            if misdeed == "nan":
                return resealed(reply, place.folder / "keys" / f"node-{node}.sign", nan)
            if misdeed == "leave":
                place.grid.peers[node].online = False
                threading.Timer(2.5, lambda: setattr(place.grid.peers[node], "online", True)).start()
            return None

        return fault

    for node, peer in place.grid.peers.items():
        peer.fault = faulty(node)
    assert place.run(resend=3.0) == expected
    assert not any(left.values()), left
    assert [line["name"] for line in place.events("refused")].count("not-an-expert") == 1
    assert [line["code"] for line in place.events("node-failed")] == [8]


def test_work_that_no_node_can_do_fails_its_cells_and_says_why(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise al.RunError("out of memory")

    monkeypatch.setattr(al, "adapt", broken)
    with pytest.raises(al.RunError, match="attempts on nodes failed.*cannot-adapt: out of memory"):
        place.run()


def test_a_node_works_for_comparisons_only_if_its_operator_permits_it(place: Place) -> None:
    del place.grid.peers[1].config["pool"]
    with pytest.raises(ValueError, match="the node has no data"):
        place.grid.peers = {1: place.grid.peers[1]}
        pool = FlowerPool(place.grid, place.settings())  # type: ignore[arg-type]
        with pool:
            while not place.grid.answered:
                pool.step()


def test_a_comparison_without_a_pool_says_what_is_missing(place: Place) -> None:
    with pytest.raises(al.RunError, match="need a pool; accepted: `flwr run`"):
        al.compare(place.folder / "grid.toml", out=place.folder / "alone")


def test_a_wrong_table_of_devices_is_refused(tmp_path: Path) -> None:
    for device, said in [('kind = "flower"\nadapt = { epoch = 1 }', "epoch"), ('kind = "flower"\nadapt = { kind = "flower" }', "any other kind")]:
        (tmp_path / "wrong.toml").write_text(EXPERIMENT.format(device=device), encoding="utf-8")
        with pytest.raises(al.ConfigError, match=said):
            al.check(tmp_path / "wrong.toml")
