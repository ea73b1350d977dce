"""Devices for the fixtures that `check_fixture` in fixture.rs reads, and the writer of their format.

Each strategy's `tests/fixtures/generate.py` imports this file, works out the central model after each device from its
paper's equations with numpy, in double precision and over all devices at once, and writes `devices.json` beside itself.
Nothing here knows the Rust code but the names of tensors and the layout of the file.
"""

import json
import re
from pathlib import Path

import numpy as np

SEED = 11
HEADS = ["a", "b", "a", "c"]  # the third device's head comes back
PREFIX = "backbone."


def is_statistic(name):
    return name.startswith(PREFIX + "norm.running_")


def exact(values):
    """Values of four decimals, as the 32-bit floats that the strategies are given."""
    return np.round(values, 4).astype(np.float32).astype(np.float64)


def devices():
    """The initial backbone, and the experts as (head, weights)."""
    random = np.random.default_rng(20240607)
    initial = {
        "backbone.conv.weight": random.normal(0, 0.4, (3, 2, 2, 2)),
        "backbone.layer.bias": np.zeros(3),
        "backbone.layer.weight": random.normal(0, 0.5, (4, 3)),
        "backbone.norm.gamma": np.ones(3),
        "backbone.norm.running_mean": np.zeros(3),
        "backbone.norm.running_var": np.ones(3),
    }
    # What the devices learn in common grows from one to the next, as the centre does between them.
    common = {name: random.normal(0, 0.15, value.shape) for name, value in initial.items()}
    experts = []
    for number, head in enumerate(HEADS):
        weights = {}
        for name, value in initial.items():
            own = random.normal(0, 0.25, value.shape)
            step = 0.01 if name.endswith("gamma") else 1.0  # gains stay nearly colinear
            weights[name] = value + step * (own + (number + 1) / 2 * common[name])
        weights["backbone.norm.running_var"] = random.uniform(0.05, 0.6, 3)
        weights[f"heads.{head}.weight"] = random.normal(0, 0.5, (3, 2))
        weights[f"heads.{head}.bias"] = random.normal(0, 0.1, 2)
        experts.append((head, {name: exact(value) for name, value in weights.items()}))
    return {name: exact(value) for name, value in initial.items()}, experts


def parameters(weights):
    """The backbone's tensors without the running statistics of a normalisation."""
    return {name: value for name, value in weights.items() if name.startswith(PREFIX) and not is_statistic(name)}


def centres(initial, experts, merge):
    """The central models, where `merge` gives the parameters after all the devices.

    `merge(base, experts, previous)` is called after each device with the parameters of the base, of the experts so far
    and of the central models so far. Running statistics are the mean over the experts so far, a head the mean over the
    experts so far that had it.
    """
    made = []
    for count in range(1, len(experts) + 1):
        seen = experts[:count]
        before = [parameters(weights) for weights in [initial, *made]]
        weights = dict(merge(parameters(initial), [parameters(weights) for _, weights in seen], before))
        for name in initial:
            if is_statistic(name):
                weights[name] = np.mean([weights_[name] for _, weights_ in seen], axis=0)
        for head in sorted({head for head, _ in seen}):
            for part in ["weight", "bias"]:
                name = f"heads.{head}.{part}"
                weights[name] = np.mean([weights_[name] for own, weights_ in seen if own == head], axis=0)
        made.append(weights)
    return made


def _tensors(weights):
    return {
        name: {"shape": list(np.shape(value)), "values": [float(f"{x:.7g}") for x in np.ravel(value)]}
        for name, value in sorted(weights.items())
    }


def _sent(head, weights, statistics, samples):
    sent = {"head": head, "weights": _tensors(weights)}
    if samples is not None:
        sent["samples"] = samples
    if statistics:
        sent["statistics"] = {name: _tensors(tensors) for name, tensors in statistics.items()}
    return sent


def _case(options, centre, rounds=None):
    case = {"options": options, "centres": [_tensors(made) for made in centre]}
    return case if rounds is None else {**case, "rounds": rounds}


def write(script, cases, statistics=None, samples=None):
    """Writes `devices.json` beside the script: cases are (options, central models), or (options, central models, rounds).

    With rounds, numbers of experts, the central models are those after each round. `statistics` has what each expert
    carries: tensors by name, by the statistic's name; `samples` how many samples each device has.
    """
    script = Path(script).resolve()
    root = Path(__file__).resolve().parents[4]
    initial, experts = devices()
    carried = statistics or [{}] * len(experts)
    fixture = {
        "generator": str(script.relative_to(root)),
        "seed": SEED,
        "initial": _tensors(initial),
        "experts": [
            _sent(head, weights, carried, count)
            for (head, weights), carried, count in zip(experts, carried, samples or [None] * len(experts))
        ],
        "cases": [_case(*case) for case in cases],
    }
    text = json.dumps(fixture, indent=1)
    one_tensor_a_line = re.sub(r'\{\s*"shape"[^{}]*\}', lambda found: " ".join(found.group().split()), text)
    script.with_name("devices.json").write_text(one_tensor_a_line + "\n")
