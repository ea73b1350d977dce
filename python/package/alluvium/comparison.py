"""Comparisons of strategies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial

from alluvium import _alluvium, log
from alluvium.centre import Config, source
from alluvium.errors import RunError
from alluvium.plugins import at_work
from alluvium.pool import Pool, submit
from alluvium.progress import bar
from alluvium.results import Results
from alluvium.values import folder, whole_number, whole_numbers

Progress = Callable[[int, int, str], None]


@at_work()
def compare(
    config: Config,
    *,
    out: str | os.PathLike[str] | None = None,
    seeds: Iterable[int] | None = None,
    jobs: int | None = None,
    backend: str | None = None,
    fresh: bool = False,
    cache: str | os.PathLike[str] | None = None,
    cache_bytes: int | None = None,
    models: bool = False,
    pool: Pool | None = None,
    progress: bool | Progress | None = None,
) -> Results:
    """Runs the comparison that a configuration describes. The numbers are those of ``alluvium compare``.

    What is done is kept in the run directory, and the same call goes on from there: after an exception, an interruption or a kill.
    While it runs, other threads of Python run. Code of strategies, devices and streams in Python runs in the calling thread, one call
    after another; cells whose code is not in Python run side by side. Ctrl-C stops the run at the next step.

    Args:
        config: a TOML file, or the same as a table.
        out: the run directory; default: ``results/NAME``.
        seeds: seeds instead of the configuration's.
        jobs: cells that run side by side; default: one for each core. The results do not depend on it.
        backend: the kind of a backend instead of the configuration's.
        fresh: removes what the run directory holds, and starts over.
        cache: the folder for stored stages, which runs may share; default: in the run directory.
        cache_bytes: the most bytes that the cache keeps.
        models: keeps the last central model of each row and seed; see ``Results.model``. A run that is done keeps them, too, when it is
            called again.
        pool: who does the work of devices of the kind ``flower``. Say as many `jobs` as it has workers: a cell waits for one device at a
            time.
        progress: True or False: with or without a bar; default: a bar in terminals and notebooks. Or a function that gets the number of
            finished stages, of all stages, and what is being done.

    Raises:
        ConfigError: the configuration is wrong, or the run directory belongs to another one. Nothing was trained.
        RunError: cells failed. ``results`` holds what the others measured, and ``__cause__`` the exception of a plugin in Python.
        KeyboardInterrupt: it was interrupted.
    """
    log.start()
    file, table = source(config)
    with bar(progress) as report:
        variants, failures, cause = _alluvium.compare(
            file=file,
            table=table,
            out=None if out is None else folder("out", out),
            seeds=None if seeds is None else whole_numbers("seeds", seeds),
            jobs=None if jobs is None else whole_number("jobs", jobs, least=1),
            backend=backend,
            fresh=fresh,
            cache=None if cache is None else folder("cache", cache),
            cache_bytes=None if cache_bytes is None else whole_number("cache_bytes", cache_bytes),
            models=bool(models),
            pool=None if pool is None else partial(submit, pool),
            progress=report,
        )
    results = Results.of(variants)
    if failures:
        cells = "1 cell" if len(failures) == 1 else f"{len(failures)} cells"
        message = f"{cells} failed, the others are in `results`: {'; '.join(failures)}"
        raise RunError(message, results=results, failures=tuple(failures)) from cause
    return results


@at_work()
def check(config: Config) -> list[str]:
    """Checks a configuration without training anything.

    Returns:
        Notes: facts about the data that are not errors but may surprise.

    Raises:
        ConfigError: it is wrong; the message names each key, and what is accepted.
    """
    log.start()
    file, table = source(config)
    return [note for _, _, notes in _alluvium.check(file=file, table=table) for note in notes]
