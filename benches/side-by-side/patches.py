"""Surrogate data: crops of one photo, of random scale and place, turned, mirrored and changed in tone.

The ranges are the defaults of `single-image`.
"""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image

PHOTO = Path(__file__).parents[2] / "plugins/surrogates/single-image/data/coffee.png"
LUMINANCE = np.array([[0.299], [0.587], [0.114]], np.float32)


def patches(count, shape, seed):
    """`[count, channels, height, width]` in −1…1."""
    random = np.random.default_rng(seed)
    photo = Image.open(PHOTO).convert("RGB")
    # A large crop is taken from a smaller copy of the photo, so that it is not aliased.
    levels = [photo, *(photo.reduce(2**level) for level in range(1, 5))]
    drawn = np.stack([patch(levels, shape, random) for _ in range(count)])
    return torch.from_numpy(2 * drawn - 1).permute(0, 3, 1, 2).contiguous()


def patch(levels, shape, random):
    """One patch, `[height, width, channels]` in 0…1."""
    values = np.asarray(crop(levels, shape[-1], random), np.float32) / 255
    values = values * random.uniform(0.6, 1.4, size=3).astype(np.float32)
    mean = values.mean()
    values = (mean + np.float32(random.uniform(0.6, 1.4)) * (values - mean)).clip(0, 1)
    if shape[0] == 1:
        values = values @ LUMINANCE
    values = values ** np.float32(1.5 ** random.uniform(-1, 1))
    return 1 - values if random.random() < 0.25 else values


def crop(levels, size, random):
    """A turned, perhaps mirrored square of the photo, sampled at `size` × `size` points."""
    width, height = levels[0].size
    angle = math.radians(random.uniform(-30, 30))
    sin, cos = math.sin(angle), math.cos(angle)
    turned = abs(sin) + cos  # the side of the box around the turned square, in sides of the square
    side = min(random.uniform(0.05, 0.6) * min(width, height), min(width, height) / turned)
    box = side * turned
    x, y = box / 2 + random.random() * (width - box), box / 2 + random.random() * (height - box)
    level = min(max(round(math.log2(side / size)), 0), len(levels) - 1)
    # From the patch's pixels to the level's: middle of the crop + matrix · (pixel − size / 2).
    step, x, y = side / size / 2**level, x / 2**level, y / 2**level
    flip = -1 if random.random() < 0.5 else 1
    a, b, d, e = flip * step * cos, -step * sin, flip * step * sin, step * cos
    half = size / 2
    affine = (a, b, x - (a + b) * half, d, e, y - (d + e) * half)
    return levels[level].transform((size, size), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
