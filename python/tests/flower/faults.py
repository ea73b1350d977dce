"""Fault injection: a hundred kills -9 spread over all processes, a network that is cut and slow. Each run has the table of one process.

    python python/tests/flower/faults.py FOLDER [--kills 100] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "examples" / "flower")]

import alluvium as al  # noqa: E402

from harm import KINDS, Killer, Network  # noqa: E402
from loopback import Loopback, reset  # noqa: E402
from quickstart import HERE as EXAMPLES  # noqa: E402
from quickstart import differences, nodes, run  # noqa: E402


def check(folder: Path, expected: al.Results) -> None:
    """Compares the results of a run with those of one process; each expert must have been received once."""
    ours = al.Results.read(folder / "run")
    rows = [json.loads(results.variants[0].json)["rows"] for results in (ours, expected)]
    found = list(differences(*rows))
    assert not found, found[:5]
    assert ours.table() == expected.table()
    for row in rows[0]:
        contacts = json.loads((folder / "run" / row["name"] / "visits.json").read_text(encoding="utf-8"))
        events = Counter(contact["event"] for contact in contacts)
        assert events == {"handed-out": 10, "received": 10}, events


def kills(folder: Path, count: int, seed: int, expected: al.Results) -> None:
    """Runs the quickstart's stream, again and again, until enough processes were killed."""
    plan = [KINDS[number % len(KINDS)] for number in range(count)]
    random.Random(seed).shuffle(plan)
    done: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    runs, begin = 0, time.monotonic()
    while plan:
        runs += 1
        place = folder / f"run-{runs}"
        place.mkdir(parents=True)
        with Loopback(place, nodes(EXAMPLES / "stream.toml", 4, 10), run(place, EXAMPLES / "quickstart.toml")) as loopback:
            killer = Killer(loopback, plan, (5.0, 20.0), seed + runs)
            killer.start()
            try:
                loopback.wait(3600)
            finally:
                killer.stop()
            plan = killer.left
            done += killer.killed
            refused += Counter(event["name"] for event in loopback.events() if event["event"] == "refused")
            failed += Counter(event["event"] for event in loopback.events())
            submitted = loopback.keeper.submitted
        check(place, expected)
        print(
            f"{time.monotonic() - begin:7.0f} s: run {runs} ended with the table of one process; killed so far: {dict(done)}, "
            f"submitted {submitted} times",
            flush=True,
        )
    print(f"refusals: {dict(refused)}; events: {dict(failed)}")


def network(folder: Path, expected: al.Results) -> None:
    """The same over a network that is cut for half a minute, three times, and carries 2 MB a second."""
    place = folder / "network"
    place.mkdir(parents=True)
    begin = time.monotonic()
    loopback = Loopback(place, nodes(EXAMPLES / "stream.toml", 4, 10), run(place, EXAMPLES / "quickstart.toml"))
    line = Network(loopback.port, 2e6)
    loopback.link_port = line.port
    line.start()
    with loopback:
        for pause in (25.0, 30.0, 30.0):
            deadline = time.monotonic() + pause
            while time.monotonic() < deadline and not loopback.is_done:
                loopback.tend()
                loopback.keeper.tend()
                time.sleep(0.2)
            line.cut(30.0)
        loopback.wait(1800)
    line.close()
    check(place, expected)
    print(f"{time.monotonic() - begin:7.0f} s: a network that was cut and slow changed nothing", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-network", action="store_true")
    given = parser.parse_args()
    folder = given.folder.resolve()
    reset(folder)
    folder.mkdir(parents=True)
    expected = al.compare(EXAMPLES / "quickstart.toml", out=folder / "in-process")
    if given.kills:
        kills(folder, given.kills, given.seed, expected)
    if not given.without_network:
        network(folder, expected)


if __name__ == "__main__":
    main()
