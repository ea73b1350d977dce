"""A comparison whose devices work on four nodes of this machine, and the same in one process:

    python python/examples/flower/pool.py FOLDER

Any device stage of the grid of strategies and seeds goes to whatever node is idle. The results are those of one process.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path

import alluvium as al

from loopback import Loopback, emptied
from quickstart import differences, run

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where keys, logs and results go; it is emptied first")
    parser.add_argument("--nodes", type=int, default=4)
    given = parser.parse_args()
    folder = emptied(given.folder)
    experiment = HERE / "pool.toml"
    begin = time.monotonic()
    nodes = {f"node-{number}": "pool=true" for number in range(1, given.nodes + 1)}
    with Loopback(folder, nodes, run(folder, experiment)) as pool:
        print(f"{time.monotonic() - begin:6.1f} s: SuperLink and {given.nodes} SuperNodes run (logs: {pool.logs})")
        pool.wait(900)
        print(f"{time.monotonic() - begin:6.1f} s: done")
        jobs = Counter(event["node"] for event in pool.events() if event["event"] == "received")
        print("jobs by node: " + ", ".join(str(count) for _, count in sorted(jobs.items())))
    config = tomllib.loads(experiment.read_text(encoding="utf-8"))
    here = al.compare({**config, "device": config["device"]["adapt"]}, out=folder / "in-process", progress=False)
    ours = al.Results.read(folder / "run")
    rows = [json.loads(results.variants[0].json)["rows"] for results in (ours, here)]
    found = list(differences(*rows))
    for difference in found[:10]:
        print(f"different: {difference}")
    print(f"\n{ours.table()}\n{len(found)} of the measurements differ from those of one process.")
    print(f"{time.monotonic() - begin:6.1f} s in all")
    return 0 if not found else 1


if __name__ == "__main__":
    sys.exit(main())
