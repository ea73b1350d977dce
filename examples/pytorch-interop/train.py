"""Trains a base and two experts that start from it, each on one half of the classes, and saves them as safetensors."""

import argparse
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

from fashion import CLASSES, DATA, HALVES, network, samples


def train(model, images, labels, epochs, generator):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    model.train()
    for epoch in range(epochs):
        loss_sum = 0.0
        batches = torch.randperm(len(labels), generator=generator).split(50)
        for batch in batches:
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss_sum += loss.item()
        print(f"  epoch {epoch + 1}: loss {loss_sum / len(batches):.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=DATA, help="the folder with the four IDX files")
    parser.add_argument("--out", default="models", type=pathlib.Path)
    parser.add_argument("--samples", default=2000, type=int, help="training images of each model")
    parser.add_argument("--epochs", default=2, type=int)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    images, labels = samples(options.data, "train")
    order = torch.randperm(len(labels), generator=generator)

    print("base: all classes")
    base = network(len(CLASSES))
    train(base, images[order[: options.samples]], labels[order[: options.samples]], options.epochs, generator)
    # The classifier stays behind: what the experts start from knows no class.
    start = {name: tensor for name, tensor in base.state_dict().items() if not name.startswith("fc.")}
    save_file(start, options.out / "base.safetensors")

    rest = order[options.samples :]
    for name, classes in HALVES.items():
        print(f"expert {name}: {', '.join(classes)}")
        first = CLASSES.index(classes[0])
        own = rest[(labels[rest] >= first) & (labels[rest] < first + len(classes))][: options.samples]
        expert = network(len(classes))
        expert.load_state_dict(start, strict=False)
        train(expert, images[own], labels[own] - first, options.epochs, generator)
        save_file(expert.state_dict(), options.out / f"expert-{name}.safetensors")


if __name__ == "__main__":
    main()
