"""Loads what Alluvium wrote back into PyTorch, and compares the accuracies there with Alluvium's own.

Exits with 1 where two of them differ by more than 0.001.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from consolidate import ROOT
from fashion import CLASSES, DATA, HALVES, network, samples

TOLERANCE = 1e-3


def in_pytorch(file, images, labels):
    """Task-aware and task-agnostic accuracy on each half of the classes."""
    with safe_open(file, "pt") as opened:
        heads = json.loads(opened.metadata()["alluvium.model"])["heads"]
    rows = [CLASSES.index(name) for head in heads for name in head["classes"]]
    model = network(len(rows))
    model.load_state_dict(load_file(file), strict=True)
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(batch) for batch in images.split(500)])
    classes = torch.tensor(rows)
    accuracies = []
    for half in HALVES.values():
        own = torch.tensor([CLASSES.index(name) for name in half])
        chosen = torch.isin(labels, own)
        of_task = torch.isin(classes, own).nonzero().squeeze(1)
        best = {
            "task_aware": classes[of_task][logits[chosen][:, of_task].argmax(1)],
            "task_agnostic": classes[logits[chosen].argmax(1)],
        }
        accuracies.append({key: (found == labels[chosen]).double().mean().item() for key, found in best.items()})
    return accuracies


def in_alluvium(alluvium, file, folder):
    """The same, judged by `alluvium evaluate`."""
    order = ", ".join(f'"{name}"' for name in CLASSES)
    half = len(CLASSES) // 2
    stream = (
        f'{{ kind = "split-fashion-mnist", directory = "{folder}", tasks = 2, classes_per_task = {half}, '
        f"class_order = [{order}] }}"
    )
    command = [alluvium, "evaluate", file, "--stream", stream, "--json"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(printed)["scores"]["tasks"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alluvium", default=ROOT / "target/release/alluvium", help="the binary")
    parser.add_argument("--data", default=DATA, help="the folder with the four IDX files")
    parser.add_argument("--models", default="consolidated", type=pathlib.Path)
    options = parser.parse_args()
    files = sorted(options.models.glob("*.safetensors"))
    if not files:
        sys.exit(f"{options.models} holds no model; consolidate.py makes some")

    images, labels = samples(options.data, "t10k")
    worst = 0.0
    print(f"{'strategy':18} {'half':4} {'':14} {'PyTorch':>9} {'Alluvium':>9} {'difference':>11}")
    for file in files:
        pairs = zip(HALVES, in_pytorch(file, images, labels), in_alluvium(options.alluvium, file, options.data))
        for half, theirs, ours in pairs:
            for key in ["task_aware", "task_agnostic"]:
                difference = abs(theirs[key] - ours[key])
                worst = max(worst, difference)
                print(f"{file.stem:18} {half:4} {key:14} {theirs[key]:9.4f} {ours[key]:9.4f} {difference:11.6f}", flush=True)
    print(f"largest difference: {worst:.6f}; accepted: {TOLERANCE}")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
