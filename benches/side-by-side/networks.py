"""The backbones, layer for layer as Alluvium's defaults, and a model of one backbone and a head for each task."""

import torch
import torch.nn.functional as F
from torch import nn


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 128), nn.ReLU())


def small_cnn(width=16, latent=64):
    def block(inputs, outputs, stride):
        return nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.GroupNorm(4, outputs), nn.ReLU()

    blocks = [*block(1, width, 2), *block(width, 2 * width, 2), *block(2 * width, 4 * width, 1)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(4 * width * 7 * 7, latent), nn.ReLU())


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut around them, each convolution with batch normalisation."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()

        def conv(inputs, size, stride):
            layer = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
            return nn.Sequential(layer, nn.BatchNorm2d(outputs))

        self.first, self.second = conv(inputs, 3, stride), conv(outputs, 3, 1)
        reshapes = stride != 1 or inputs != outputs
        self.shortcut = conv(inputs, 1, stride) if reshapes else nn.Identity()

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


def slim_resnet18(width=20):
    layers = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    inputs = width
    for outputs, stride in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
        layers += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def ds_cnn(width=64, blocks=4, strips=4):
    def layer(conv):
        return conv, nn.GroupNorm(4, width), nn.ReLU()

    layers = [*layer(nn.Conv2d(1, width, (4, 10), 2, padding=(1, 4)))]
    for _ in range(blocks):
        layers += layer(nn.Conv2d(width, width, 3, padding=1, groups=width))
        layers += layer(nn.Conv2d(width, width, 1))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d((strips, 1)), nn.Flatten())


# What builds the backbone, the size of its latent, and the shape of its inputs.
BACKBONES = {
    "mlp": (mlp, 128, (1, 28, 28)),
    "small-cnn": (small_cnn, 64, (1, 28, 28)),
    "slim-resnet18": (slim_resnet18, 160, (3, 32, 32)),
    "ds-cnn": (ds_cnn, 256, (1, 32, 51)),
}


class Model(nn.Module):
    """A backbone and the heads of the tasks that came so far."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone, self.heads = backbone, nn.ModuleDict()

    def forward(self, inputs):
        """The latents, and the logits of all heads side by side."""
        latents = self.backbone(inputs)
        return latents, self.logits(latents)

    def logits(self, latents):
        return torch.cat([head(latents) for head in self.heads.values()], dim=1)
