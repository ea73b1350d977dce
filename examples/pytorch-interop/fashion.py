"""Fashion-MNIST and the network: what the scripts beside it have in common."""

import gzip
import pathlib

import numpy as np
import torch
from torch import nn
from torchvision.models import resnet18

# The classes in the order of the labels, as `split-fashion-mnist` names them.
CLASSES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]
# What each expert learns.
HALVES = {"a": CLASSES[:5], "b": CLASSES[5:]}
# Mean and standard deviation of the training pixels, where 0 is black and 1 is white.
MEAN, STD = 0.2860, 0.3530
DATA = "/usr/share/datasets/fashion-mnist"


def network(classes):
    """torchvision's ResNet-18 on one channel."""
    model = resnet18(weights=None, num_classes=classes)
    model.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return model


def idx(folder, name):
    """The array in an IDX file, gzipped or not."""
    path = pathlib.Path(folder) / f"{name}-ubyte"
    raw = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">u4", dimensions, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def samples(folder, part):
    """The images of a part, `train` or `t10k`, `[samples, 1, 28, 28]` and normalised; and their labels."""
    images = torch.from_numpy(idx(folder, f"{part}-images-idx3").copy()).unsqueeze(1)
    labels = torch.from_numpy(idx(folder, f"{part}-labels-idx1").astype(np.int64))
    return (images.float() / 255 - MEAN) / STD, labels
