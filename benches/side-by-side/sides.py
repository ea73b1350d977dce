"""Both sides as processes: how each is started, and what it prints."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BINARIES = ROOT / "target/release"

Run = namedtuple("Run", "output seconds peak_mb")
Quickstart = namedtuple("Quickstart", "seconds peak_mb accuracies")


def run(command):
    """Waits for a command: what it printed, its wall time, and the most memory that it held."""
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=output)
        # Popen.wait does not give the child's resources.
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}: ended with {process.returncode}")
        output.seek(0)
        # Kilobytes, but on macOS, where they are bytes.
        unit = 1024**2 if sys.platform == "darwin" else 1024
        return Run(output.read().decode(), seconds, used.ru_maxrss / unit)


class Compute(namedtuple("Compute", "backend precision")):
    """Where both sides compute: a backend of Alluvium's, and its precision where it has a choice."""

    @property
    def table(self):
        """Alluvium's `[backend]` table."""
        mixed = {"precision": "mixed"} if self.precision == "mixed" else {}
        return {"kind": self.backend, **mixed}

    @property
    def of_pytorch(self):
        """PyTorch's flags."""
        return ["--device", "cuda" if self.backend == "cuda" else "cpu", "--precision", self.precision]


def alluvium_steps(threads, backbone, compute):
    return seconds_by_step(run([BINARIES / "side-by-side", json.dumps(compute.table), threads, backbone]))


def pytorch_steps(threads, backbone, compute):
    return seconds_by_step(run([*peer("steps"), "--threads", threads, "--backbones", backbone, *compute.of_pytorch]))


LAST_ROW = '[[strategies]]\nkind = "pld"\nname = "pld-with-statistics"'


def alluvium_quickstart(compute):
    """On a processor as many cells side by side as there are cores, each with one thread: the defaults."""
    with tempfile.TemporaryDirectory() as folder:
        config, out = Path(folder) / "quickstart.toml", Path(folder) / "out"
        table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in compute.table.items())
        # The row with statistics of devices is the last one, and PyTorch's side has none.
        shared, _, _ = (ROOT / "examples/quickstart.toml").read_text().partition(LAST_ROW)
        config.write_text(shared.replace('kind = "flex"', table))
        done = run([BINARIES / "alluvium", "compare", config, "--fresh", "--quiet", "--out", out])
        results = json.loads((out / "results.json").read_text())
    accuracies = {row["name"]: [average_accuracy(cell) for cell in row["cells"]] for row in results["rows"]}
    return Quickstart(done.seconds, done.peak_mb, accuracies)


def pytorch_quickstart(compute):
    """One after another, with as many threads as PyTorch chooses: as a user's loop runs."""
    done = run([*peer("quickstart"), *compute.of_pytorch])
    accuracies = {}
    for row in csv.DictReader(done.output.splitlines()):
        if row["seed"].isdigit():
            accuracies.setdefault(row["what"], []).append(float(row["value"]))
    return Quickstart(done.seconds, done.peak_mb, accuracies)


def peer(what):
    return [sys.executable, HERE / "peer.py", what]


def seconds_by_step(done):
    return {row["what"]: float(row["seconds"]) for row in csv.DictReader(done.output.splitlines())}


def average_accuracy(cell):
    """The task-aware accuracy after the last device, the mean over the tasks."""
    [(kind, accuracy)] = cell["accuracy"].items()
    by_task = accuracy["task_aware"][-1] if kind == "stream" else accuracy["task_aware"]
    return sum(by_task) / len(by_task)
