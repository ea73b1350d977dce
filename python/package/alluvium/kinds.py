"""What there is to name in a configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from alluvium import _alluvium
from alluvium.errors import ConfigError

FAMILIES = ("strategy", "stream", "backbone", "classifier", "surrogate", "device", "backend")


@dataclass(frozen=True, repr=False)
class Option:
    """An option of a kind."""

    name: str
    meaning: str
    default: Any
    """None if the option must be given, or is absent by default."""
    accepts: str
    """What is accepted, in words."""
    required: bool

    def __repr__(self) -> str:
        return f"Option({self.name!r}, {'required' if self.required else f'default {self.default!r}'}, {self.accepts})"


@dataclass(frozen=True, repr=False)
class Kind:
    """A plugin that a configuration can name: ``kind = "…"``."""

    kind: str
    family: str
    summary: str
    """What it does, in a line."""
    text: str
    """What it does, in full."""
    paper: str
    """The publication of the method; empty if it is common knowledge."""
    options: tuple[Option, ...]

    def __repr__(self) -> str:
        named = ", ".join(option.name for option in self.options) or "none"
        return f"Kind({self.kind!r}, {self.summary!r}, options: {named})"


def kinds(family: str) -> tuple[Kind, ...]:
    """The kinds of a family, those in Python among them.

    Args:
        family: ``"strategy"``, ``"stream"``, ``"backbone"``, ``"classifier"``, ``"surrogate"``, ``"device"`` or ``"backend"``.

    Raises:
        ConfigError: another family.
    """
    if family not in FAMILIES:
        raise ConfigError(f"there is no family {family!r}; accepted: {', '.join(FAMILIES)}")
    described = json.loads(_alluvium.kinds(family))
    return tuple(Kind(**{**one, "options": tuple(Option(**option) for option in one["options"])}) for one in described)


def strategies() -> tuple[Kind, ...]:
    """The strategies, those in Python among them."""
    return kinds("strategy")


def schema() -> dict[str, Any]:
    """The JSON Schema of a configuration."""
    read: dict[str, Any] = json.loads(_alluvium.schema())
    return read
