"""A device of the tests, without packages: it moves every weight of the backbone by 1, or does what `lie` says."""

import json
import struct
import sys
import time

request = json.load(open("request.json"))
lie = request["settings"]["lie"]
description = {"task": request["task"], "classes": request["classes"], "samples": 7, "digest": request["samples"]}


def read(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    return {name: (entry["shape"], body[slice(*entry["data_offsets"])]) for name, entry in header.items()}


def write(path, tensors):
    header, body = {}, b""
    for name, (shape, values) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(values)]}
        body += values
    text = json.dumps(header).encode()
    data = struct.pack("<Q", len(text)) + text + body
    open(path, "wb").write(data[:-3] if lie == "truncated" else data)


def moved(values):
    numbers = struct.unpack(f"<{len(values) // 4}f", values)
    return struct.pack(f"<{len(numbers)}f", *(number + 1 for number in numbers))


if sys.argv[1] == "describe":
    if lie == "fails to describe":
        sys.exit(4)
    if lie == "a class of nobody":
        description["classes"] = ["class 9"]
    if lie != "no description":
        json.dump(description, open("description.json", "w"))
    sys.exit()

if lie == "fails":
    print("out of luck", file=sys.stderr)
    sys.exit(3)
if lie == "hangs":
    time.sleep(60)
central = read("central.safetensors")
expert = {name: (shape, moved(values)) for name, (shape, values) in central.items() if name.startswith("backbone.")}
rows, head = 3 if lie == "another shape" else 4, f"heads.{request['head']}"
expert[f"{head}.weight"] = ([rows, 2], bytes(4 * rows * 2))
expert[f"{head}.bias"] = ([2], bytes(8))
if lie == "nan":
    expert["backbone.layer.bias"] = ([4], struct.pack("<4f", *[float("nan")] * 4))
if lie == "another tensor":
    expert["optimiser"] = ([1], bytes(4))
if lie != "no expert":
    write("expert.safetensors", expert)
report = {**description, "parent": "0" * 64 if lie == "another parent" else request["parent"], "steps": 3}
if lie == "other classes":
    report["classes"].reverse()
if lie == "other samples":
    report["samples"] += 1
if lie == "another digest":
    report["digest"] += "!"
if lie != "no report":
    json.dump(report, open("expert.json", "w"))
