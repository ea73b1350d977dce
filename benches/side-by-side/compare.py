"""Alluvium beside PyTorch: both sides do the same work in turn, on the same cores; prints Markdown.

usage: python compare.py [steps] [quickstart] [--rounds 5] [--threads 1 2] [--cores 2] [--backbones NAME…]
                         [--backend cuda] [--precision mixed]

A ratio is Alluvium's seconds divided by PyTorch's in the same round: below 1, Alluvium is faster.
"""

import argparse
import os
import sys

import machine
import sides
from table import accuracy, heading, row, speed

BACKBONES = ["mlp", "small-cnn", "slim-resnet18", "ds-cnn"]


# How many cores other programs kept busy before each run.
disturbance = []


def alternate(rounds, name, *both):
    """What both sides give in each round. They take turns in going first, so that a drift favours neither."""
    pairs = []
    for number in range(rounds):
        print(f"{name}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        given = {}
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            disturbance.append(machine.busy_cores())
            given[side] = both[side]()
        pairs.append((given[0], given[1]))
        print(f"  {given[0]} beside {given[1]}", file=sys.stderr, flush=True)
    return pairs


def compare_steps(rounds, threads, backbones, compute):
    heading(["what", "backbone", "threads", "Alluvium s", "PyTorch s", "ratio", "min–max"], numbers=5)
    for backbone in backbones:
        for count in threads:
            pairs = alternate(
                rounds,
                f"{backbone}, threads: {count}",
                lambda: sides.alluvium_steps(count, backbone, compute),
                lambda: sides.pytorch_steps(count, backbone, compute),
            )
            for what in pairs[0][0]:
                seconds = [(ours[what], theirs[what]) for ours, theirs in pairs]
                row([what, backbone, str(count), *speed(seconds)])


def compare_quickstart(rounds, compute):
    both = (lambda: sides.alluvium_quickstart(compute), lambda: sides.pytorch_quickstart(compute))
    pairs = alternate(rounds, "quickstart", *both)
    columns = ["Alluvium s", "PyTorch s", "ratio", "min–max", "Alluvium peak MB", "PyTorch peak MB"]
    heading(["what", "backbone", *columns], numbers=6)
    memory = [f"{max(run.peak_mb for run in side):.0f}" for side in zip(*pairs)]
    seconds = [(ours.seconds, theirs.seconds) for ours, theirs in pairs]
    row(["quickstart", "small-cnn", *speed(seconds), *memory])
    print()
    heading(["task-aware ACC in %", "Alluvium", "PyTorch", "difference"], numbers=3)
    # The seeds are the same in every round, and so are the accuracies.
    ours, theirs = (run.accuracies for run in pairs[0])
    for name in ours:
        row([name, *accuracy(ours[name], theirs[name])])


def take_cores(count):
    """Keeps this process, and so both sides, on the same cores; how many there are."""
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="steps, quickstart; neither: both")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="of the steps")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=BACKBONES)
    parser.add_argument("--backend", choices=["flex", "cuda"], default="flex")
    parser.add_argument("--precision", choices=["full", "mixed"], default="full", help="with cuda")
    arguments = parser.parse_args()
    if arguments.precision == "mixed" and arguments.backend != "cuda":
        parser.error("--precision mixed goes with --backend cuda")
    compute = sides.Compute(arguments.backend, arguments.precision)
    if unknown := set(arguments.what) - {"steps", "quickstart"}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; accepted: steps, quickstart")
    for line in machine.described(take_cores(arguments.cores)):
        print(f"- {line}")
    if compute.backend == "cuda":
        print(f"- {machine.gpu()}; precision: {compute.precision}")
    what = arguments.what or ["steps", "quickstart"]
    if "steps" in what:
        print()
        compare_steps(arguments.rounds, arguments.threads, arguments.backbones, compute)
    if "quickstart" in what:
        print()
        compare_quickstart(arguments.rounds, compute)
    known = [cores for cores in disturbance if cores is not None]
    if known:
        print(f"\nOther programs kept at most {max(known):.2f} cores busy just before a run.")
