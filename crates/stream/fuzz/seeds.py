"""Writes the corpus that the targets begin with, as the formats' documentation says: needs Pillow, and nothing else.

    python fuzz/seeds.py

`corpus/parquet` is a copy of the small file that plugins/streams/parquet/tests/fixtures/generate.py writes.
"""

import gzip
import io
import shutil
import struct
import zlib
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent


def write(target, name, content):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


# IDX: 2x3 unsigned bytes.
idx = bytes([0, 0, 8, 2]) + struct.pack(">II", 2, 3) + bytes(range(6))
write("idx", "plain", idx)
write("idx", "gzipped", gzip.compress(idx, mtime=0))

# CIFAR-100, the binary version: a coarse label, a fine one, 3072 pixels.
pixels = bytes(place % 251 for place in range(3072))
write("cifar-binary", "one", bytes([7, 37]) + pixels)


def text(content):
    """SHORT_BINSTRING or BINSTRING, as Python 2 writes under protocol 2."""
    return (b"U" + bytes([len(content)]) if len(content) < 256 else b"T" + struct.pack("<I", len(content))) + content


def pickled(entries):
    return b"\x80\x02}q\x01(" + b"".join(text(key) + value for key, value in entries) + b"u."


# CIFAR-100, the Python version: an array [1, 3072] as numpy's __reduce__ says, and lists.
array = (
    b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\0\x85U\x01b\x87Rq\x09(K\x01K\x01M\x00\x0c\x86"
    b"cnumpy\ndtype\nq\x0aU\x02u1K\0K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
    + text(pixels)
    + b"tb"
)
write("cifar-pickle", "one", pickled([(b"data", array), (b"fine_labels", b"](K\x25e")]))
names = b"](" + text(b"apple") + text(b"bear") + b"e"
write("cifar-pickle", "names", pickled([(b"fine_label_names", names)]))

# SVHN: a header of 128 bytes, then X and y, compressed and not.


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def small(kind, data):
    return (struct.pack("<HH", kind, len(data)) + data).ljust(8, b"\0")


def matrix(name, kind, dimensions, values):
    flags = element(6, bytes([kind]) + bytes(7))
    sizes = element(5, struct.pack(f"<{len(dimensions)}i", *dimensions))
    return element(14, flags + sizes + small(1, name) + element(2, values))


def compressed(inner):
    stream = zlib.compress(inner, 9)
    return struct.pack("<II", 15, len(stream)) + stream


header = b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + b"\0\x01IM"
images, labels = matrix(b"X", 9, [32, 32, 3, 1], bytes(3072)), matrix(b"y", 6, [1, 1], bytes([10]))
write("svhn", "compressed", header + compressed(images) + compressed(labels))
write("svhn", "labels", header + matrix(b"z", 9, [1, 3], b"abc") + labels)

# Pictures.
picture = Image.new("RGB", (5, 4))
picture.putdata([(40 * x, 50 * y, 9) for y in range(4) for x in range(5)])
for name, image, format in [
    ("colour.png", picture, "PNG"),
    ("grey.png", picture.convert("L"), "PNG"),
    ("palette.png", picture.quantize(4), "PNG"),
    ("colour.jpeg", picture, "JPEG"),
    ("progressive.jpeg", picture, "JPEG"),
]:
    file = io.BytesIO()
    image.save(file, format, **({"progressive": True} if name.startswith("progressive") else {}))
    write("picture", name, file.getvalue())

# CORe50: a path of a frame and a label in a line.
write("core50", "train", b"s1/o1/C_01_01_000.png 0\ns11/o50/C_11_50_299.png 49\n")
write("core50", "test", b"s3/o1/C_03_01_000.png 0\n\ns10/o26/C_10_26_001.png 25\n")

# Tiny-ImageNet-200: numbers of classes, words, annotations.
write(
    "tiny-imagenet",
    "two",
    b"n02012849\nn01443537\n\0n01443537\tgoldfish, Carassius auratus\nn02012849\tcrane\n\0"
    b"val_0.JPEG\tn01443537\t0\t32\t44\t62\nval_1.JPEG\tn02012849\t1\t2\t3\t4\n",
)

fixture = HERE.parent / "plugins/streams/parquet/tests/fixtures/small.parquet"
(HERE / "corpus/parquet").mkdir(parents=True, exist_ok=True)
shutil.copy(fixture, HERE / "corpus/parquet/pyarrow")
