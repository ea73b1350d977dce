"""Outputs of PyTorch's networks for the fixtures that `check_fixture` in fixture.rs reads, and the writer of their format.

Each backbone's `tests/fixtures/generate.py` imports this file, builds its networks, and writes JSON files beside itself.
Weights and inputs are not stored: `fill` and the tensor's name say them, there and in the backbone's `pytorch.rs`.
"""

import json
import math
from pathlib import Path

import torch

# The number of stored values of each layer, evenly spaced over samples and outputs. The means are taken over all values.
STORED = 24


def numbers(name, count):
    """Numbers in [-1, 1) that follow from a name: FNV-1a of its bytes, stepped by the golden ratio, mixed as MurmurHash3
    does at its end."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = (seed + torch.arange(count, dtype=torch.int64) * 0x9E3779B9) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    x = x ^ (x >> 16)
    return x.double() / 2**31 - 1


def spread(name, shape, gain):
    """Middle and spread of a tensor's values: weights shrink with their fan-in, so that outputs stay of order 1."""
    if name.endswith("running_var"):
        return 1.0, 0.5
    if len(shape) > 1:
        return 0.0, math.sqrt(gain / math.prod(shape[1:]))
    return (1.0, 0.1) if name.endswith("weight") else (0.0, 0.1)


def filled(name, shape, fill):
    """A tensor's values, where `fill` gives middle and spread."""
    middle, width = fill(name, shape)
    values = middle + width * numbers(name, math.prod(shape))
    return values.float().reshape(tuple(shape))


def summary(values):
    values = values.reshape(-1)
    every = max(1, values.numel() // STORED)
    return {
        "mean": round(values.mean().item(), 7),
        "mean_square": round(values.square().mean().item(), 7),
        "every": every,
        "values": [round(value, 6) for value in values[::every].tolist()],
    }


def version(module):
    return f"{module.__name__} {module.__version__.split('+')[0]}"


def write(script, name, options, model, inputs, fill, layers, used=()):
    """Writes `NAME.json` beside the script: the outputs that `layers` gives for the model and inputs of that shape, the
    latents last. `options` is the `[backbone]` table; `used` are the modules beside torch that the network comes from."""
    state = model.state_dict()
    for key, tensor in state.items():
        if tensor.is_floating_point():
            tensor.copy_(filled(key, tensor.shape, fill))
    model = model.double().eval()
    with torch.no_grad():
        outputs = layers(model, filled("inputs", inputs, fill).double())
    versions = ", ".join(version(module) for module in [torch, *used])
    head = {"generator": f"generate.py, {versions}", "options": options, "inputs": inputs}
    lines = [f'"{key}": {json.dumps(value)}' for key, value in head.items()]
    tensors = [f'"{key}": {json.dumps(list(tensor.shape))}' for key, tensor in state.items()]
    lines.append('"tensors": {\n  ' + ",\n  ".join(tensors) + "\n }")
    lines.append('"layers": [\n  ' + ",\n  ".join(json.dumps(summary(output)) for output in outputs) + "\n ]")
    Path(script).resolve().with_name(f"{name}.json").write_text("{\n " + ",\n ".join(lines) + "\n}\n")
    print(name, [f"{output.abs().mean():.3f}, {(output[0] - output[1]).abs().mean():.3f}" for output in outputs])
