"""The quickstart's stream on four nodes, and in one process: the tables must be equal, byte for byte.

The training data are at the nodes only: node 1 has the tasks 1, 5 and 9 of the stream, node 2 the tasks 2, 6 and 10, and so on.
`run.sh` calls this program.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import alluvium as al

from loopback import Loopback, emptied

HERE = Path(__file__).parent

#: Measured in seconds and bytes of memory, so different each time.
UNEQUAL = ("seconds", "device_seconds", "consolidation_seconds", "elapsed_seconds", "peak_memory_bytes")


def nodes(stream: Path, number: int, tasks: int) -> dict[str, str]:
    """The configurations of nodes that share the tasks of a stream."""
    shares = [",".join(str(task) for task in range(node, tasks, number)) for node in range(number)]
    return {f"node-{node}": f'data="{stream}" tasks="{share}"' for node, share in enumerate(shares, 1)}


def run(folder: Path, experiment: Path, order: str = "stream") -> dict[str, Any]:
    """The configuration of a run whose keys are in the folder."""
    return {
        "experiment": str(experiment),
        "directory": str(folder / "run"),
        "nodes": str(folder / "keys" / "nodes.txt"),
        "key": str(folder / "keys" / "centre.sign"),
        "order": order,
    }


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Where two results differ, times and memory aside."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            if name not in UNEQUAL:
                yield from differences(one.get(name), other.get(name), f"{where}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{where}[{number}]")
    elif one != other:
        yield f"{where}: {one} and {other}"


def compare(folder: Path, experiment: Path) -> bool:
    """Whether the run on nodes and the run in one process have the same table and the same measurements."""
    ours = al.Results.read(folder / "run")
    theirs = al.compare(experiment, out=folder / "in-process")
    rows = [json.loads(results.variants[0].json)["rows"] for results in (ours, theirs)]
    found = list(differences(*rows))
    for difference in found[:10]:
        print(f"different: {difference}")
    print(ours.table())
    is_same = ours.table() == theirs.table()
    print(f"The tables are {'equal, byte for byte' if is_same else 'DIFFERENT'}; {len(found)} of the measurements differ.")
    return is_same and not found


def audit(centre: Loopback) -> None:
    """Prints the bytes that crossed, by kind."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for message in centre.messages():
        entry = sums[message["way"], message["kind"]]
        entry[0] += 1
        entry[1] += message["bytes"]
        entry[2] += sum(part["bytes"] for part in message["payloads"].values())
    print(f"\n{'what crossed':28}{'messages':>10}{'bytes':>14}{'of these models':>18}")
    for (way, kind), (count, size, models) in sorted(sums.items()):
        print(f"{'to nodes' if way == 'out' else 'from nodes':12}{kind:16}{count:>10}{size:>14,}{models:>18,}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where keys, logs and results go; it is emptied first")
    parser.add_argument("--cold", action="store_true", help="let Flower start each client app anew")
    given = parser.parse_args()
    folder = emptied(given.folder)
    experiment = HERE / "quickstart.toml"
    begin = time.monotonic()
    with Loopback(folder, nodes(HERE / "stream.toml", 4, 10), run(folder, experiment), warm=not given.cold) as centre:
        print(f"{time.monotonic() - begin:6.1f} s: SuperLink and 4 SuperNodes run (logs: {centre.logs})")
        centre.wait(500)
        print(f"{time.monotonic() - begin:6.1f} s: done")
        audit(centre)
        refused = [event for event in centre.events() if event["event"] == "refused"]
        print(f"refusals: {len(refused)}\n")
    print(f"{time.monotonic() - begin:6.1f} s: everything is stopped; the same in one process:\n")
    is_same = compare(folder, experiment)
    print(f"{time.monotonic() - begin:6.1f} s in all")
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
