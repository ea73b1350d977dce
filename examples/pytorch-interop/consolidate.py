"""Consolidates the two experts with every strategy that needs no data, and with PLD from one photo and from noise."""

import argparse
import pathlib
import subprocess

from fashion import HALVES, MEAN, STD

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHOTO = ROOT / "plugins/surrogates/single-image/data/coffee.png"
WITHOUT_DATA = ["naive", "weight-averaging", "fedavg", "task-arithmetic", "ties", "dare", "magmax", "slerp", "opcm"]
# A network with batch normalisation wants a smaller learning rate than the default. Its running statistics stay those that it
# starts with: the average's stand between both halves.
PLD = '{ kind = "pld", start = "average", steps = 150, batch_size = 32, learning_rate = 0.002 }'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alluvium", default=ROOT / "target/release/alluvium", help="the binary")
    parser.add_argument("--models", default="models", type=pathlib.Path)
    parser.add_argument("--out", default="consolidated", type=pathlib.Path)
    parser.add_argument("--photo", default=PHOTO, type=pathlib.Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    said = ["--names", "torchvision-resnet", "--input", "1x28x28", "--mean", str(MEAN), "--std", str(STD)]
    experts = []
    for name, classes in HALVES.items():
        file = options.models / f"expert-{name}.safetensors"
        experts += ["--expert", file, "--classes", f"{file}={','.join(classes)}"]
    base = ["--previous", options.models / "base.safetensors"]
    jobs = [(kind, kind, []) for kind in WITHOUT_DATA]
    jobs += [("pld", PLD, ["--surrogate", options.photo]), ("pld-noise", PLD, ["--surrogate", "noise"])]
    for name, strategy, surrogate in jobs:
        print(f"== {name}", flush=True)
        out = ["--out", options.out / f"{name}.safetensors", "--overwrite"]
        command = [options.alluvium, "consolidate", *base, *experts, *said, "--strategy", strategy, *surrogate, *out]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
