"""A device in PyTorch: describes its task (`describe`), or adapts the central model to its samples (`adapt`).

It works in the current folder, which holds `request.json` and, for `adapt`, `central.safetensors`: an `mlp`, with tensors
`backbone.layers.N.weight` [inputs, outputs] and `backbone.layers.N.bias`, and heads of other devices. It leaves
`description.json`, or `expert.safetensors` and `expert.json`.
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file

here = pathlib.Path.cwd()
request = json.loads((here / "request.json").read_text(encoding="utf-8"))
samples = pathlib.Path(request["samples"])
task = json.loads((samples / "task.json").read_text(encoding="utf-8"))
images, labels = np.load(samples / "images.npy"), np.load(samples / "labels.npy")
digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
described = {"task": task["task"], "classes": task["classes"], "samples": len(labels), "digest": digest}


def adapt(settings, seed):
    random = torch.Generator().manual_seed(seed % 2**63)
    head = f"heads.{request.get('head', task['task'])}"
    central = load_file(here / "central.safetensors")
    weights = {name: value for name, value in central.items() if name.startswith(("backbone.", f"{head}."))}
    layers = sum(name.endswith(".weight") for name in weights if name.startswith("backbone."))
    if f"{head}.weight" not in weights:
        latents = len(weights[f"backbone.layers.{layers - 1}.bias"])
        bound = latents**-0.5
        weights[f"{head}.weight"] = (torch.rand(latents, len(task["classes"]), generator=random) * 2 - 1) * bound
        weights[f"{head}.bias"] = torch.zeros(len(task["classes"]))
    weights = {name: value.clone().requires_grad_() for name, value in weights.items()}
    # 0 to 255 as −1 to 1, as Alluvium's streams give them.
    inputs, targets = torch.from_numpy(images).flatten(1).float() / 127.5 - 1, torch.from_numpy(labels)
    rate, momentum = settings.get("learning_rate", 0.01), settings.get("momentum", 0.9)
    optimiser, steps = torch.optim.SGD(weights.values(), lr=rate, momentum=momentum), 0
    for _ in range(settings.get("epochs", 5)):
        for batch in torch.randperm(len(targets), generator=random).split(settings.get("batch_size", 32)):
            x = inputs[batch]
            for layer in range(layers):
                x = (x @ weights[f"backbone.layers.{layer}.weight"] + weights[f"backbone.layers.{layer}.bias"]).relu()
            logits = x @ weights[f"{head}.weight"] + weights[f"{head}.bias"]
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(logits, targets[batch]).backward()
            optimiser.step()
            steps += 1
    save_file({name: value.detach() for name, value in weights.items()}, here / "expert.safetensors")
    return {**described, "parent": request.get("parent"), "steps": steps}


match sys.argv[1:]:
    case ["describe"]:
        (here / "description.json").write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
    case ["adapt"]:
        expert = adapt(request.get("settings", {}), request.get("seed", 0))
        (here / "expert.json").write_text(json.dumps(expert, ensure_ascii=False), encoding="utf-8")
    case other:
        sys.exit(f"adapt.py: {' '.join(other) or 'nothing'} is not an act; accepted: describe, or adapt")
