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
