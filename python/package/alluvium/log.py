"""Messages of the library go to the logger ``alluvium``."""

from __future__ import annotations

import logging
import threading

from alluvium import _alluvium

LOGGER = logging.getLogger("alluvium")
LOGGER.addHandler(logging.NullHandler())

_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}
_started = threading.Event()


def start() -> None:
    """Sends messages to the logger, from the first call on."""
    if not _started.is_set():
        _started.set()
        _alluvium.start_logging(_write)


def _write(level: str, message: str) -> None:
    LOGGER.log(_LEVELS.get(level, logging.INFO), "%s", message)
