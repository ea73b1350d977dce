"""Merges the same files with Alluvium and with mergekit, in turn; prints Markdown.

usage: python compare.py FOLDER [--rounds 3] [--alluvium ../../target/release/alluvium] [--methods NAME…]

FOLDER is one that `generate.py` filled. Peak memory is the most that the process held at once, with pages of mapped files;
anonymous memory leaves those out. Both are looked at twenty times a second.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

import torch
from safetensors import safe_open

HERE = pathlib.Path(__file__).resolve().parent
DENSITY = 0.2

# Ours; mergekit's method, its parameters, and those of each model.
METHODS = {
    "weight-averaging": ("weight-averaging", "linear", {}, {"weight": 0.5}),
    "task-arithmetic": (
        '{ kind = "task-arithmetic", scaling = 0.4, relative_to = "initial" }',
        "task_arithmetic", {"normalize": False}, {"weight": 0.4},
    ),
    "ties": (f'{{ kind = "ties", density = {DENSITY} }}', "ties", {"normalize": True}, {"weight": 1.0, "density": DENSITY}),
}


def run(command, log):
    """Seconds, peak memory and peak anonymous memory in MB."""
    subprocess.run(["sync"])
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=log, stderr=log)
    # `wait4` is not suitable: its peak includes the memory of this process before the fork.
    most = {"VmHWM": 0, "RssAnon": 0}
    while process.poll() is None:
        try:
            lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            lines = []
        for key, value in (line.split(":", 1) for line in lines):
            if key in most:
                most[key] = max(most[key], int(value.split()[0]))
        time.sleep(0.05)
    seconds = time.monotonic() - started
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}; see {log.name}")
    return seconds, most["VmHWM"] * 1.024e-3, most["RssAnon"] * 1.024e-3


def ours(folder, method, alluvium, log):
    output = folder / "ours" / "model.safetensors"
    output.parent.mkdir(exist_ok=True)
    base, one, other = (folder / name / "model.safetensors" for name in ["base", "one", "other"])
    models = ["--previous", base, "--initial-only", "--expert", one, "--expert", other]
    how = ["--tensorwise", "--strategy", METHODS[method][0], "--out", output, "--overwrite"]
    return run([alluvium, "consolidate", *models, *how], log)


def mergekit(folder, method, dtype, log):
    _, kind, parameters, of_models = METHODS[method]
    models = [{"model": str(folder / name), "parameters": of_models} for name in ["one", "other"]]
    # YAML reads JSON.
    recipe = {"merge_method": kind, "models": models, "parameters": parameters, "dtype": dtype}
    if kind != "linear":
        recipe["base_model"] = str(folder / "base")
    path = folder / "recipe.yml"
    path.write_text(json.dumps(recipe))
    output = folder / "theirs"
    shutil.rmtree(output, ignore_errors=True)
    program = pathlib.Path(sys.executable).with_name("mergekit-yaml")
    options = ["--no-copy-tokenizer", "--out-shard-size", "100B", "--quiet"]
    return run([str(program), str(path), str(output), *options], log)


def difference(folder):
    """The largest difference between two results, and the share of values that differ by more than a millionth."""
    largest, apart, count = 0.0, 0, 0
    theirs = sorted((folder / "theirs").glob("*.safetensors"))
    with safe_open(folder / "ours" / "model.safetensors", "pt") as own:
        for path in theirs:
            with safe_open(path, "pt") as other:
                for name in other.keys():
                    distance = (own.get_tensor(name).float() - other.get_tensor(name).float()).abs()
                    largest = max(largest, distance.max().item())
                    apart += (distance > 1e-6).sum().item()
                    count += distance.numel()
    return largest, apart / count


def middle(values):
    return statistics.median(values)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alluvium", type=pathlib.Path, default=HERE / "../../target/release/alluvium")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    options = parser.parse_args()
    folder = options.folder.resolve()
    dtype = json.loads((folder / "base" / "config.json").read_text())["torch_dtype"]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ["mergekit", "torch", "transformers", "safetensors"]]
    print(f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, {', '.join(versions)}; {dtype}\n")
    print("| strategy | Alluvium s | mergekit s | Alluvium peak MB | mergekit peak MB | anonymous part, MB | largest difference |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for method in options.methods:
        rounds = []
        for number in range(options.rounds):
            with open(folder / "log.txt", "a") as log:
                sides = [lambda: ours(folder, method, options.alluvium, log), lambda: mergekit(folder, method, dtype, log)]
                measured = {side: sides[side]() for side in ((0, 1) if number % 2 == 0 else (1, 0))}
            rounds.append((measured[0], measured[1]))
            print(f"{method}, round {number + 1}: {measured}", file=sys.stderr, flush=True)
        largest, apart = difference(folder)
        own, other = ([middle(values) for values in zip(*side)] for side in zip(*rounds))
        print(
            f"| `{method}` | {own[0]:.1f} | {other[0]:.1f} | {own[1]:.0f} | {other[1]:.0f} | {own[2]:.0f} and {other[2]:.0f} "
            f"| {largest:.1e}, {100 * apart:.2g} % of values by more than 1e-6 |",
            flush=True,
        )


main()
