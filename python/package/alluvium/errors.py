"""The exceptions of the package. Their messages say what is wrong, where, and what is accepted."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alluvium.results import Results


class AlluviumError(Exception):
    """What all exceptions of the package have in common."""


class ConfigError(AlluviumError, ValueError):
    """A configuration, an option or an argument is wrong. Nothing was computed."""


class FileError(AlluviumError, ValueError):
    """A file, a checkpoint, a tensor or what a device sent is wrong."""


class RunError(AlluviumError, RuntimeError):
    """The work failed. ``__cause__`` is the exception of a plugin in Python, if one led to it."""

    def __init__(self, message: str, *, results: Results | None = None, failures: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.results = results
        """What was computed, if a comparison failed in part."""
        self.failures = failures
        """The messages of the cells that failed."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _run_error, (str(self), self.results, self.failures)


def _run_error(message: str, results: Results | None, failures: tuple[str, ...]) -> RunError:
    return RunError(message, results=results, failures=failures)


def in_words(error: BaseException) -> str:
    """An exception in words: its type, its message, and the last line of the user's code that it came through."""
    text = "".join(traceback.format_exception_only(error)).strip()
    frames = traceback.extract_tb(error.__traceback__)
    package = os.path.dirname(__file__)
    own = [frame for frame in frames if os.path.dirname(frame.filename) != package] or frames
    if not own:
        return text
    last = own[-1]
    return f"{text} ({last.filename}, line {last.lineno}, in {last.name})"
