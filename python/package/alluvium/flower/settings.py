"""What a run of the server app is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
        order = given.get("order", "arrival")
        if order not in ("arrival", "stream"):
            given["order"] = tuple(name.strip() for name in str(order).split(",") if name.strip())
        if given.get("until", "all-tasks") not in ("all-tasks", "stopped"):
            raise ValueError(f"until = \"{given['until']}\"; accepted: \"all-tasks\", \"stopped\"")
        return cls(**given)
