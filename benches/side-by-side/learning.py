"""The work of a device, of the centre and of the evaluator, written for PyTorch."""

import copy
import random

import torch
import torch.nn.functional as F
from torch import nn


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.001)


def train(backbone, datasets, epochs, optimiser=sgd):
    """Supervised learning. `datasets` are (inputs, labels, head); each batch comes from one of them, in random order."""
    parameters = [*backbone.parameters(), *(p for *_, head in datasets for p in head.parameters())]
    optimiser = optimiser(parameters)
    backbone.train()
    for _ in range(epochs):
        batches = [(dataset, indices) for dataset in datasets for indices in torch.randperm(len(dataset[0])).split(32)]
        random.shuffle(batches)
        for (inputs, labels, head), indices in batches:
            loss = F.cross_entropy(head(backbone(inputs[indices])), labels[indices])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def adapt(backbone, latent_size, inputs, labels, classes, epochs=5, optimiser=sgd):
    """A device: takes the central backbone, and returns its own backbone and head."""
    backbone, head = copy.deepcopy(backbone), nn.Linear(latent_size, classes)
    train(backbone, [(inputs, labels, head)], epochs, optimiser)
    return backbone, head


@torch.no_grad()
def targets(previous, expert, patches):
    """The teachers' outputs for all patches: their logits minus each sample's mean, and their latents."""
    previous.eval()
    backbone, head = expert
    backbone.eval()
    said = []
    for batch in patches.split(500):
        (old_latents, old), new_latents = previous(batch), backbone(batch)
        new = head(new_latents)
        said.append((old - old.mean(1, keepdim=True), new - new.mean(1, keepdim=True), old_latents, new_latents))
    return [torch.cat(parts) for parts in zip(*said)]


def consolidate(previous, expert, name, patches, latent_weight=1.0, steps=400):
    """PLD: a student that starts as the expert is distilled from the previous central model and the expert at once.

    The teachers see the patches once, before the first step.
    """
    old, new, old_latents, new_latents = targets(previous, expert, patches)
    student = copy.deepcopy(previous)
    student.backbone = copy.deepcopy(expert[0])
    student.heads[name] = copy.deepcopy(expert[1])
    student.eval()  # batch normalisation keeps its running statistics
    to_previous, to_expert = (nn.Linear(old_latents.shape[1], old_latents.shape[1]) for _ in range(2))
    for projection in (to_previous, to_expert):
        nn.init.eye_(projection.weight)
        nn.init.zeros_(projection.bias)
    parameters = [*student.parameters()]
    if latent_weight > 0:
        parameters += [*to_previous.parameters(), *to_expert.parameters()]
    optimiser = torch.optim.SGD(parameters, lr=0.02, momentum=0.9)
    size = min(64, len(patches))
    waiting = []
    for _ in range(steps):
        if not waiting:
            waiting = [indices for indices in torch.randperm(len(patches)).split(size) if len(indices) == size]
        indices = waiting.pop()
        latents, logits = student(patches[indices])
        loss = F.mse_loss(logits[:, : old.shape[1]], old[indices]) + F.mse_loss(logits[:, old.shape[1] :], new[indices])
        if latent_weight > 0:
            latent_loss = F.mse_loss(to_previous(latents), old_latents[indices])
            loss = loss + latent_weight * (latent_loss + F.mse_loss(to_expert(latents), new_latents[indices]))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
    return student


@torch.no_grad()
def evaluate(model, name, inputs, labels, first_logit):
    """The accuracy with the task known, and with it unknown: then all heads compete.

    `first_logit` is the index of the first logit of the task's head among all logits.
    """
    model.eval()
    latents = torch.cat([model.backbone(batch) for batch in inputs.split(500)])
    aware = model.heads[name](latents).argmax(1) == labels
    agnostic = model.logits(latents).argmax(1) == labels + first_logit
    return aware.float().mean().item(), agnostic.float().mean().item()
