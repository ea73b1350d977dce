"""Makes the photographs in this folder from the panoramas of the npm package @pmndrs/assets; README.md says how to run it."""

import base64
import sys
import tempfile
from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image

NAMES = "city dawn esplanade forest lab lobby park sunrise sunset venice warehouse workshop".split()
# Above and below these rows of 256, a panorama is stretched and has little detail.
ROWS = slice(52, 204)
SIZE = (432, 128)


def panorama(module: Path) -> np.ndarray:
    """The linear light of a panorama: rows, columns, red, green and blue."""
    data = module.read_text().split("base64,")[1].split("'")[0]
    with tempfile.NamedTemporaryFile(suffix=".exr") as file:
        file.write(base64.b64decode(data))
        file.flush()
        with OpenEXR.File(file.name) as exr:
            return exr.channels()["RGB"].pixels.astype(np.float32)


def developed(light: np.ndarray) -> Image.Image:
    """The picture: the mean of the log luminance becomes middle grey, and bright light is compressed (Reinhard)."""
    luminance = light @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    light = light * (0.18 / np.exp(np.log(luminance.clip(1e-4)).mean()))
    # In blocks with a lamp or the sun, the compression of the panoramas left dark pixels around the light: make them white.
    blocks = light.reshape(32, 8, 64, 8, 3)
    lamps = blocks.max(axis=(1, 3, 4), keepdims=True) > 10
    light = np.where(lamps & (blocks.min(axis=4, keepdims=True) < 0.01), np.inf, blocks).reshape(light.shape)
    light = light.clip(1e-9)
    display = (1 / (1 / light + 1) / 0.8).clip(0, 1) ** (1 / 2.2)
    picture = Image.fromarray((display[ROWS] * 255).round().astype(np.uint8))
    return picture.resize(SIZE, Image.Resampling.LANCZOS)


for name in NAMES:
    picture = developed(panorama(Path(sys.argv[1]) / f"{name}.exr.js"))
    # 255 colours each keep the files small.
    picture = picture.quantize(255, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    picture.save(Path(__file__).parent / f"{name}.png", optimize=True)
