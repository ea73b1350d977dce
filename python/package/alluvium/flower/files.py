"""Small files that survive a kill: state that is replaced as a whole, and logs that grow line by line."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any


def write(path: Path, data: bytes) -> None:
    """Replaces a file as a whole: after a kill, it has the old or the new contents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path, value: Any) -> None:
    """Replaces a JSON file as a whole."""
    write(path, json.dumps(value, sort_keys=True).encode())


def read_json(path: Path, default: Any) -> Any:
    """Reads a JSON file, or gives ``default`` if there is none."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return default


class Lines:
    """A log of JSON lines. A line that a kill cut is completed with a line break when the log is opened again."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "ab+", buffering=0)
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def add(self, **values: Any) -> None:
        """Adds a line, with the time in front. The line goes to the system in one call."""
        now = datetime.datetime.now(datetime.timezone.utc)
        line = {"time": now.isoformat(timespec="milliseconds"), **values}
        self._file.write(json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Reads a log. Lines that were cut are left out."""
    lines = []
    if path.exists():
        for line in path.read_bytes().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
    return lines
