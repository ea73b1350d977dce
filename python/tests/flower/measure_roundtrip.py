"""The round trip of models of 1, 10 and 100 MB, beside Flower's own quickstart with PyTorch on the same machine.

    python python/tests/flower/measure_roundtrip.py FOLDER [--without-torch] [--cold]

One node, one visit after another. The overhead of a visit is the time from the moment at which the hand-out is listed to that at which the
expert came, without the time that the device trained.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "examples" / "flower")]

from loopback import Loopback, reset  # noqa: E402
from quickstart import run  # noqa: E402

EXPERIMENT = """
name = "round trip"
protocol = {{ kind = "dcl" }}
seeds = [0]
references = []
[backend]
kind = "flex"
[stream]
kind = "split-glyphs"
tasks = {tasks}
classes_per_task = 2
[backbone]
kind = "mlp"
layers = {layers}
[device]
epochs = 1
batch_size = 256
[[strategies]]
kind = "weight-averaging"
"""

#: Widths of the layers, by megabytes. The input has 256 values.
LAYERS = {1: [256, 512, 110], 10: [1024, 2000, 100], 100: [4000, 5500, 300]}
TASKS = 6


def moment(line: dict[str, Any]) -> float:
    return datetime.datetime.fromisoformat(line["time"]).timestamp()


def ours(folder: Path, megabytes: int, warm: bool) -> None:
    experiment, stream = folder / "trip.toml", folder / "stream.json"
    experiment.write_text(EXPERIMENT.format(tasks=TASKS, layers=LAYERS[megabytes]), encoding="utf-8")
    stream.write_text(json.dumps({"kind": "split-glyphs", "tasks": TASKS, "classes_per_task": 2}), encoding="utf-8")
    config = {"node-1": f'data="{stream}" tasks="{",".join(map(str, range(TASKS)))}"'}
    with Loopback(folder, config, run(folder, experiment), warm=warm) as loopback:
        loopback.wait(900)
        out = [line for line in loopback.messages() if line["kind"] == "hand-out"]
        back = [line for line in loopback.messages() if line["kind"] == "expert"]
    results = json.loads((folder / "run" / "results.json").read_text(encoding="utf-8"))
    trained = results["rows"][0]["cells"][0]["device_seconds"]
    trips = [moment(b) - moment(a) - t for a, b, t in zip(out, back, trained, strict=True)]
    size = back[0]["bytes"] / 1e6
    print(
        f"alluvium {'warm' if warm else 'cold'} {size:7.2f} MB: {statistics.mean(trips):5.2f} s a visit without training "
        f"({min(trips):.2f} to {max(trips):.2f}); training {statistics.mean(trained):.2f} s",
        flush=True,
    )


def torch(folder: Path, megabytes: int, warm: bool) -> None:
    config = {"directory": str(folder / "run"), "values": megabytes * 250_000, "rounds": TASKS}
    with Loopback(folder, {"node-1": 'data="none"'}, config, app=HERE / "torch_app", warm=warm) as loopback:
        loopback.wait(900)
    times = [float(line) for line in (folder / "run" / "rounds.txt").read_text().split()]
    trips = [end - begin for begin, end in zip(times, times[1:], strict=False)]
    print(
        f"Flower's quickstart, {'warm' if warm else 'cold'} {megabytes:7.2f} MB: {statistics.mean(trips):5.2f} s a round without training "
        f"({min(trips):.2f} to {max(trips):.2f})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without-torch", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(LAYERS))
    parser.add_argument("--cold", action="store_true", help="let Flower start each client app anew")
    given = parser.parse_args()
    folder = given.folder.resolve()
    reset(folder)
    for megabytes in given.sizes:
        for name, measure in (("ours", ours), ("torch", torch)):
            if name == "torch" and given.without_torch:
                continue
            place = folder / f"{name}-{megabytes}"
            place.mkdir(parents=True)
            measure(place, megabytes, not given.cold)


if __name__ == "__main__":
    main()
