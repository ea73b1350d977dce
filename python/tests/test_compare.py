"""Comparisons: results, errors, resume, interruption, threads."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alluvium as al


def measured(text: str) -> Any:
    """Results without what differs from run to run: times, memory, versions and the program."""
    data = json.loads(text)
    for key in ("versions", "environment"):
        data.pop(key)
    for row in data["rows"]:
        for cell in row["cells"]:
            for key in ("seconds", "device_seconds", "consolidation_seconds", "elapsed_seconds", "peak_memory_bytes"):
                cell.pop(key, None)
    return data


def test_results_are_those_of_the_command(config: Any, run: Any, tmp_path: Path) -> None:
    binary = os.environ.get("ALLUVIUM_BINARY")
    command = [binary] if binary else [sys.executable, "-m", "alluvium"]
    config["strategies"] += [{"kind": "pld", "steps": 20}, {"kind": "ties"}]
    config["surrogate"] = {"kind": "noise"}
    config["references"] = ["joint"]
    file = tmp_path / "small.toml"
    file.write_text(toml(config))
    ended = subprocess.run([*command, "-q", "compare", str(file), "--out", str(tmp_path / "other")], capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()
    theirs = (tmp_path / "other" / "results.json").read_text()
    from_table, from_file = run(config), al.compare(file, out=tmp_path / "third", progress=False)
    assert measured(from_table.variants[0].json) == measured(theirs)
    assert measured(from_file.variants[0].json) == measured(theirs)


def toml(config: dict[str, Any]) -> str:
    """A configuration as TOML; JSON writes numbers, texts and lists in the same way."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in config.items() if not isinstance(value, dict) and key != "strategies"]
    for key, table in config.items():
        if isinstance(table, dict):
            lines += [f"[{key}]", *(f"{name} = {json.dumps(value)}" for name, value in table.items())]
    for row in config["strategies"]:
        lines += ["[[strategies]]", *(f"{name} = {json.dumps(value)}" for name, value in row.items())]
    return "\n".join(lines)


def test_results_are_read_only_and_can_be_pickled(config: Any, run: Any) -> None:
    results = run(config)
    assert pickle.loads(pickle.dumps(results)) == results
    with pytest.raises(AttributeError):
        results.variants = ()
    with pytest.raises(TypeError):
        results.variants[0].data["name"] = "other"
    with pytest.raises(ValueError):
        results.matrix("weight-averaging")[0, 0] = 1.0


def test_a_frame_has_every_metric_of_every_cell(config: Any, run: Any) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    config["seeds"] = [0, 1]
    frame = run(config).frame()
    assert list(frame.columns) == ["strategy", "seed", "metric", "value"]
    accuracy = frame[frame.metric == "average_accuracy_task_aware"]
    assert list(accuracy.seed) == [0, 1] and accuracy.value.between(0.5, 1).all()
    matrix = run(config).matrix("weight-averaging", seed=1)
    # ACC is the mean of the last row, as Lopez-Paz and Ranzato define it.
    assert np.isclose(accuracy.value.iloc[1], matrix[-1].mean())
    assert np.isnan(matrix[0, 1]) and matrix.shape == (3, 3)


def test_a_sweep_gives_variants(config: Any, run: Any) -> None:
    config["device"]["epochs"] = [1, 2]
    results = run(config)
    assert [variant.label for variant in results.variants] == ["device.epochs=1", "device.epochs=2"]
    with pytest.raises(al.ConfigError, match="device.epochs=1"):
        results.matrix("weight-averaging")
    assert results.matrix("weight-averaging", variant="device.epochs=2").shape == (3, 3)


def test_the_page_and_the_tables_are_there(config: Any, run: Any, tmp_path: Path) -> None:
    results = run(config)
    page = results.to_html(tmp_path / "page.html")
    assert page.startswith("<!DOCTYPE html>") and (tmp_path / "page.html").read_text() == page
    assert "weight-averaging" in results.table("latex") and "<pre>" in results._repr_html_()
    with pytest.raises(al.ConfigError, match="terminal, markdown, latex, csv"):
        results.table("word")


def test_wrong_configurations_name_the_key_and_what_is_accepted(config: Any, run: Any, tmp_path: Path) -> None:
    config["device"]["epoch"] = 3
    with pytest.raises(al.ConfigError, match=r"(?s)\[device\].*`epoch` is not a key of this table \(did you mean `epochs`\?\); accepted: the keys"):
        run(config)
    with pytest.raises(al.ConfigError, match="cannot be read"):
        run(tmp_path / "nowhere.toml")
    config["device"] = {"epochs": 1}
    config["strategies"] = [{"kind": "unheard-of"}]
    with pytest.raises(al.ConfigError, match='unknown strategy kind "unheard-of".*weight-averaging'):
        run(config)


def test_a_run_goes_on_where_it_was(config: Any, run: Any, tmp_path: Path) -> None:
    first = run(config)
    began = time.perf_counter()
    again = run(config)
    assert time.perf_counter() - began < 60
    assert again.variants[0].json == first.variants[0].json, "the times are those of the first computation"
    config["device"]["epochs"] = 2
    with pytest.raises(al.ConfigError, match="device.epochs"):
        run(config)
    assert run(config, fresh=True) != first


def test_progress_is_told_and_other_threads_run(config: Any, run: Any) -> None:
    told: list[tuple[int, int, str]] = []
    ticks: list[float] = []
    over = threading.Event()

    def tick() -> None:
        while not over.wait(0.005):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    config["device"]["epochs"] = 60
    al.compare(config, out=run.__closure__[0].cell_contents / "told", progress=lambda *now: told.append(now))
    over.set()
    thread.join()
    assert told[-1][0] == told[-1][1] > 5
    # How often it is told depends on the machine; that it is told at the end does not.
    assert "seed 0: consolidating" in told[-1][2], told
    assert len(ticks) > 3, "the interpreter was held while the work was done"


def test_two_comparisons_run_in_two_threads(config: Any, tmp_path: Path) -> None:
    found: dict[int, al.Results] = {}

    def compared(number: int) -> None:
        found[number] = al.compare(config, out=tmp_path / str(number), progress=False)

    threads = [threading.Thread(target=compared, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(found[0].matrix("weight-averaging"), found[1].matrix("weight-averaging"), equal_nan=True)


def interrupted(script: str, folder: Path, after: str) -> tuple[int, str]:
    """Runs a script, sends it Ctrl-C when it has printed `after`, and returns its exit code and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(script)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Where the tests run in the background of a shell, the signal is ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if after in line:
                process.send_signal(signal.SIGINT)
                break
        rest, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, printed + rest


@pytest.mark.skipif(os.name == "nt", reason="skipped: interruptions, because Windows has other signals")
def test_ctrl_c_stops_a_run_that_then_goes_on(config: Any, tmp_path: Path) -> None:
    config["device"]["epochs"] = 3000
    script = f"""
        import alluvium as al
        def told(done, all, text):
            if "adapting" in text: print("begun", flush=True)
        try:
            al.compare({config!r}, out="run", progress=told)
        except KeyboardInterrupt:
            print("stopped")
    """
    began = time.perf_counter()
    code, printed = interrupted(script, tmp_path, "begun")
    assert code == 0 and "stopped" in printed, printed
    assert time.perf_counter() - began < 60, "it waited for the end of training"
    config["device"]["epochs"] = 1
    assert al.compare(config, out=tmp_path / "run", fresh=True, progress=False).strategies[0] == "weight-averaging"


def test_values_of_numpy_and_read_only_tables_are_a_configuration(config: Any, run: Any) -> None:
    config["device"] = {"epochs": np.int64(1), "learning_rate": np.float32(0.125)}
    config["backbone"]["layers"] = (32,)
    config["seeds"] = range(1)
    assert al.check(config) == []
    for number, seeds in enumerate((range(1), (0,), [np.int64(0)], np.arange(1))):
        results = run(config, seeds=seeds, jobs=np.int64(1))
        assert results.variants[0].data["seeds"] == (0,), number
    stated = results.variants[0].data["config"]
    assert stated["device"]["learning_rate"] == 0.125
    assert al.check(stated) == []


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"device": {"learning_rate": float("nan")}}, "`device.learning_rate` is nan; accepted: finite numbers"),
        ({"strategies": [{"kind": "ties", "density": np.float32("inf")}]}, r"`strategies\[0\].density` is inf; accepted: finite numbers"),
        ({"device": {"epochs": object()}}, "`device.epochs` is a object; accepted: numbers, texts"),
    ],
)
def test_values_that_are_none_of_a_configuration_are_named(config: Any, table: dict[str, Any], expected: str) -> None:
    with pytest.raises(al.ConfigError, match=f"^{expected}"):
        al.check({**config, **table})
    with pytest.raises(al.ConfigError, match="stream.tasks"):
        al.announce({"kind": "split-glyphs", "tasks": float("nan")}, 0)
    with pytest.raises(al.ConfigError, match="the configuration is a list; accepted: a TOML file, or a table"):
        al.check([config])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"seeds": [-1]}, r"`seeds\[0\]` is -1; accepted: a whole number from 0"),
        ({"seeds": [0, 0.5]}, r"`seeds\[1\]` is 0.5; accepted: a whole number from 0"),
        ({"seeds": [2**64]}, r"`seeds\[0\]` is 18446744073709551616; accepted: a whole number below"),
        ({"seeds": 3}, "`seeds` is 3; accepted: a list of whole numbers"),
        ({"jobs": -1}, "`jobs` is -1; accepted: a whole number from 1"),
        ({"jobs": 0}, "`jobs` is 0; accepted: a whole number from 1"),
        ({"cache_bytes": -1}, "`cache_bytes` is -1; accepted: a whole number from 0"),
        ({"cache": ""}, "`cache` is ''; accepted: the path of a folder"),
        ({"out": ""}, "`out` is ''; accepted: the path of a folder"),
    ],
)
def test_wrong_arguments_are_named_with_what_is_accepted(config: Any, tmp_path: Path, arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(al.ConfigError, match=f"^{expected}"):
        al.compare(config, **{"out": tmp_path / "run", **arguments}, progress=False)
    assert not (tmp_path / "run").exists()


def test_a_directory_of_another_run_is_refused_in_the_words_of_python(config: Any, tmp_path: Path) -> None:
    al.compare(config, out=tmp_path / "run", progress=False)
    config["device"]["epochs"] += 1
    with pytest.raises(al.ConfigError, match="fresh=True"):
        al.compare(config, out=tmp_path / "run", progress=False)


def test_a_callback_that_raises_stops_the_run(config: Any, tmp_path: Path) -> None:
    config["device"]["epochs"] = 3000

    def told(done: int, all: int, text: str) -> None:
        raise ZeroDivisionError

    began = time.perf_counter()
    with pytest.raises(ZeroDivisionError):
        al.compare(config, out=tmp_path / "run", progress=told)
    assert time.perf_counter() - began < 60, "it waited for the end of training"
    # Nothing works in the background any more: the directory is free.
    config["device"]["epochs"] = 1
    assert al.compare(config, out=tmp_path / "run", fresh=True, progress=False).strategies


def test_a_store_that_is_too_small_is_an_error(config: Any, tmp_path: Path) -> None:
    with pytest.raises(al.AlluviumError, match="cache_bytes"):
        al.compare(config, out=tmp_path / "run", cache_bytes=1, progress=False)
