"""The PyTorch side: the same work as Alluvium's, written as a researcher would write it.

usage: python peer.py steps [--threads N] [--backbones NAME…]    one device epoch, one consolidation, one evaluation
       python peer.py quickstart [--threads N] [--seeds N…]      the comparison of examples/quickstart.toml

Prints CSV. Without --threads PyTorch chooses. --device cuda computes on the first NVIDIA GPU, --precision mixed under autocast
to bfloat16.
"""

import argparse
import contextlib
import resource
import statistics
import sys
import time
from collections import defaultdict

import torch

from networks import BACKBONES
from quickstart import quickstart
from steps import steps


def print_steps(backbones):
    print("what,backbone,seconds")
    for backbone in backbones:
        for what, seconds in steps(backbone):
            print(f"{what},{backbone},{seconds:.6f}", flush=True)


def print_quickstart(seeds):
    started = time.perf_counter()
    accuracy = defaultdict(list)
    print("what,seed,value")
    for row, seed, value in quickstart(seeds):
        accuracy[row].append(value)
        print(f"{row},{seed},{value:.6f}", flush=True)
    for row, values in accuracy.items():
        print(f"{row},mean,{statistics.fmean(values):.6f}")
    print(f"seconds,,{time.perf_counter() - started:.3f}")
    # Kilobytes, but on macOS, where they are bytes.
    unit = 1024**2 if sys.platform == "darwin" else 1024
    print(f"peak-mb,,{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["steps", "quickstart"])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--backbones", nargs="+", choices=list(BACKBONES), default=list(BACKBONES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["full", "mixed"], default="full")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.set_default_device(arguments.device)
    # As burn does in full precision: factors on tensor cores are rounded to TF32.
    torch.set_float32_matmul_precision("high")
    mixed = torch.autocast(arguments.device, torch.bfloat16)
    with mixed if arguments.precision == "mixed" else contextlib.nullcontext():
        if arguments.what == "steps":
            print_steps(arguments.backbones)
        else:
            print_quickstart(arguments.seeds)
