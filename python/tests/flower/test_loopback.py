"""Centre and devices in processes of their own, with TLS, node authentication and SQLite, while processes are killed."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import alluvium as al
import pytest
from alluvium.flower.keys import make_node

from harm import KINDS, Killer
from loopback import COMMANDS, Loopback, free_port
from quickstart import differences, nodes, run

FAULTY = Path(__file__).parent / "faulty"

EXPERIMENT = """
name = "small"
protocol = { kind = "dcl" }
seeds = [0]
baseline = "naive"
references = []
[backend]
kind = "flex"
[stream]
kind = "split-glyphs"
tasks = 6
classes_per_task = 2
[backbone]
kind = "mlp"
layers = [8]
[device]
epochs = 1
[[strategies]]
kind = "naive"
[[strategies]]
kind = "weight-averaging"
"""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> al.Results:
    folder = tmp_path_factory.mktemp("in-process")
    (folder / "small.toml").write_text(EXPERIMENT, encoding="utf-8")
    return al.compare(folder / "small.toml", out=folder / "run")


def written(folder: Path) -> tuple[Path, Path]:
    (folder / "small.toml").write_text(EXPERIMENT, encoding="utf-8")
    stream = folder / "stream.json"
    stream.write_text(json.dumps({"kind": "split-glyphs", "tasks": 6, "classes_per_task": 2}), encoding="utf-8")
    return folder / "small.toml", stream


def assert_same(folder: Path, expected: al.Results) -> None:
    ours = al.Results.read(folder / "run")
    rows = [json.loads(results.variants[0].json)["rows"] for results in (ours, expected)]
    assert list(differences(*rows)) == []
    assert ours.table() == expected.table()


def say_what_lived(killer: Killer, planned: Counter[str]) -> None:
    """A fast machine may finish before everything was killed. That is no failure, and it is said."""
    if killer.killed != planned:
        pytest.skip(f"the run ended before {', '.join((planned - killer.killed).elements())} could be killed; all else was checked")


def test_each_process_is_killed_once_and_the_table_is_that_of_one_process(tmp_path: Path, expected: al.Results) -> None:
    experiment, stream = written(tmp_path)
    with Loopback(tmp_path, nodes(stream, 3, 6), run(tmp_path, experiment)) as loopback:
        killer = Killer(loopback, ["clientapp", "serverapp", "superlink", "supernode"], (1.0, 3.0), after=2)
        killer.start()
        loopback.wait(420)
        killer.stop()
        # A SuperNode whose key the SuperLink does not know is not let in.
        make_node(tmp_path / "strangers", "stranger")
        command = [COMMANDS / "flower-supernode", "--superlink", f"127.0.0.1:{loopback.port}"]
        command += ["--root-certificates", loopback.keys / "authority.pem"]
        command += ["--auth-supernode-private-key", tmp_path / "strangers" / "stranger.auth", "--port", str(free_port())]
        with open(tmp_path / "stranger.log", "wb") as said:
            stranger = subprocess.run(command, env=loopback.environment, stdout=said, stderr=said, timeout=60, check=False)
    assert_same(tmp_path, expected)
    received = Counter(event["task"] for event in loopback.events() if event["event"] == "received")
    assert all(count <= 2 for count in received.values()), "each task once a row"
    assert stranger.returncode != 0
    assert "Failed to activate SuperNode" in (tmp_path / "stranger.log").read_text(encoding="utf-8")
    say_what_lived(killer, Counter(KINDS))


def test_a_pool_gives_the_table_of_one_process_though_its_server_app_is_killed(tmp_path: Path, expected: al.Results) -> None:
    experiment = tmp_path / "pool.toml"
    pooled = EXPERIMENT.replace("epochs = 1", 'kind = "flower"\nadapt = { epochs = 1 }')
    experiment.write_text(pooled, encoding="utf-8")
    with Loopback(tmp_path, {f"node-{number}": "pool=true" for number in (1, 2)}, run(tmp_path, experiment)) as loopback:
        killer = Killer(loopback, ["serverapp"], (0.2, 0.4), after=2)
        killer.start()
        loopback.wait(420)
        killer.stop()
    assert_same(tmp_path, expected)
    say_what_lived(killer, Counter(["serverapp"]))


def test_nodes_that_misbehave_are_refused_by_name_and_change_nothing(tmp_path: Path, expected: al.Results) -> None:
    experiment, stream = written(tmp_path)
    misdeeds = [
        "changed-bytes,bad-signature,crash,,not-an-expert",
        "malformed,unknown-key,,another-task,duplicate",
        "another-centre,not-an-answer,killed,too-large",
    ]
    configured = nodes(stream, 3, 6)
    configured = {name: f'{config} misdeeds="{done}"' for (name, config), done in zip(configured.items(), misdeeds, strict=True)}
    with Loopback(tmp_path, configured, run(tmp_path, experiment), app=FAULTY) as loopback:
        loopback.wait(420)
    assert_same(tmp_path, expected)
    refused = {event["name"] for event in loopback.events() if event["event"] == "refused"}
    wanted = {name for names in misdeeds for name in names.split(",")} - {"", "crash", "killed"}
    assert refused == wanted
    assert {event["code"] for event in loopback.events() if event["event"] == "node-failed"} >= {2}
