"""A strategy in Python that averages, as `weight-averaging` does in Rust."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import alluvium as al


@al.strategy("averaging-in-python")
class Averaging(al.Strategy):
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
