"""The results of a comparison."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from alluvium import _alluvium
from alluvium.errors import ConfigError, FileError
from alluvium.model import Model

if TYPE_CHECKING:
    import pandas


class Variant:
    """One of the comparisons that a configuration describes: one value of every list that it sweeps. It is read-only."""

    __slots__ = ("_data", "_folder", "_json", "_label")

    def __init__(self, label: str, folder: Path, text: str) -> None:
        self._label = label
        self._folder = folder
        self._json = text
        self._data = _frozen(json.loads(text))

    @property
    def label(self) -> str:
        """The values that were chosen, such as ``device.epochs=1``; empty if nothing is swept."""
        return self._label

    @property
    def folder(self) -> Path:
        """The folder with ``results.json``, ``summary.csv`` and ``table.md``."""
        return self._folder

    @property
    def data(self) -> Mapping[str, Any]:
        """All measurements, as ``results.json`` holds them. Tables are read-only, and lists are tuples."""
        return self._data  # type: ignore[no-any-return]

    @property
    def json(self) -> str:
        """The text of ``results.json``."""
        return self._json

    def __reduce__(self) -> tuple[Any, ...]:
        return Variant, (self._label, self._folder, self._json)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Variant) and (self._label, self._json) == (other._label, other._json)

    def __hash__(self) -> int:
        return hash((self._label, self._json))

    def __repr__(self) -> str:
        return f"Variant({self._label!r}, {os.fspath(self._folder)!r})"


class Results:
    """The results of a comparison: one variant, or several if the configuration sweeps values. They are read-only, and can be pickled."""

    __slots__ = ("_variants",)

    def __init__(self, variants: Iterable[Variant]) -> None:
        self._variants = tuple(variants)

    @classmethod
    def of(cls, variants: Iterable[tuple[str, str, str]]) -> Results:
        """Results of labels, folders and texts of ``results.json``."""
        return cls(Variant(label, Path(folder), text) for label, folder, text in variants)

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Results:
        """The results in a folder that holds ``results.json``.

        Raises:
            OSError: there is none.
            FileError: the file holds something else than results, or results of another format.
        """
        file = Path(folder) / "results.json"
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise FileError(f"{file}: this is not text in UTF-8: {error}") from error
        _check(text, os.fspath(file))
        try:
            return cls([Variant("", Path(folder), text)])
        except (ValueError, RecursionError) as error:
            # The core skips what it does not know, however deep that is.
            raise FileError(f"{file}: this is not the JSON form of results: {error}") from error

    @classmethod
    def merge(cls, parts: Iterable[Results], *, baseline: str | None = None) -> Results:
        """Parts of one comparison that were computed in several places, such as some seeds on one machine and the others on another,
        as one comparison. They may differ in their strategies, seeds and baseline only. Variants with the same label become one,
        whose folder is that of the first part.

        Args:
            parts: the results to merge.
            baseline: the row that the others are compared with; default: the one that the parts name.

        Raises:
            ConfigError: there are no parts, they are of different comparisons, or they measured the same cell differently.
            FileError: a part holds something else than results.
        """
        if isinstance(parts, Results):
            raise ConfigError("`parts` is one result; accepted: a list of results")
        if isinstance(parts, (str, bytes, Mapping)) or not isinstance(parts, Iterable):
            raise ConfigError(f"`parts` is a {type(parts).__name__}; accepted: a list of results, as `Results.read` gives them")
        labels: dict[str, list[Variant]] = {}
        first = None
        for number, part in enumerate(parts, 1):
            if not isinstance(part, Results):
                raise ConfigError(f"part {number} is a {type(part).__name__}; accepted: results, as `Results.read` gives them")
            for variant in part.variants:
                _check(variant.json, f"part {number}")
                # Variants with different labels are not compared below, so the name alone tells that they belong together.
                name = variant.data["name"]
                first = name if first is None else first
                if name != first:
                    raise ConfigError(f"part {number} is of the comparison {name!r}, and others of {first!r}; accepted: parts of one comparison")
                labels.setdefault(variant.label, []).append(variant)
        if not labels:
            raise ConfigError("there are no results to merge; accepted: the results of one comparison or more")
        return cls(
            Variant(label, variants[0].folder, _alluvium.merge([variant.json for variant in variants], baseline))
            for label, variants in labels.items()
        )

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The variants, in the order of the configuration."""
        return self._variants

    @property
    def strategies(self) -> tuple[str, ...]:
        """The names of all rows, references among them."""
        names = (row["name"] for variant in self._variants for row in variant.data["rows"])
        return tuple(dict.fromkeys(names))

    def frame(self) -> pandas.DataFrame:
        """Every metric of every cell, a line each: ``strategy``, ``seed``, ``metric``, ``value``; before them ``variant``, if there are
        several. ``alluvium report`` says what the metrics are.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("`frame` needs pandas: pip install 'alluvium[pandas]'") from error
        lines = [
            (variant.label, row, seed, metric, value)
            for variant in self._variants
            for row, _, seed, metric, value in _alluvium.metrics(variant.json)
        ]
        frame: pandas.DataFrame = pandas.DataFrame(lines, columns=["variant", "strategy", "seed", "metric", "value"])
        return frame if len(self._variants) > 1 else frame.drop(columns="variant")

    def matrix(
        self, strategy: str, seed: int | None = None, *, task_known: bool = True, variant: str | None = None
    ) -> npt.NDArray[np.float64]:
        """The accuracy matrix of a strategy: row t has the accuracies on the tasks after device t, in the order in which devices came
        back, which is that of the stream unless the cell has ``arrivals`` in :attr:`Variant.data`. Above the diagonal, where tasks
        are not met yet, and where a task was not judged, it is NaN. It is read-only.

        Args:
            strategy: the name of a row.
            seed: the seed; default: the first one.
            task_known: whether a sample's own head answers, or all heads compete.
            variant: the label of a variant; default: the only one.

        Raises:
            ConfigError: there is no such row, seed or variant, or the row has no matrix.
        """
        accuracy = self._cell(strategy, seed, variant)["accuracy"]
        if "unmeasured" in accuracy:
            raise ConfigError(f"{strategy!r} has no matrix: its centre had no test samples; accepted: a stream that has some")
        if "stream" not in accuracy:
            raise ConfigError(f"{strategy!r} has no matrix: it was judged at the end or round by round; accepted: a strategy under `dcl`")
        stored = accuracy["stream"]["task_aware" if task_known else "task_agnostic"]
        matrix = np.full((len(stored), len(stored)), np.nan)
        for number, line in enumerate(stored):
            # Where only the device's own task was judged, a number stands in place of the row.
            if isinstance(line, tuple):
                matrix[number, : len(line)] = line
            else:
                matrix[number, number] = line
        matrix.setflags(write=False)
        return matrix

    def model(self, strategy: str, seed: int | None = None, *, variant: str | None = None) -> Model:
        """The central model after the last device, if ``compare(…, models=True)`` kept it. It is read from the run directory.

        Args:
            strategy: the name of a row.
            seed: the seed; default: the first one.
            variant: the label of a variant; default: the only one.

        Raises:
            ConfigError: there is no such row, seed or variant, or no model was kept.
            OSError: its file is gone.
            FileError: its file holds something else.
        """
        file = self._cell(strategy, seed, variant).get("model")
        if file is None:
            raise ConfigError(f"no model of {strategy!r} was kept; accepted: `models=True`, with which `compare` keeps them without training again")
        return Model.from_bytes((self._variant(variant).folder / file).read_bytes())

    def _cell(self, strategy: str, seed: int | None, variant: str | None) -> Mapping[str, Any]:
        rows = {row["name"]: row for row in self._variant(variant).data["rows"]}
        if strategy not in rows:
            raise ConfigError(f"there is no row {strategy!r}; accepted: {', '.join(rows)}")
        cells = {cell["seed"]: cell for cell in rows[strategy]["cells"]}
        seed = next(iter(cells), None) if seed is None else seed
        if seed is None or seed not in cells:
            raise ConfigError(f"{strategy!r} has no seed {seed}; accepted: {', '.join(map(str, cells)) or 'none'}")
        cell: Mapping[str, Any] = cells[seed]
        return cell

    def table(self, format: str = "terminal") -> str:
        """The comparison table. Several variants follow one another, each under its label; as CSV, they are one table whose first
        column is ``variant``.

        Args:
            format: ``"terminal"``, ``"markdown"``, ``"latex"`` or ``"csv"``.

        Raises:
            ConfigError: another format.
        """
        tables = [(variant.label, _alluvium.render(variant.json, format)) for variant in self._variants]
        if format == "csv" and len(tables) > 1:
            return _joined(tables)
        return "\n\n".join(f"{label}\n\n{table}" if label else table for label, table in tables)

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """The report: one HTML page with tables and charts, which works offline.

        Args:
            path: where to write it, too; default: nowhere.
        """
        runs = [(variant.label or variant.data["name"], os.fspath(variant.folder), variant.json) for variant in self._variants]
        page = _alluvium.page(runs)
        if path is not None:
            Path(path).write_text(page, "utf-8")
        return page

    def _variant(self, label: str | None) -> Variant:
        labels = [variant.label for variant in self._variants]
        if label is None and len(labels) == 1:
            return self._variants[0]
        if label not in labels:
            accepted = ", ".join(repr(one) for one in labels)
            raise ConfigError(f"there is no variant {label!r}; accepted: {accepted}")
        return self._variants[labels.index(label)]

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self.table())}</pre>"

    def __repr__(self) -> str:
        return self.table()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Results) and self._variants == other._variants

    def __hash__(self) -> int:
        return hash(self._variants)

    def __reduce__(self) -> tuple[Any, ...]:
        return Results, (self._variants,)


def _check(text: str, where: str) -> None:
    """Refuses text that is not results; ``where`` says whose it is."""
    try:
        _alluvium.metrics(text)
    except FileError as error:
        raise FileError(f"{where}: {error}") from error


def _joined(tables: list[tuple[str, str]]) -> str:
    """Tables of CSV with the same columns as one, with the label of each in front."""
    lines = [[label, *line] for label, table in tables for line in list(csv.reader(io.StringIO(table)))[1:]]
    heading = next(csv.reader(io.StringIO(tables[0][1])))
    joined = io.StringIO()
    csv.writer(joined, lineterminator="\n").writerows([["variant", *heading], *lines])
    return joined.getvalue()


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(inner) for inner in value)
    return value
