"""A Flower app with a stream of many small tasks: each device has two classes of points, turned by an angle of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import alluvium as al
import numpy as np
from alluvium.flower import client_app, server_app

__all__ = ["Turned", "client_app", "server_app"]


@al.stream("turned-points", scenario="domain-shift")
class Turned(al.Stream):
    """Two clouds of points, turned by another angle for each device."""

    tasks_: int = 1000
    samples: int = 16

    def tasks(self, seed: int) -> Sequence[al.Task]:
        draws = np.random.default_rng(seed)
        made = []
        for number in range(self.tasks_):
            angle = 2 * math.pi * number / self.tasks_
            labels = np.arange(2 * self.samples) % 2
            centres = np.where(labels[:, None] == 0, -1.0, 1.0) * np.array([math.cos(angle), math.sin(angle)])
            points = (centres + 0.3 * draws.standard_normal((2 * self.samples, 2))).astype(np.float32)
            train, test = slice(0, self.samples), slice(self.samples, None)
            made.append(al.Task(f"device-{number}", (points[train], labels[train]), (points[test], labels[test]), [0, 1], "side"))
        return made
