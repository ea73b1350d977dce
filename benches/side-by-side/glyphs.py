"""Split Glyphs as in the quickstart: 10 tasks × 6 characters, tested on font families that no device had."""

import csv
import gzip
from collections import namedtuple
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).parents[2] / "plugins/streams/split-glyphs/data"

# `labels` and `test_labels` are class indices within the task's own head; `classes` are the characters of these classes.
Task = namedtuple("Task", "name classes inputs labels test_inputs test_labels")


def read():
    """The images, `[fonts, characters, 1, 28, 28]` in −1…1, and which fonts are for testing."""
    with gzip.open(DATA / "glyphs.idx.gz") as file:
        content = file.read()
    shape = np.frombuffer(content, ">u4", count=4, offset=4)
    pixels = np.frombuffer(content, np.uint8, offset=20).reshape(shape)
    with open(DATA / "fonts.csv", newline="", encoding="utf-8") as file:
        is_test = [row["split"] == "test" for row in csv.DictReader(file)]
    images = torch.from_numpy(pixels / np.float32(127.5) - 1).unsqueeze(2)
    return images.to(torch.get_default_device()), torch.tensor(is_test)


def tasks(glyphs, seed, count=10, classes_per_task=6):
    """The stream under one seed: every task has characters of its own."""
    images, is_test = glyphs
    # On the processor wherever the rest is, so that a seed means the same stream.
    order = torch.randperm(images.shape[1], generator=torch.Generator().manual_seed(seed), device="cpu")

    def task(number, classes):
        train, test = images[~is_test][:, classes], images[is_test][:, classes]
        class_indices = torch.arange(len(classes))
        return Task(
            f"task-{number + 1}",
            classes,
            train.flatten(0, 1),
            class_indices.repeat(len(train)),
            test.flatten(0, 1),
            class_indices.repeat(len(test)),
        )

    parts = order.split(classes_per_task)[:count]
    return [task(number, classes) for number, classes in enumerate(parts)]
