"""Many devices through one SuperLink: devices an hour, and the memory of each process as their number grows.

    python python/tests/flower/measure_devices.py FOLDER [--devices 1000] [--nodes 8]

Each node has many tasks, so it is many devices, one after another. The model is small: what is measured is the engine.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "examples" / "flower")]

from harm import KINDS, Processes  # noqa: E402
from loopback import Loopback, reset  # noqa: E402
from quickstart import nodes, run  # noqa: E402

EXPERIMENT = """
name = "many devices"
protocol = {{ kind = "dcl" }}
seeds = [0]
references = []
[backend]
kind = "flex"
[stream]
kind = "turned-points"
tasks_ = {devices}
[backbone]
kind = "mlp"
layers = [16]
[device]
epochs = 1
[[strategies]]
kind = "weight-averaging"
"""


def memory(process: int) -> float:
    """The memory of a process that it shares with nobody, in MB."""
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_")) / 1024


def watch(loopback: Loopback, lines: list[dict[str, float]], stop: threading.Event) -> None:
    """Notes the memory of each kind of process every ten seconds."""
    processes, begin = Processes(loopback), time.monotonic()
    while not stop.wait(10):
        received = sum(event["event"] == "received" for event in loopback.events())
        line: dict[str, float] = {"seconds": time.monotonic() - begin, "received": received}
        for kind in KINDS:
            found = processes.of(kind)
            if found and kind != "clientapp":
                line[kind] = max(map(memory, found))
        line["database"] = (loopback.folder / "superlink.db").stat().st_size / 2**20
        lines.append(line)
        print({name: round(value, 1) for name, value in line.items()}, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--order", default="arrival")
    given = parser.parse_args()
    folder = given.folder.resolve()
    reset(folder)
    folder.mkdir(parents=True)
    experiment, stream = folder / "devices.toml", folder / "stream.json"
    experiment.write_text(EXPERIMENT.format(devices=given.devices), encoding="utf-8")
    stream.write_text(json.dumps({"kind": "turned-points", "tasks_": given.devices}), encoding="utf-8")
    lines: list[dict[str, float]] = []
    stop = threading.Event()
    configured = nodes(stream, given.nodes, given.devices)
    with Loopback(folder, configured, run(folder, experiment, given.order), app=HERE / "thousand") as loopback:
        watcher = threading.Thread(target=watch, args=(loopback, lines, stop))
        watcher.start()
        begin = time.monotonic()
        try:
            loopback.wait(3600)
        finally:
            stop.set()
            watcher.join()
        seconds = time.monotonic() - begin
        counts: dict[str, int] = defaultdict(int)
        for event in loopback.events():
            counts[event["event"]] += 1
    print(f"{counts['received']} devices on {given.nodes} nodes in {seconds:.0f} s: {3600 * counts['received'] / seconds:.0f} an hour")
    print(dict(counts))


if __name__ == "__main__":
    main()
