"""A strategy whose devices send a statistic of their samples: Fisher merging, with PyTorch. `python fisher.py` compares it.

Each weight is averaged over all experts, weighted by how much the experts' answers depend on it (Matena & Raffel, arXiv 2111.09832, eq. 4).
The device computes that, because only it has the samples. For perceptrons.
"""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from distillation import latents
from torch.func import grad, vmap
from torch.nn.functional import log_softmax

import alluvium as al


@al.strategy(
    "fisher-in-torch",
    tells="how much the log-probabilities of its samples' classes depend on each weight",
    paper="Matena & Raffel, arXiv 2111.09832",
)
class FisherInTorch(al.Strategy):
    """Averages each weight over all experts by its Fisher information; each task keeps its head."""

    floor: Annotated[float, al.Range(0, 1), "The smallest Fisher information that a weight counts with."] = 1e-8

    def __post_init__(self) -> None:
        self.fisher: dict[str, np.ndarray] = {}
        self.weighted: dict[str, np.ndarray] = {}

    def statistic(
        self, taken: al.Model, adapted: al.Model, samples: al.Samples, generator: np.random.Generator
    ) -> Mapping[str, torch.Tensor]:
        """The mean over the samples of the squared gradient of log p(y|x), for each weight of the backbone."""
        weights = adapted.torch()
        head = {name: weights.pop(name) for name in adapted.head(adapted.heads[0].name)}
        matrix, bias = (head[adapted.heads[0].prefix + name] for name in ("weight", "bias"))

        def log_likelihood(backbone: dict[str, torch.Tensor], one: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            log = log_softmax(latents(backbone, one[None]) @ matrix + bias, dim=1)
            return log[0].gather(0, target)

        inputs, targets = torch.from_numpy(samples.inputs), torch.from_numpy(samples.targets)
        gradients = vmap(grad(log_likelihood), (None, 0, 0))(weights, inputs, targets)
        return {name: gradient.square().mean(0) for name, gradient in gradients.items()}

    def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Mapping[str, np.ndarray]:
        central = {**expert, **previous}
        for name, values in expert.backbone().items():
            fisher = np.maximum(expert.statistic[name], np.float32(self.floor))
            self.fisher[name] = self.fisher.get(name, 0) + fisher
            self.weighted[name] = self.weighted.get(name, 0) + fisher * values
            central[name] = self.weighted[name] / self.fisher[name]
        return central


if __name__ == "__main__":
    al.testing.check_strategy("fisher-in-torch")
    results = al.compare(
        {
            "name": "fisher-in-torch",
            "seeds": [0],
            "protocol": {"kind": "dcl"},
            "backend": {"kind": "flex"},
            "stream": {"kind": "split-glyphs", "tasks": 4, "classes_per_task": 6},
            "backbone": {"kind": "mlp", "layers": [64]},
            "device": {"epochs": 2},
            "strategies": [{"kind": "weight-averaging"}, {"kind": "fisher-in-torch"}, {"kind": "fisher-merging"}],
        }
    )
    print(results)
