"""Devices that train a module of PyTorch, on a stream of datasets of PyTorch. `python torch_device.py` runs them."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.utils.data import TensorDataset

import alluvium as al

CLASSES = 6


class Perceptron(nn.Module):
    """One hidden layer, and a head."""

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(torch.relu(self.hidden(inputs.flatten(1))))
        return scores


@al.stream("points")
class Points(al.Stream):
    """Points around one centre for each class, two classes a device."""

    samples: int = 60

    def tasks(self, seed: int) -> Sequence[al.Task]:
        centres = 2 * torch.randn(CLASSES, 8)

        def points(classes: Sequence[int], samples: int) -> TensorDataset:
            labels = torch.tensor(classes).repeat_interleave(samples)
            return TensorDataset(centres[labels] + torch.randn(len(labels), 8), labels)

        pairs = [(first, first + 1) for first in range(0, CLASSES, 2)]
        return [al.Task(f"classes {a} and {b}", points((a, b), self.samples), points((a, b), 20)) for a, b in pairs]


@al.device("torch-module")
class TorchModule(al.Device):
    """Trains a perceptron with PyTorch's SGD."""

    epochs: int = 5
    learning_rate: float = 0.05

    def adapt(self, model: al.Model, task: al.DeviceTask, context: al.DeviceContext) -> Mapping[str, torch.Tensor]:
        tensors = model.torch()
        # PyTorch keeps a linear map as [outputs, inputs], and Alluvium as [inputs, outputs]: a turned view, which is copied when it is
        # loaded.
        names = {
            "hidden.weight": "backbone.layers.0.weight",
            "hidden.bias": "backbone.layers.0.bias",
            "head.weight": f"heads.{task.head}.weight",
            "head.bias": f"heads.{task.head}.bias",
        }
        inputs, targets = torch.from_numpy(task.samples.inputs), torch.from_numpy(task.samples.targets)
        module = Perceptron(inputs[0].numel(), len(tensors["backbone.layers.0.bias"]), len(task.classes))
        module.load_state_dict({own: tensors[name].t() for own, name in names.items()}, strict=True)
        optimizer = torch.optim.SGD(module.parameters(), lr=self.learning_rate, momentum=0.9)
        for epoch in range(self.epochs):
            order = torch.randperm(len(inputs))
            for begin in range(0, len(inputs), 16):
                batch = order[begin : begin + 16]
                optimizer.zero_grad()
                nn.functional.cross_entropy(module(inputs[batch]), targets[batch]).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            context.step(epoch + 1, self.epochs)
        state = module.state_dict()
        return {name: state[own].t() for own, name in names.items()}


if __name__ == "__main__":
    al.testing.check_stream("points")
    results = al.compare(
        {
            "name": "torch-devices",
            "seeds": [0, 1],
            "protocol": {"kind": "dcl"},
            "backend": {"kind": "flex"},
            "references": [],
            "stream": {"kind": "points"},
            "backbone": {"kind": "mlp", "layers": [32]},
            "device": {"kind": "torch-module"},
            "strategies": [{"kind": "naive"}, {"kind": "weight-averaging"}, {"kind": "ensemble"}],
        }
    )
    print(results)
