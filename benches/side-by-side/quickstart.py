"""The comparison of examples/quickstart.toml: four strategies and two reference rows."""

import copy
import random
import statistics

import torch
from torch import nn

import glyphs
from learning import adapt, consolidate, evaluate, train
from networks import BACKBONES, Model
from patches import patches

BUILD, LATENT_SIZE, SHAPE = BACKBONES["small-cnn"]


def naive(previous, expert, name, _before):
    central = copy.deepcopy(previous)
    central.backbone, central.heads[name] = copy.deepcopy(expert[0]), copy.deepcopy(expert[1])
    return central


def weight_averaging(previous, expert, name, before):
    """`before`: how many experts came before this one."""
    central = copy.deepcopy(previous)
    central.heads[name] = copy.deepcopy(expert[1])
    with torch.no_grad():
        for mean, new in zip(central.backbone.parameters(), expert[0].parameters()):
            mean.mul_(before / (before + 1)).add_(new, alpha=1 / (before + 1))
    return central


def pld(surrogate, latent_weight):
    def strategy(previous, expert, name, before):
        if before == 0:
            return naive(previous, expert, name, before)  # the centre knows nothing yet that could be kept
        return consolidate(previous, expert, name, surrogate, latent_weight)

    return strategy


def device(backbone, task):
    return adapt(backbone, LATENT_SIZE, task.inputs, task.labels, len(task.classes))


def judge(model, tasks):
    """The accuracy on each task, task-aware and task-agnostic."""
    return [
        evaluate(model, task.name, task.test_inputs, task.test_labels, index * len(task.classes))
        for index, task in enumerate(tasks)
    ]


def judge_alone(expert, task):
    model = Model(expert[0])
    model.heads[task.name] = expert[1]
    return judge(model, [task])


def mean_aware(scores):
    return statistics.fmean(aware for aware, _ in scores)


def run_seed(images, seed):
    """The task-aware average accuracy of every row under one seed."""
    torch.manual_seed(seed)
    random.seed(seed)
    tasks, initial = glyphs.tasks(images, seed), BUILD()
    surrogate = patches(4000, SHAPE, seed).to(torch.get_default_device())
    from_initial = [device(initial, task) for task in tasks]
    strategies = {
        "naive": naive,
        "weight-averaging": weight_averaging,
        "pld": pld(surrogate, latent_weight=1.0),
        "pld-without-latent": pld(surrogate, latent_weight=0.0),
    }
    rows = {}
    for row, strategy in strategies.items():
        central = Model(initial)
        for index, task in enumerate(tasks):
            # The first device meets the initial weights under every strategy: it need not learn again.
            expert = device(central.backbone, task) if index else from_initial[0]
            judge_alone(expert, task)
            central = strategy(central, expert, task.name, index)
            scores = judge(central, tasks[: index + 1])
        rows[row] = mean_aware(scores)
    rows["devices-alone"] = mean_aware([judge_alone(expert, task)[0] for task, expert in zip(tasks, from_initial)])

    joint = Model(copy.deepcopy(initial))
    for task in tasks:
        joint.heads[task.name] = nn.Linear(LATENT_SIZE, len(task.classes))
    train(joint.backbone, [(task.inputs, task.labels, joint.heads[task.name]) for task in tasks], epochs=5)
    rows["joint"] = mean_aware(judge(joint, tasks))
    return rows


def quickstart(seeds):
    """Row, seed and accuracy, one after another."""
    images = glyphs.read()
    for seed in seeds:
        for row, accuracy in run_seed(images, seed).items():
            yield row, seed, accuracy
