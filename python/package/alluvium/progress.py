"""The progress of a comparison: a bar in terminals and notebooks."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any



@contextlib.contextmanager
def bar(progress: bool | Callable[[int, int, str], None] | None) -> Iterator[Callable[[int, int, str], None] | None]:
    """What is told about the progress: a bar, a function of the caller's, or nothing.

    Args:
        progress: True or False: with or without a bar; None: with a bar in terminals and notebooks; or a function that gets the number
            of finished stages, the number of all stages, and what is being done.
    """
    if callable(progress):
        yield progress
        return
    if progress is None:
        progress = "ipykernel" in sys.modules or sys.stderr.isatty()
    if not progress:
        yield None
        return
    with warnings.catch_warnings():
        # Without ipywidgets, notebooks get a bar of text. A warning would say so at every import.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    with tqdm(total=0, unit=" stages", leave=False, dynamic_ncols=True) as shown:
        yield _Bar(shown)


class _Bar:
    def __init__(self, shown: Any) -> None:
        self._shown = shown

    def __call__(self, done: int, total: int, text: str) -> None:
        self._shown.total = total
        self._shown.n = done
        self._shown.set_postfix_str(text, refresh=False)
        self._shown.refresh()
