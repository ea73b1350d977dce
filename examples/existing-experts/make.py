"""Trains a ResNet-18 and six experts that start from it, and writes them as PyTorch does, with their accuracies.

The first network learns classes that no expert has. Each expert is that network, fine-tuned on its own classes: three on
classes of Fashion-MNIST, three on classes of the glyphs. `expert-1.pt` and so on hold the `state_dict`, `accuracies.json` the
accuracy of each expert on the test samples of its classes, which are those of the stream in `../existing-experts.toml`.
"""

import argparse
import csv
import gzip
import json
import pathlib
import time

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
GLYPHS = HERE.parents[1] / "plugins/streams/split-glyphs/data"
FASHION = "/usr/share/datasets/fashion-mnist"
CLOTHES = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
]
CHARACTERS = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"]
# The classes of the network that all experts start from: of no expert.
FIRST = ["Coat", "Shirt", "Sneaker", "Ankle boot", *"abcdefghijklmnopqrstuvwxyz"]
EXPERTS = [
    ["T-shirt/top", "Trouser"], [*"ABCDEF"],
    ["Pullover", "Dress"], [*"GHIJKL"],
    ["Sandal", "Bag"], [*"MNOPQR"],
]


class Block(nn.Module):
    """Two convolutions and a shortcut around them, with torchvision's names."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        changes = stride != 1 or inputs != outputs
        around = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.downsample = nn.Sequential(*around) if changes else None

    def forward(self, x):
        inner = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (inner + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet18(nn.Module):
    """The network that Alluvium calls `slim-resnet18`: a stem of 3×3, then four stages of two blocks."""

    def __init__(self, classes, width=16):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        for stage in range(4):
            outputs = width << stage
            inputs = outputs if stage == 0 else outputs // 2
            blocks = [Block(inputs, outputs, 1 if stage == 0 else 2), Block(outputs, outputs, 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(8 * width, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        for stage in range(4):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


def idx(path):
    """The array in an IDX file, gzipped or not."""
    raw = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    shape = np.frombuffer(raw, ">u4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def samples(folder):
    """For each class its images, in training and in test: `[samples, 1, 28, 28]`, 0 to 255 as −1 to 1."""
    classes = {}
    parts = [[idx(pathlib.Path(folder) / f"{part}-{what}-ubyte") for what in ["images-idx3", "labels-idx1"]]
             for part in ["train", "t10k"]]
    for number, name in enumerate(CLOTHES):
        classes[name] = [images[labels == number] for images, labels in parts]
    glyphs = idx(GLYPHS / "glyphs.idx.gz")
    with open(GLYPHS / "fonts.csv", newline="", encoding="utf-8") as table:
        tests = np.array([font["split"] == "test" for font in csv.DictReader(table)])
    for number, name in enumerate(CHARACTERS):
        classes[name] = [glyphs[~tests, number], glyphs[tests, number]]
    scaled = lambda images: torch.from_numpy(images.copy()).unsqueeze(1).float() / 127.5 - 1
    return {name: [scaled(images) for images in parts] for name, parts in classes.items()}


def of(data, classes, part, most=None):
    """The images and labels of some classes; 0 for training, 1 for test. `most` limits the images of a class."""
    images = [data[name][part][:most] for name in classes]
    labels = [torch.full((len(own),), number) for number, own in enumerate(images)]
    return torch.cat(images), torch.cat(labels)


def train(model, images, labels, epochs, rate, generator):
    steps = epochs * -(-len(labels) // 50)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(labels), generator=generator).split(50):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()


def accuracy(model, images, labels):
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(batch).argmax(1) for batch in images.split(500)])
    return (found == labels).double().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=FASHION, help="the folder with the four IDX files of Fashion-MNIST")
    parser.add_argument("--out", default=HERE / "models", type=pathlib.Path)
    parser.add_argument("--threads", default=1, type=int, help="another number gives slightly other models")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    options.out.mkdir(parents=True, exist_ok=True)
    data, written = samples(options.data), {}

    def finish(name, model, classes, started):
        images, labels = of(data, classes, 1)
        torch.save(model.state_dict(), options.out / f"{name}.pt")
        written[name] = {"classes": classes, "test_samples": len(labels), "accuracy": accuracy(model, images, labels)}
        print(f"{name}: {written[name]['accuracy']:.4f} of {len(labels)}, {time.time() - started:.0f} s", flush=True)

    started = time.time()
    first = ResNet18(len(FIRST)).to(memory_format=torch.channels_last)
    train(first, *of(data, FIRST, 0, 250), epochs=5, rate=0.05, generator=generator)
    finish("pretrained", first, FIRST, started)
    for number, classes in enumerate(EXPERTS, 1):
        started = time.time()
        expert = ResNet18(len(classes)).to(memory_format=torch.channels_last)
        start = {name: value for name, value in first.state_dict().items() if not name.startswith("fc.")}
        expert.load_state_dict(start, strict=False)
        train(expert, *of(data, classes, 0, 500), epochs=3, rate=0.01, generator=generator)
        finish(f"expert-{number}", expert, classes, started)
    text = json.dumps(written, indent=1, ensure_ascii=False)
    (options.out / "accuracies.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
