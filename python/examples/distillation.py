"""A strategy that trains with PyTorch: double distillation on surrogate data, for perceptrons.

The new central model learns what the previous one says about its heads, and what the expert says about its own, on inputs that belong to
no device (deep model consolidation, Zhang et al., arXiv 1903.07864, eq. 3 and 4). `python distillation.py` compares it.
"""

from collections.abc import Mapping
from typing import Annotated

import torch
from torch.nn import functional

import alluvium as al

Tensors = dict[str, torch.Tensor]


def latents(tensors: Mapping[str, torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    """The latents of a perceptron: a chain of linear maps `[inputs, outputs]`, each followed by a ReLU."""
    layers = [name.removesuffix(".weight") for name in tensors if name.startswith("backbone.") and name.endswith(".weight")]
    flat = inputs.flatten(1)
    for layer in sorted(layers):
        flat = torch.relu(flat @ tensors[f"{layer}.weight"] + tensors[f"{layer}.bias"])
    return flat


def scores(tensors: Mapping[str, torch.Tensor], heads: tuple[al.Head, ...], inputs: torch.Tensor) -> list[torch.Tensor]:
    """The scores of each head, without their mean: distillation compares differences between classes."""
    found = latents(tensors, inputs)
    each = [found @ tensors[f"{head.prefix}weight"] + tensors[f"{head.prefix}bias"] for head in heads]
    return [score - score.mean(dim=1, keepdim=True) for score in each]


@al.strategy("distillation-in-torch", data="surrogate", paper="Zhang et al., arXiv 1903.07864")
class DistillationInTorch(al.Strategy):
    """Double distillation on surrogate data, with PyTorch. For perceptrons."""

    steps: Annotated[int, al.Range(1, 100_000), "Gradient steps of a consolidation."] = 200
    batch_size: Annotated[int, al.Range(1, 4096), "Surrogate inputs of a step."] = 64
    learning_rate: Annotated[float, al.Range(0, 1), "Adam's learning rate."] = 0.002

    def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Mapping[str, torch.Tensor]:
        own, theirs = previous.torch(), expert.torch()
        if not previous.heads:
            return theirs
        student: Tensors = {name: tensor.clone().requires_grad_() for name, tensor in {**theirs, **own}.items()}
        kept = tuple(head for head in previous.heads if head != expert.own_head)
        inputs = torch.from_numpy(context.surrogate())
        optimizer = torch.optim.Adam(student.values(), lr=self.learning_rate)
        for step in range(self.steps):
            batch = inputs[torch.randint(len(inputs), (self.batch_size,))]
            with torch.no_grad():
                wanted = scores(own, kept, batch) + scores(theirs, (expert.own_head,), batch)
            found = scores(student, (*kept, expert.own_head), batch)
            loss = torch.stack([functional.mse_loss(*pair) for pair in zip(found, wanted, strict=True)]).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            context.step(len(batch), step + 1, self.steps)
        return student


if __name__ == "__main__":
    al.testing.check_strategy("distillation-in-torch", steps=5)
    results = al.compare(
        {
            "name": "distillation-in-torch",
            "seeds": [0],
            "protocol": {"kind": "dcl"},
            "backend": {"kind": "flex"},
            "stream": {"kind": "split-glyphs", "tasks": 4, "classes_per_task": 6},
            "backbone": {"kind": "mlp", "layers": [64]},
            "device": {"epochs": 2},
            "surrogate": {"kind": "single-image", "patches": 2000},
            "strategies": [{"kind": "weight-averaging"}, {"kind": "distillation-in-torch"}, {"kind": "pld", "steps": 200}],
        }
    )
    print(results)
