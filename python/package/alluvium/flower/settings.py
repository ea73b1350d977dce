"""What a run of the server app is told."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The keys that hold seconds.
SECONDS = ("patience", "resend", "give-up", "query", "poll")

#: The keys that hold integers, with the least that is accepted. For ``most-bytes``, 0 stands for the default.
INTEGERS = {"retries": 0, "most-bytes": 0, "jobs": 1}


@dataclass(frozen=True)
class Settings:
    """What a run is told."""

    experiment: str
    directory: str
    nodes: str
    key: str | None = None
    order: tuple[str, ...] | str = "arrival"
    until: str = "all-tasks"
    patience: float = 3600.0
    resend: float = 600.0
    give_up: float = 0.0
    query: float = 30.0
    poll: float = 0.2
    retries: int = 3
    most_bytes: int = 0
    jobs: int = 16
    cache: str | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Reads a run's configuration."""
        names = {name.replace("_", "-"): name for name in cls.__dataclass_fields__}
        unknown = sorted(config.keys() - names.keys())
        if unknown:
            raise ValueError(f"unknown keys of the run: {', '.join(unknown)}; accepted: {', '.join(sorted(names))}")
        missing = [name for name in ("experiment", "directory", "nodes") if not config.get(name)]
        if missing:
            raise ValueError(f"the run lacks {', '.join(missing)}; say --run-config '{missing[0]}=\"…\"'")
        given = {names[key]: value for key, value in config.items() if value != ""}
        given["order"] = _order(str(given.get("order", "arrival")))
        if given.get("until", "all-tasks") not in ("all-tasks", "stopped"):
            raise ValueError(f"until = \"{given['until']}\"; accepted: \"all-tasks\", \"stopped\"")
        for key in SECONDS:
            value = config.get(key, "")
            # Python takes a bool for a number.
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value != "" and not (is_number and math.isfinite(value) and value >= 0):
                raise ValueError(f"{key} = {shown(value)}; accepted: a number of seconds, at least 0")
        for key, least in INTEGERS.items():
            value = config.get(key, "")
            is_integer = isinstance(value, int) and not isinstance(value, bool)
            if value != "" and not (is_integer and value >= least):
                raise ValueError(f"{key} = {shown(value)}; accepted: an integer, at least {least}")
        return cls(**given)


def _order(order: str) -> tuple[str, ...] | str:
    """The order of the tasks. Whether the stream has them is known when a row opens."""
    if order.strip() in ("arrival", "stream"):
        return order.strip()
    names = tuple(name.strip() for name in order.split(",") if name.strip())
    accepted = 'accepted: "arrival", "stream", or the names of different tasks, separated by commas'
    if not names:
        raise ValueError(f"order = {shown(order)} names no task; {accepted}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"order = {shown(order)} names {', '.join(map(shown, twice))} twice; {accepted}")
    return names


def shown(value: Any) -> str:
    """A value as it is written in a configuration of Flower's."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (bool, str)) else str(value)
