"""One device epoch, one consolidation and one evaluation, each on its own."""

import json
import statistics
import time
from pathlib import Path

import torch
from torch import nn

from learning import adam, adapt, consolidate, evaluate
from networks import BACKBONES, Model
from patches import patches

# How much of everything: the Rust side reads the same file.
WORK = json.loads((Path(__file__).parent / "work.json").read_text())


def finish():
    """Waits for what a GPU still has to do."""
    if torch.get_default_device().type == "cuda":
        torch.cuda.synchronize()


def timed(repeats, run):
    """The median seconds, and what the last run gives. The first run is not timed: it fills caches."""
    result, seconds = run(), []
    finish()
    for _ in range(repeats):
        started = time.perf_counter()
        result = run()
        finish()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), result


def images(count, shape):
    """Random images of six classes."""
    return torch.randint(0, 256, (count, *shape)) / 127.5 - 1, torch.arange(count) % 6


def steps(backbone):
    """What was timed, with its seconds, one after another. The centre has ten heads of six classes each."""
    build, latent_size, shape = BACKBONES[backbone]
    work = WORK[backbone]
    repeats = work["repeats"]
    central = Model(build())
    for number in range(10):
        central.heads[f"old-{number}"] = nn.Linear(latent_size, 6)

    inputs, labels = images(work["samples"], shape)
    seconds, expert = timed(repeats, lambda: adapt(central.backbone, latent_size, inputs, labels, 6, epochs=1))
    yield "device-epoch", seconds
    seconds, _ = timed(repeats, lambda: adapt(central.backbone, latent_size, inputs, labels, 6, epochs=1, optimiser=adam))
    yield "device-epoch-adam", seconds

    surrogate = patches(work["patches"], shape, seed=0).to(torch.get_default_device())
    seconds, student = timed(repeats, lambda: consolidate(central, expert, "new", surrogate, steps=work["steps"]))
    yield "consolidation", seconds

    tests, labels = images(work["tests"], shape)
    seconds, _ = timed(repeats, lambda: evaluate(student, "new", tests, labels, 60))
    yield "evaluation", seconds
