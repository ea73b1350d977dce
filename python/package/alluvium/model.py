"""Models as plain data: named arrays, the heads, and how they are built."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from alluvium import _alluvium
from alluvium.values import BytesLike, as_bytes, is_of_torch

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[np.float32]

_BACKBONE = "backbone."


@dataclass(frozen=True)
class Head:
    """A head: the classifier of one task."""

    name: str
    """Its name. Tasks with the same head name share the head."""
    classes: tuple[int, ...]
    """The class in the stream of each score."""

    @property
    def prefix(self) -> str:
        """What the names of its tensors begin with: ``heads.NAME.``."""
        return f"heads.{self.name}."


class Model(Mapping[str, Array]):
    """A model as plain data: a mapping from names to arrays of float32.

    Names are ``backbone.…`` and ``heads.NAME.…``; a linear head has ``heads.NAME.weight`` ``[latent, classes]`` and
    ``heads.NAME.bias`` ``[classes]``. The arrays belong to this object: it is a copy, and changing them changes no other model.
    ``torch.from_numpy`` shares their memory.
    """

    __slots__ = ("_arrays", "_description", "_heads")

    def __init__(self, description: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """Args:
        description: ``backbone`` and ``classifier`` (tables), ``input`` (sizes of one input), ``heads`` and ``across``.
        arrays: the tensors.
        """
        self._description = dict(description)
        self._arrays = dict(arrays)
        heads = self._description.get("heads", [])
        self._heads = tuple(Head(head["name"], tuple(head["classes"])) for head in heads)

    @classmethod
    def from_bytes(cls, data: BytesLike) -> Model:
        """Reads a model of a run directory, or what ``to_bytes`` gave.

        Raises:
            FileError: other bytes, or weights that are not finite.
        """
        description, arrays = _alluvium.model_parts(as_bytes("the model", data))
        return cls(json.loads(description), arrays)

    def to_bytes(self) -> bytes:
        """The model as a safetensors file.

        Raises:
            FileError: an array of another type than float32.
        """
        return _alluvium.model_bytes(json.dumps(self._description), _aligned(self._arrays))

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        heads = ", ".join(head.name for head in self._heads) or "none"
        return f"Model({self._description.get('backbone')}, {len(self)} tensors, heads: {heads})"

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads, in the order in which they came."""
        return self._heads

    @property
    def backbone_table(self) -> dict[str, Any]:
        """The kind and the options of the backbone."""
        return dict(self._description["backbone"])

    @property
    def input(self) -> tuple[int, ...]:
        """The sizes of one input, such as ``(1, 28, 28)``."""
        return tuple(self._description["input"])

    @property
    def digest(self) -> str:
        """The digest of the weights, as manifests state it."""
        return _alluvium.digest_of(_aligned(self._arrays))

    def backbone(self) -> dict[str, Array]:
        """The tensors of the backbone, under their whole names."""
        return {name: array for name, array in self._arrays.items() if name.startswith(_BACKBONE)}

    def head(self, name: str) -> dict[str, Array]:
        """The tensors of a head, under their whole names; empty if the model does not have it."""
        prefix = Head(name, ()).prefix
        return {key: array for key, array in self._arrays.items() if key.startswith(prefix)}

    def scores(self, inputs: Any) -> dict[str, Array]:
        """What the model says about some inputs: the scores of each head before the softmax, as the evaluator sees them.

        Args:
            inputs: ``[samples, …]``, as networks see them; an array or a tensor. See ``input`` for the sizes of one.

        Returns:
            By the name of the head, ``[samples, classes]``; ``heads`` has the classes. Classifiers across tasks are left out.

        Raises:
            ConfigError: inputs of another shape.
        """
        if is_of_torch(inputs):
            inputs = inputs.detach().cpu().numpy()
        return _alluvium.model_scores(json.dumps(self._description), _aligned(self._arrays), row_major(np.asarray(inputs, np.float32)))

    def torch(self) -> dict[str, torch.Tensor]:
        """The tensors for PyTorch. They share the memory of the arrays.

        Raises:
            ImportError: PyTorch is not installed.
        """
        import torch

        return {name: torch.from_numpy(array) for name, array in self._arrays.items()}


def arrays_of(tensors: Mapping[str, Any], what: str) -> dict[str, Array]:
    """The tensors as arrays in row-major order. Those of PyTorch share their memory where it is contiguous, on the processor and of
    float32.

    Raises:
        TypeError: something else than a tensor; ``what`` says whose it is.
    """
    return {name: _array_of(name, tensor, what) for name, tensor in tensors.items()}


def _array_of(name: str, tensor: Any, what: str) -> Array:
    if is_of_torch(tensor):
        tensor = tensor.detach().cpu().numpy()
    if not isinstance(tensor, np.ndarray):
        raise TypeError(
            f"{what}: the tensor {name!r} is a {type(tensor).__name__}; accepted: arrays of numpy, tensors of torch"
        )
    if tensor.dtype not in (np.float32, np.float64):
        raise TypeError(f"{what}: the tensor {name!r} is of the type {tensor.dtype}; accepted: float32")
    return row_major(tensor)


def row_major(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in row-major order and aligned, as Rust reads it: itself where it is both. Arrays over bytes at an odd place, as
    ``numpy.frombuffer`` gives them, are not aligned.
    """
    return np.require(np.asarray(array), requirements=["C", "A"])


def _aligned(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row_major(array) if isinstance(array, np.ndarray) else array for name, array in arrays.items()}
