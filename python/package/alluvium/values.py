"""Values that callers give: which are accepted, and how they become plain ones."""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from alluvium.errors import ConfigError

BytesLike = bytes | bytearray | memoryview
Table = str | Mapping[str, Any]


def plain(path: str, value: Any) -> Any:
    """A value as JSON has it: numbers and arrays of numpy become numbers and lists, ranges and tuples lists, paths texts.

    Args:
        path: where the value stands, such as ``device.learning_rate``; empty for a whole configuration.
        value: the value.

    Raises:
        ConfigError: it is something else, or holds something else; the message names where that stands.
    """
    try:
        return _plain(path, value)
    except RecursionError as error:
        where = f"`{path}`" if path else "the configuration"
        raise ConfigError(f"{where} is nested too deep, or holds itself; accepted: tables and lists that end") from error


def _plain(path: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)) and not isinstance(value, np.generic):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(f"{path}.{key}" if path else str(key), inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list, range)):
        return [_plain(f"{path}[{place}]", inner) for place, inner in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    # Double first: numpy's is a float as well, and its long double stays what it is in `tolist`.
    if isinstance(value, (float, np.floating)):
        if not math.isfinite(value):
            raise ConfigError(f"`{path}` is {float(value)}; accepted: finite numbers")
        return float(value)
    if isinstance(value, np.ndarray) or isinstance(value, (np.bool_, np.integer, np.str_)):
        return _plain(path, value.tolist())
    raise ConfigError(f"`{path}` is a {type(value).__name__}; accepted: numbers, texts, lists and tables of these, and paths")


def table(path: str, given: Table) -> str:
    """A kind, or a table with its kind and options, as JSON."""
    if not isinstance(given, (str, Mapping)):
        raise ConfigError(f"`{path}` is a {type(given).__name__}; accepted: a kind, or a table with its `kind` and options")
    return json.dumps(plain(path, given))


def whole_number(name: str, value: Any, *, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number, also one of numpy.

    Raises:
        ConfigError: something else, or a number out of this range.
    """
    accepted = f"a whole number from {least}" if most >= 2**63 - 1 else f"a whole number from {least} to {most}"
    if isinstance(value, (bool, np.bool_)):
        raise ConfigError(f"`{name}` is {value}; accepted: {accepted}")
    try:
        number = operator.index(value)
    except TypeError:
        raise ConfigError(f"`{name}` is {_shown(value)}; accepted: {accepted}") from None
    if number > most >= 2**63 - 1:
        raise ConfigError(f"`{name}` is {number}; accepted: a whole number below 2⁶³")
    if not least <= number <= most:
        raise ConfigError(f"`{name}` is {number}; accepted: {accepted}")
    return number


def whole_numbers(name: str, values: Any) -> list[int]:
    """Whole numbers from 0: a list, a tuple, a range, or an array of numpy with one axis.

    Raises:
        ConfigError: something else; the message names the place.
    """
    is_list = isinstance(values, Iterable) and not isinstance(values, (str, bytes, bytearray, memoryview, Mapping))
    if not is_list or isinstance(values, np.ndarray) and values.ndim != 1:
        raise ConfigError(f"`{name}` is {_shown(values)}; accepted: a list of whole numbers from 0")
    return [whole_number(f"{name}[{place}]", value) for place, value in enumerate(values)]


def folder(name: str, path: Any) -> str:
    """The path of a folder as text.

    Raises:
        ConfigError: it is empty, or no path.
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text:
        raise ConfigError(f"`{name}` is {_shown(path)}; accepted: the path of a folder")
    return text


def as_bytes(what: str, data: Any) -> bytes:
    """Bytes that nobody changes any more. Those that can be changed are copied.

    Raises:
        ConfigError: something else than bytes.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ConfigError(f"{what} is a {type(data).__name__}; accepted: bytes")
    return bytes(data)


def is_of_torch(value: Any) -> bool:
    """Whether a value is a tensor of PyTorch, or of a class derived from it. PyTorch is not imported to find out."""
    return hasattr(value, "detach") and any(base.__module__.partition(".")[0] == "torch" for base in type(value).__mro__)


def _shown(value: Any) -> str:
    """A short value itself, a longer one by its type."""
    value = value.item() if isinstance(value, np.generic) else value
    text = repr(value) if isinstance(value, (str, int, float, type(None))) else ""
    return text if 0 < len(text) <= 40 else f"a {type(value).__name__}"
