"""What a figure is quoted with: the machine, the versions and the date."""

import datetime
import os
import platform
import re
import subprocess
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]


def cpu():
    """The processor's name and its vector instructions, where the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine(), ""

    def field(name):
        found = re.search(rf"^{name}\s*: (.*)$", text, re.MULTILINE)
        return found[1] if found else ""

    vectors = [flag for flag in field("flags").split() if flag.startswith("avx") or flag == "fma"]
    return field("model name") or platform.machine(), " ".join(vectors)


def burn():
    """burn's version in Cargo.lock."""
    found = re.search(r'name = "burn"\nversion = "(.*)"', (ROOT / "Cargo.lock").read_text())
    return found[1] if found else "?"


def rustc():
    version = subprocess.run(["rustc", "--version"], cwd=ROOT, capture_output=True, text=True, check=False)
    return version.stdout.strip() or "rustc ?"


def gpu():
    """The name of the GPU, and its driver."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return told.stdout.strip().replace(", ", ", driver ") or "GPU ?"


def busy_cores(seconds=0.5):
    """How many cores are at work just now, where the system tells; nothing of ours may run meanwhile."""

    def read():
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, idle, waiting, *others = map(int, file.readline().split()[1:])
        return sum([user, nice, system, *others]), idle + waiting

    try:
        (busy, idle), _, (busy_after, idle_after) = read(), time.sleep(seconds), read()
    except OSError:
        return None
    busy, idle = busy_after - busy, idle_after - idle
    return os.cpu_count() * busy / max(busy + idle, 1)


def described(cores):
    """Lines to print above the tables."""
    name, vectors = cpu()
    versions = f"torch {metadata.version('torch')}, Python {platform.python_version()}; burn {burn()}, {rustc()}"
    if waiting := os.environ.get("OMP_WAIT_POLICY"):
        versions += f"; OMP_WAIT_POLICY={waiting}"
    return [
        f"{name}, {cores} cores ({vectors or 'vector instructions unknown'}), {platform.system()}",
        versions,
        f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
    ]
