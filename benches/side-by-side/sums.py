"""Gram sums and the solution of ridge regression, in 64 bits, in Alluvium and in numpy: python sums.py [--threads N]

The features are given, in 32 bits: random ones of the size and the number of Fashion-MNIST's training samples. Time and memory do not
depend on their values. numpy converts them to 64 bits and multiplies, all at once, or 4 096 rows at a time. Both sides solve
(A + λI) W = B of the same centred sums. Each runs in a process of its own, in turn, with the same number of threads.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RIDGE = 1e-3


def numpy_side(folder, count, size, rows_at_a_time):
    import numpy as np

    features = np.fromfile(folder / "features", dtype=np.float32).reshape(count, size)
    labels = np.fromfile(folder / "labels", dtype=np.uint8)
    started = time.perf_counter()
    if rows_at_a_time:
        gram, sums = np.zeros((size, size)), np.zeros((10, size))
        for first in range(0, count, rows_at_a_time):
            rows = features[first : first + rows_at_a_time].astype(np.float64)
            gram += rows.T @ rows
            for label in range(10):
                sums[label] += rows[labels[first : first + rows_at_a_time] == label].sum(0)
    else:
        rows = features.astype(np.float64)
        gram = rows.T @ rows
        sums = np.stack([rows[labels == label].sum(0) for label in range(10)])
    summed = time.perf_counter() - started
    counts = np.bincount(labels, minlength=10).astype(np.float64)
    mean = sums.sum(0) / count
    gram -= count * np.outer(mean, mean)
    products = (sums - np.outer(counts, mean)).T
    gram[np.diag_indices(size)] += RIDGE * np.trace(gram) / size
    weight = np.linalg.solve(gram, products)
    seconds = time.perf_counter() - started
    memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "sums": summed, "memory": memory, "squares": float((weight**2).sum())}))


def run(command, threads):
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
    environment = os.environ | {name: str(threads) for name in names}
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def main():
    import numpy as np

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--numpy", nargs=2, metavar=("FOLDER", "ROWS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.numpy:
        folder, rows = chosen.numpy
        return numpy_side(Path(folder), chosen.count, chosen.size, int(rows))
    binary = ROOT / "target/release/sums"
    with tempfile.TemporaryDirectory() as folder:
        random = np.random.default_rng(0)
        features = np.maximum(random.standard_normal((chosen.count, chosen.size), dtype=np.float32), 0)
        features.tofile(Path(folder) / "features")
        random.integers(0, 10, chosen.count, dtype=np.uint8).tofile(Path(folder) / "labels")
        del features
        count, size = str(chosen.count), str(chosen.size)
        ours = [str(binary), f"{folder}/features", f"{folder}/labels", count, size, str(chosen.threads)]
        numpy = [sys.executable, __file__, "--count", count, "--size", size, "--numpy", folder]
        sides = {"alluvium": ours, "numpy": [*numpy, "0"], "numpy, 4 096 rows at a time": [*numpy, "4096"]}
        found = {name: [] for name in sides}
        for _ in range(chosen.rounds):
            for name, command in sides.items():
                found[name].append(run(command, chosen.threads))
    base = found["numpy"]
    print(f"{chosen.count} × {chosen.size} features, {chosen.threads} threads, medians of {chosen.rounds} rounds")
    for name, rounds in found.items():
        middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        ratio = {key: middle[key] / statistics.median(one[key] for one in base) for key in ("seconds", "memory")}
        print(
            f"{name:28} {middle['seconds']:7.2f} s ({middle['sums']:.2f} s sums), {ratio['seconds']:.2f} × numpy;"
            f" {middle['memory'] / 1e6:7.0f} MB, {ratio['memory']:.2f} × numpy; Σw² {middle['squares']:.9g}"
        )


main()
