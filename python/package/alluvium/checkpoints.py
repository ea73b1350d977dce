"""Models that were trained elsewhere: state dicts of PyTorch, arrays of numpy, checkpoint files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alluvium import _alluvium, log
from alluvium.errors import ConfigError, FileError
from alluvium.plugins import at_work
from alluvium.values import Table, is_of_torch, plain, whole_number

StateDict = Mapping[str, Any]
Source = StateDict | str | os.PathLike[str]
_Record = tuple[str, str, tuple[int, ...], npt.NDArray[np.uint8]]

# The name of a type in safetensors, by its names in numpy and in PyTorch.
_TYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
_NAMES = {own: name for name, own in _TYPES.items()}


@dataclass(frozen=True)
class TaskScore:
    """The accuracy of a model on one task."""

    task: int
    """The task's number in the stream, from 1."""
    name: str
    samples: int
    """How many test samples it has."""
    classes: int
    """How many classes it has."""
    known_classes: int
    """How many of them the model knows."""
    task_aware: float | None
    """The accuracy in [0, 1] when the task is known; None if the model knows none of the classes."""
    task_agnostic: float
    """The accuracy in [0, 1] when the task is unknown."""


@dataclass(frozen=True)
class Scores:
    """The accuracy of a model on all tasks of a stream."""

    tasks: tuple[TaskScore, ...]
    task_aware: float | None
    """The mean over tasks, the task known; None if the model knows no class of some task."""
    task_agnostic: float
    """The mean over tasks, the task unknown."""
    accuracy: float
    """The fraction of all test samples that are classified rightly where the task is unknown."""
    digest: str
    """The digest of the model's tensors."""
    rounded: bool
    """Whether weights of 64 bits were rounded to run the model."""


@at_work()
def consolidate(
    *,
    previous: Source,
    experts: Sequence[Source],
    strategy: Table,
    classes: Sequence[Sequence[str] | None] | None = None,
    names: Table | None = None,
    backbone: Table | None = None,
    input: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    surrogate: Table | None = None,
    state_dict: str | None = None,
    seed: int = 0,
    initial_only: bool = False,
    tensorwise: bool = False,
    backend: Table = "flex",
) -> dict[str, Any]:
    """Consolidates experts into a previous model. No file is written.

    Tensors may have any layout and be on any device; the new ones are on the processor, own their memory, and can be changed. Tensors
    that share memory come back apart.

    Args:
        previous: the central model before the consolidation. With a classifier, it counts as the first expert.
        experts: the experts, in the order in which they are consolidated.
        strategy: a kind, or a table with its ``kind`` and options; also one in Python. It needs no samples of devices.
        classes: the names of each model's classes in the order of its classifier's rows, ``previous`` first; None for a model whose
            classes are stated in its file or have no names. Models that know the same classes share a head.
        names: the table from the models' names to ours: a built-in kind such as ``"torchvision-resnet"``, a TOML file, or a table with
            ``names``, ``transposed`` and ``ignored``. Default: the built-in one that fits.
        backbone: the backbone, where names and shapes do not tell.
        input: the sizes of one input, where the models do not tell.
        mean: with ``std``, the normalisation that the models expect of their inputs, one number for each channel.
        std: see ``mean``.
        surrogate: surrogate data, for a strategy that needs some: a picture, a kind, or a table.
        state_dict: the key of the state dict in files that hold several.
        seed: the seed of everything random.
        initial_only: ``previous`` is only what the experts started from, and does not count as an expert.
        tensorwise: consolidates tensors of equal names, for networks that are not known here. The strategy must work in pieces.
            Surrogate data, and what describes networks (``classes`` to ``std``), do not apply.
        backend: where tensors live.

    Returns:
        The new model, with the names, types and order of ``previous``: tensors of torch if ``previous`` has some, otherwise arrays of
        numpy. numpy has no bfloat16, so such tensors become arrays of float32 with the same values.
        ``load_state_dict(…, strict=True)`` takes it where the classifier has as many rows.

    Raises:
        ConfigError: an argument is wrong, or the strategy needs what checkpoints do not hold.
        FileError: a model is wrong; the message names it, and the tensor.
        RunError: the strategy failed.
    """
    log.start()
    if isinstance(experts, (str, os.PathLike, Mapping)):
        raise ConfigError("`experts` is one model; accepted: a list of models")
    if classes is not None and len(classes) != len(experts) + 1:
        raise ConfigError(f"`classes` has {len(classes)} entries; accepted: {len(experts) + 1}, that of `previous` first")
    if tensorwise:
        described = {"classes": classes, "names": names, "backbone": backbone, "input": input, "mean": mean, "surrogate": surrogate}
        given = [name for name, value in described.items() if value is not None]
        if given:
            raise ConfigError(f"`{given[0]}` does not apply to `tensorwise`; accepted: one of the two")
    sources = [_source("previous", previous)]
    sources += [_source(f"experts[{number}]", expert) for number, expert in enumerate(experts)]
    said = _statements(
        strategy=strategy,
        surrogate=surrogate,
        classes=[_class_names(own) for own in classes or []],
        names=names,
        backbone=backbone,
        input=input,
        mean=mean,
        std=std,
        state_dict=state_dict,
        seed=seed,
        initial_only=initial_only,
        tensorwise=tensorwise,
        backend=backend,
    )
    records = {record[0]: record for record in _alluvium.consolidate(sources, said)}
    order = dict.fromkeys(name for name in previous if name in records) if isinstance(previous, Mapping) else {}
    order |= dict.fromkeys(records)
    torch = isinstance(previous, Mapping) and any(is_of_torch(tensor) for tensor in previous.values())
    return {name: _restored(records[name], torch) for name in order}


@at_work()
def evaluate(
    model: Source,
    *,
    stream: Table,
    classes: Sequence[str] | None = None,
    names: Table | None = None,
    backbone: Table | None = None,
    input: Sequence[int] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    state_dict: str | None = None,
    seed: int = 0,
    backend: Table = "flex",
) -> Scores:
    """Judges a model on the test samples of a stream. Its classes are matched with the stream's by name.

    Args:
        model: a state dict, or the path of a checkpoint.
        stream: a kind, or a table with its ``kind`` and options; also one in Python.
        classes: the names of its classes, in the order of its classifier's rows.
        seed: the seed of the stream.
        names: and the others: see ``consolidate``.

    Raises:
        ConfigError: an argument is wrong.
        FileError: the model is wrong, or does not fit the stream.
    """
    log.start()
    said = _statements(
        stream=stream,
        classes=[_class_names(classes)],
        names=names,
        backbone=backbone,
        input=input,
        mean=mean,
        std=std,
        state_dict=state_dict,
        seed=seed,
        backend=backend,
    )
    read = json.loads(_alluvium.evaluate(_source("the model", model), said))
    scores = read["scores"]
    tasks = tuple(TaskScore(**{"task_aware": None, **task}) for task in scores["tasks"])
    return Scores(tasks, scores.get("task_aware"), scores["task_agnostic"], scores["accuracy"], read["digest"], read["rounded"])


def inspect(
    model: Source,
    *,
    classes: Sequence[str] | None = None,
    names: Table | None = None,
    backbone: Table | None = None,
    input: Sequence[int] | None = None,
    state_dict: str | None = None,
) -> dict[str, Any]:
    """What a model holds: architecture, classes, types, digest, and how it was made. It is what ``alluvium inspect --json`` prints.

    Args:
        model: a state dict, or the path of a checkpoint.
        names: and the others: see ``consolidate``.

    Raises:
        FileError: it cannot be read. An unknown network is not an error.
    """
    log.start()
    said = _statements(
        classes=[_class_names(classes)],
        names=names,
        backbone=backbone,
        input=input,
        state_dict=state_dict,
    )
    read: dict[str, Any] = json.loads(_alluvium.inspect(_source("the model", model), said))
    return read


def _class_names(classes: Sequence[str] | None) -> list[str] | None:
    if isinstance(classes, str):
        raise ConfigError(f"`classes` has the text {classes!r}; accepted: a list of names")
    return None if classes is None else [str(name) for name in classes]


def _statements(**said: Any) -> str:
    """The arguments as JSON, in which numbers and arrays of numpy are plain numbers and lists."""
    if (said.get("mean") is None) != (said.get("std") is None):
        raise ConfigError("`mean` and `std` describe inputs together; accepted: both, or neither")
    if "seed" in said:
        said["seed"] = whole_number("seed", said["seed"])
    return json.dumps({name: plain(name, value) for name, value in said.items()})


def _source(label: str, model: Source) -> tuple[str, str | None, list[_Record] | None]:
    if isinstance(model, (str, os.PathLike)):
        return label, os.fspath(model), None
    if not isinstance(model, Mapping):
        accepted = "its state_dict()" if hasattr(model, "state_dict") else "a state dict, or the path of a checkpoint"
        raise ConfigError(f"{label} is a {type(model).__name__}; accepted: {accepted}")
    return label, None, [_record(label, name, tensor) for name, tensor in model.items()]


def _record(label: str, name: str, tensor: Any) -> _Record:
    """A tensor as bytes. They share its memory where that is contiguous, on the processor and little-endian."""
    if not isinstance(name, str):
        raise FileError(f"{label}: {name!r} is a {type(name).__name__}; accepted: names of tensors that are texts")
    is_of_numpy = isinstance(tensor, (np.ndarray, np.generic))
    if not is_of_numpy and not is_of_torch(tensor):
        raise FileError(f"{label}: {name!r} is a {type(tensor).__name__}; accepted: tensors of torch, arrays of numpy")
    kind = tensor.dtype.name if is_of_numpy else str(tensor.dtype).removeprefix("torch.")
    if kind not in _TYPES:
        raise FileError(f"{label}: the tensor {name!r} is of the type {kind}; accepted: {', '.join(_TYPES)}")
    if is_of_numpy:
        array = np.ascontiguousarray(tensor)
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        return name, _TYPES[kind], tensor.shape, array.reshape(-1).view(np.uint8)
    import torch

    if tensor.layout != torch.strided or tensor.is_meta:
        where = "holds no values" if tensor.is_meta else "is sparse"
        raise FileError(f"{label}: the tensor {name!r} {where}; accepted: dense tensors")
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return name, _TYPES[kind], tuple(tensor.shape), flat.view(torch.uint8).numpy()


def _restored(record: _Record, torch: bool) -> Any:
    """A tensor that owns its memory and can be changed."""
    _, kind, shape, data = record
    name = _NAMES[kind]
    if torch:
        import torch as library

        dtype = getattr(library, name)
        if data.size == 0:
            return library.zeros(shape, dtype=dtype)
        return library.from_numpy(data).view(dtype).reshape(shape)
    if name == "bfloat16":
        # numpy has no such type; its bits are the upper half of a float32.
        return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return data.view(np.dtype(name)).reshape(shape)
