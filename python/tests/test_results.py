"""Results: their matrices, tables and pages, without running anything."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alluvium as al


def stored() -> dict[str, Any]:
    """What `results.json` holds of a small comparison."""
    stream = {"task_aware": [[0.9], [0.8, 0.7]], "task_agnostic": [[0.5], 0.25]}
    rounds = [{"round": 1, "experts": 2, "task_aware": [0.5, 0.6], "task_agnostic": [0.4, 0.3]}]
    final = {"task_aware": [1.0, 0.9]}

    def row(name: str, role: str, accuracy: dict[str, Any], seeds: list[int]) -> dict[str, Any]:
        cells = [{"seed": seed, "accuracy": accuracy, "seconds": 1.0} for seed in seeds]
        return {"name": name, "kind": name, "role": role, "data_access": "none", "settings": {}, "cells": cells}

    return {
        "format": 1,
        "name": "small & <fine>",
        "config": {},
        "protocol": "dcl",
        "seeds": [0, 3],
        "baseline": None,
        "versions": {},
        "environment": {},
        "tasks": [{"name": name, "classes": [name], "test_samples": 5} for name in ("first", "second")],
        "rows": [
            row("naive", "strategy", {"stream": stream}, [0, 3]),
            row("fedavg", "strategy", {"rounds": rounds}, [0]),
            row("devices-alone", "reference", {"final": final}, [0]),
        ],
    }


def results(*labels: str) -> al.Results:
    text = json.dumps(stored())
    return al.Results(al.Variant(label, Path("runs") / label, text) for label in labels or ("",))


def test_a_matrix_is_lower_triangular_and_read_only() -> None:
    matrix = results().matrix("naive")
    np.testing.assert_array_equal(matrix, [[0.9, np.nan], [0.8, 0.7]])
    with pytest.raises(ValueError, match="read-only"):
        matrix[0, 0] = 1
    # Where the schedule spared the other tasks, only the device's own was judged.
    np.testing.assert_array_equal(results().matrix("naive", 3, task_known=False), [[0.5, np.nan], [np.nan, 0.25]])


def part(change: Callable[[dict[str, Any]], object]) -> al.Results:
    """A part of the comparison: what ``change`` leaves of it."""
    left = stored()
    change(left)
    return al.Results([al.Variant("", Path("runs"), json.dumps(left))])


def only_seed(seed: int) -> al.Results:
    def change(stored: dict[str, Any]) -> None:
        stored["seeds"] = [seed]
        for row in stored["rows"]:
            row["cells"] = [cell for cell in row["cells"] if cell["seed"] == seed]

    return part(change)


def only_row(name: str) -> al.Results:
    return part(lambda stored: stored.update(rows=[row for row in stored["rows"] if row["name"] == name]))


def test_parts_that_were_computed_in_several_places_are_one_comparison() -> None:
    merged = al.Results.merge([only_seed(0), only_seed(3)])
    whole = al.Results.merge([results()])
    assert merged == whole and merged.variants[0].data["seeds"] == (0, 3)
    assert merged.table("csv") == results().table("csv")
    rows = [only_row(name) for name in ("naive", "fedavg", "devices-alone")]
    assert al.Results.merge(rows) == whole
    assert al.Results.merge(rows, baseline="naive").variants[0].data["baseline"] == "naive"
    assert [v.label for v in al.Results.merge([results("a", "b"), results("b")]).variants] == ["a", "b"]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], ["no results"]),
        ([results(), part(lambda stored: stored.update(config={"stream": "other"}))], ["part 2", "config.stream", "other"]),
        ([results(), part(lambda stored: stored["rows"][1].update(settings={"rounds": 3}))], ["part 2", "fedavg", "settings"]),
        (
            [results(), part(lambda stored: stored["rows"][2]["cells"][0]["accuracy"]["final"].update(task_aware=[0.5, 0.5]))],
            ["part 2", "devices-alone", "seed 0"],
        ),
    ],
)
def test_what_is_not_one_comparison_is_not_merged(parts: list[al.Results], expected: list[str]) -> None:
    with pytest.raises(al.ConfigError) as caught:
        al.Results.merge(parts)
    assert all(text in str(caught.value) for text in expected), caught.value


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: results().matrix("pld"), ["pld", "naive", "fedavg", "devices-alone"]),
        (lambda: results().matrix("naive", 1), ["1", "0, 3"]),
        (lambda: results().matrix("naive", variant="b"), ["'b'"]),
        (lambda: results("a", "b").matrix("naive"), ["'a'", "'b'"]),
        (lambda: results().matrix("fedavg", 0), ["fedavg", "round"]),
        (lambda: results().matrix("devices-alone", 0), ["devices-alone", "end"]),
        (lambda: results().table("word"), ["word", "terminal", "markdown", "latex", "csv"]),
    ],
)
def test_what_is_not_there_is_named_with_what_is(call: Any, expected: list[str]) -> None:
    with pytest.raises(al.ConfigError) as caught:
        call()
    assert all(text in str(caught.value) for text in expected), caught.value


def test_a_variant_is_chosen_by_its_label() -> None:
    np.testing.assert_array_equal(results("a", "b").matrix("naive", variant="b"), results().matrix("naive"))


def test_data_are_read_only_all_the_way_down() -> None:
    data: Any = results().variants[0].data
    assert data["rows"][0]["cells"][0]["seed"] == 0
    changes: list[Callable[[], object]] = [
        lambda: data.__setitem__("name", "x"),
        lambda: data["rows"].append(1),
        lambda: data["rows"][0].__setitem__("name", "x"),
        lambda: data["rows"][0]["cells"][0]["accuracy"].clear(),
    ]
    for change in changes:
        with pytest.raises((TypeError, AttributeError)):
            change()
    variant = results().variants[0]
    with pytest.raises(AttributeError):
        variant.label = "x"  # type: ignore[misc]


def test_equal_results_are_equal_wherever_they_are() -> None:
    one, other = results("a", "b"), results("a", "b")
    assert one == other and hash(one) == hash(other)
    assert one != results("a") and one != "results"
    assert al.Variant("a", Path("here"), "{}") == al.Variant("a", Path("there"), "{}")


def test_results_can_be_pickled_and_copied() -> None:
    one = results("a", "b")
    for back in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
        assert back == one
        assert back.variants[1].folder == one.variants[1].folder
        np.testing.assert_array_equal(back.matrix("naive", variant="b"), one.matrix("naive", variant="b"))


def test_threads_may_share_results() -> None:
    one = results()
    seen: list[tuple[str, Any]] = []
    threads = [threading.Thread(target=lambda: seen.append((one.table(), one.matrix("naive")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({table for table, _ in seen}) == 1 and len(seen) == len(threads)


def test_a_frame_has_a_line_for_each_number() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    frame = results().frame()
    assert list(frame.columns) == ["strategy", "seed", "metric", "value"]
    wanted = frame[(frame.strategy == "naive") & (frame.seed == 3) & (frame.metric == "average_accuracy_task_aware")]
    assert wanted.value.tolist() == [0.75]
    several = results("a", "b").frame()
    assert list(several.columns) == ["variant", "strategy", "seed", "metric", "value"]
    assert len(several) == 2 * len(frame) and set(several.variant) == {"a", "b"}


def test_a_table_has_every_row_in_every_format() -> None:
    for format in ("terminal", "markdown", "latex", "csv"):
        table = results().table(format)
        assert all(name in table for name in ("naive", "fedavg", "devices-alone"))


def test_a_csv_of_several_variants_is_one_table() -> None:
    lines = list(csv.DictReader(io.StringIO(results("a=1, b=2", "c").table("csv"))))
    alone = list(csv.DictReader(io.StringIO(results().table("csv"))))
    assert len(lines) == 2 * len(alone)
    assert {line["variant"] for line in lines} == {"a=1, b=2", "c"}
    assert [{key: value for key, value in line.items() if key != "variant"} for line in lines[: len(alone)]] == alone


def test_a_notebook_shows_a_table_that_is_escaped() -> None:
    shown = results()._repr_html_()
    assert "&lt;fine&gt;" in shown and "<fine>" not in shown and "naive" in shown


def test_the_page_is_given_and_written(tmp_path: Path) -> None:
    page = results("a", "b").to_html(tmp_path / "page.html")
    assert page.lstrip().lower().startswith("<!doctype html")
    assert (tmp_path / "page.html").read_text("utf-8") == page


def test_text_that_is_not_results_is_refused() -> None:
    with pytest.raises(al.FileError, match="format"):
        al.Results([al.Variant("", Path("x"), '{"format": 99, "name": "x", "rows": []}')]).table()


def test_results_are_read_from_their_folder(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(stored()))
    assert al.Results.read(tmp_path).strategies == ("naive", "fedavg", "devices-alone")
    with pytest.raises(OSError, match="nowhere"):
        al.Results.read(tmp_path / "nowhere")


DEEP = json.dumps({**stored(), "more": 0}).replace('"more": 0', '"more": ' + "[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"{}", b'{"format": 2}', b'{"format": 1, "name": "x"}', b"\xff", b"[" * 100_000, DEEP.encode()]
)
def test_a_file_that_is_not_results_is_refused_by_its_name(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(text)
    with pytest.raises(al.FileError) as caught:
        al.Results.read(tmp_path)
    assert str(caught.value).startswith(f"{os.fspath(file)}: ")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ("abc", "`parts` is a str; accepted: a list of results"),
        (5, "`parts` is a int; accepted: a list of results"),
        (results(), "`parts` is one result; accepted: a list of results"),
        ([results(), "results/a"], "part 2 is a str; accepted: results"),
        ([results("a"), part(lambda stored: stored.update(name="other"))], "part 2 is of the comparison 'other', and others of 'small & <fine>'"),
    ],
)
def test_what_is_no_list_of_parts_is_not_merged(parts: Any, expected: str) -> None:
    with pytest.raises(al.ConfigError) as caught:
        al.Results.merge(parts)
    assert expected in str(caught.value)


def test_a_part_that_is_not_results_is_named_by_its_number() -> None:
    with pytest.raises(al.FileError, match="^part 2: "):
        al.Results.merge([results(), al.Results([al.Variant("", Path("x"), "[]")])])
