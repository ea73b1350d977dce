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


def alluvium_steps(threads, backbone):
    return seconds_by_step(run([BINARIES / "side-by-side", threads, backbone]))


def pytorch_steps(threads, backbone):
    return seconds_by_step(run([*peer("steps"), "--threads", threads, "--backbones", backbone]))


def alluvium_quickstart():
    """As many cells side by side as there are cores, each with one thread: the defaults."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        done = run([BINARIES / "alluvium", "compare", "examples/quickstart.toml", "--fresh", "--quiet", "--out", out])
        results = json.loads((out / "results.json").read_text())
    accuracies = {row["name"]: [average_accuracy(cell) for cell in row["cells"]] for row in results["rows"]}
    return Quickstart(done.seconds, done.peak_mb, accuracies)


def pytorch_quickstart():
    """One after another, with as many threads as PyTorch chooses: as a user's loop runs."""
    done = run(peer("quickstart"))
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
