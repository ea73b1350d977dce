"""What the first notebook does for four of its eight strategies, in plain PyTorch: for comparison, in lines and in time.

Run it in the folder with the checkpoints that the notebook wrote: `python plain_pytorch.py`.
"""

import time

import numpy as np
import torch
from scipy import stats
from sklearn.datasets import load_digits

TASKS = [[2, 3], [4, 5], [6, 7], [8, 9]]
BACKBONE = ["1.weight", "1.bias"]

began = time.perf_counter()
digits = load_digits()
x, y = torch.tensor(digits.images / 16, dtype=torch.float32), torch.tensor(digits.target)
is_test = torch.arange(len(y)) % 4 == 0
base = torch.load("base.pt")
experts = [torch.load(f"expert-{number}.pt") for number in range(4)]


def backbone(state):
    return {name: state[name].double() for name in BACKBONE}


class Naive:
    def add(self, expert):
        return expert


class Averaging:
    def __init__(self):
        self.count, self.central = 0, None

    def add(self, expert):
        if self.count == 0:
            self.central = expert
        else:
            kept = self.count / (self.count + 1)
            self.central = {name: kept * self.central[name] + (1 - kept) * expert[name] for name in BACKBONE}
        self.count += 1
        return self.central


class TaskArithmetic:
    def __init__(self, scaling=0.4):
        self.scaling, self.central = scaling, backbone(base)

    def add(self, expert):
        start = backbone(base)
        self.central = {name: self.central[name] + self.scaling * (expert[name] - start[name]) for name in BACKBONE}
        return self.central


class Ties:
    def __init__(self, density=0.2, scaling=1.0):
        self.density, self.scaling, self.vectors = density, scaling, []

    def add(self, expert):
        start = backbone(base)
        vector = torch.cat([(expert[name] - start[name]).flatten() for name in BACKBONE])
        kept = max(1, round(self.density * len(vector)))
        smallest = vector.abs().sort(descending=True).values[kept - 1]
        self.vectors.append(torch.where(vector.abs() >= smallest, vector, torch.zeros_like(vector)))
        stacked = torch.stack(self.vectors)
        sign = stacked.sum(0).sign()
        agree = (stacked.sign() == sign) & (sign != 0)
        merged = torch.where(agree, stacked, torch.zeros_like(stacked)).sum(0) / agree.sum(0).clamp(min=1)
        central, at = {}, 0
        for name in BACKBONE:
            size = start[name].numel()
            central[name] = start[name] + self.scaling * merged[at : at + size].view_as(start[name])
            at += size
        return central


def accuracies(central, met):
    """The accuracy on each task met so far: its head alone, and all heads together."""
    aware, agnostic = [], []
    for task in met:
        of_task = torch.isin(y, torch.tensor(TASKS[task])) & is_test
        inputs, labels = x[of_task].flatten(1), y[of_task]
        latents = torch.relu(inputs @ central["1.weight"].float().T + central["1.bias"].float())
        scores = {other: latents @ experts[other]["3.weight"].T + experts[other]["3.bias"] for other in met}
        own = torch.tensor(TASKS[task])[scores[task].argmax(1)]
        every = torch.tensor([c for other in met for c in TASKS[other]])[torch.cat([scores[other] for other in met], 1).argmax(1)]
        aware.append((own == labels).float().mean().item())
        agnostic.append((every == labels).float().mean().item())
    return aware, agnostic


found = {}
for strategy in (Naive, Averaging, TaskArithmetic, Ties):
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(4).tolist()
        running, matrices = strategy(), ([], [])
        for place, task in enumerate(order):
            central = running.add(backbone(experts[task]))
            for matrix, row in zip(matrices, accuracies(central, order[: place + 1])):
                matrix.append(row)
        found.setdefault(strategy.__name__, []).append([np.mean(matrix[-1]) for matrix in matrices])

half = stats.t.ppf(0.975, 2) / np.sqrt(3)
baseline = np.array(found["Averaging"])
for name, cells in found.items():
    cells = np.array(cells)
    difference = cells - baseline
    line = [f"{100 * cells[:, k].mean():6.1f} ± {100 * half * cells[:, k].std(ddof=1):4.1f}   "
            f"Δ {100 * difference[:, k].mean():+6.1f} ± {100 * half * difference[:, k].std(ddof=1):4.1f}" for k in (0, 1)]
    print(f"{name:15} {line[0]}   {line[1]}")
print(f"{time.perf_counter() - began:.2f} s")
