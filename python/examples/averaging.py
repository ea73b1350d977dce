"""A strategy in Python: the running mean of all experts. `python averaging.py` compares it with the one in Rust."""

from collections.abc import Mapping

import numpy as np

import alluvium as al


@al.strategy("my-averaging")
class MyAveraging(al.Strategy):
    """The running mean of all experts' backbones; each task keeps its head."""

    def __post_init__(self) -> None:
        self.experts = 0

    def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Mapping[str, np.ndarray]:
        kept = np.float32(self.experts / (self.experts + 1))
        central = {**expert, **previous}
        for name in previous.backbone():
            central[name] = kept * previous[name] + (np.float32(1) - kept) * expert[name]
        self.experts += 1
        return central


if __name__ == "__main__":
    al.testing.check_strategy("my-averaging")
    results = al.compare(
        {
            "name": "my-averaging",
            "seeds": [0],
            "protocol": {"kind": "dcl"},
            "backend": {"kind": "flex"},
            "stream": {"kind": "split-glyphs", "tasks": 4, "classes_per_task": 6},
            "backbone": {"kind": "mlp", "layers": [64]},
            "device": {"epochs": 2},
            "strategies": [{"kind": "weight-averaging"}, {"kind": "my-averaging"}],
        }
    )
    print(results)
