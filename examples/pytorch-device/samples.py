"""Writes the samples of some devices into folders: letters of the glyphs, six classes a device.

Each folder has `images.npy` (bytes, `[samples, 1, 28, 28]`), `labels.npy` (the index of each sample's class) and `task.json`. The
classes and training samples are those of `split-glyphs` with `class_order = ["A", "B", …]`. Test samples stay with Alluvium.
"""

import argparse
import csv
import gzip
import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
GLYPHS = HERE.parents[1] / "plugins/streams/split-glyphs/data"
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--devices", default=4, type=int)
parser.add_argument("--classes", default=6, type=int, help="of each device")
parser.add_argument("--out", default=HERE / "devices", type=pathlib.Path)
options = parser.parse_args()
if options.devices * options.classes > len(CHARACTERS):
    parser.error(f"{options.devices} devices of {options.classes} classes; accepted: {len(CHARACTERS)} classes in all")

raw = gzip.decompress((GLYPHS / "glyphs.idx.gz").read_bytes())
glyphs = np.frombuffer(raw, np.uint8, offset=20).reshape(np.frombuffer(raw, ">u4", 4, 4))
with open(GLYPHS / "fonts.csv", newline="", encoding="utf-8") as table:
    train = np.array([font["split"] == "train" for font in csv.DictReader(table)])
for device in range(options.devices):
    first = device * options.classes
    images = glyphs[train, first : first + options.classes]
    labels = np.tile(np.arange(options.classes), len(images))
    folder = options.out / f"device-{device + 1}"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", images.reshape(-1, 1, 28, 28))
    np.save(folder / "labels.npy", labels)
    classes = [*CHARACTERS[first : first + options.classes]]
    task = {"task": f"task-{device + 1}", "classes": classes}
    (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
    print(f"{folder}: {len(labels)} samples of {' '.join(classes)}")
