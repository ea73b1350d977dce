"""Devices elsewhere: statistics that a strategy asks for, reports where the centre cannot judge, and pools of one's own."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import alluvium as al
import pytest

STREAM = {"kind": "split-glyphs", "tasks": 2, "classes_per_task": 2}


def config(**changed: Any) -> dict[str, Any]:
    return {
        "name": "elsewhere",
        "protocol": {"kind": "dcl"},
        "seeds": [0],
        "references": [],
        "backend": {"kind": "flex"},
        "stream": STREAM,
        "backbone": {"kind": "mlp", "layers": [8]},
        "device": {"epochs": 1},
        "strategies": [{"kind": "weight-averaging"}],
        **changed,
    }


def drive(folder: Path, table: dict[str, Any], judge: bool = False) -> tuple[al.Results, list[al.Received]]:
    """One device after another, each with a hand-out and an expert that travelled as bytes."""
    received = []
    centre = al.Centre(folder, table)
    for task in range(2):
        hand_out = centre.hand_out(al.announce(STREAM, task))
        expert = al.adapt(hand_out.to_bytes(), stream=STREAM, judge=judge)
        received.append(centre.receive(hand_out, expert.to_bytes(), accuracy=expert.own_accuracy))
    return centre.close(), received


def cells(results: al.Results) -> Any:
    return json.loads(results.variants[0].json)["rows"][0]["cells"][0]


@pytest.mark.parametrize("strategy", ["fisher-merging", "reg-mean", "class-statistics"])
def test_devices_compute_the_statistics_that_the_strategy_asks_for(tmp_path: Path, strategy: str) -> None:
    table = config(strategies=[{"kind": strategy}])
    driven, _ = drive(tmp_path / "driven", table)
    compared = al.compare(table, out=tmp_path / "compared", progress=False)
    ours, theirs = cells(driven), cells(compared)
    assert ours["accuracy"] == theirs["accuracy"] and ours["statistics_bytes"] == theirs["statistics_bytes"]
    assert sum(ours["statistics_bytes"]) > 0


def declared() -> dict[str, Any]:
    with_samples = [al.announce(STREAM, task) for task in range(2)]
    tasks = {announcement.task: list(announcement.classes) for announcement in with_samples}
    return {"kind": "declared", "input": [1, 28, 28], "tasks": tasks, "order": list(tasks)}


def test_a_centre_without_samples_takes_the_reports_of_devices(tmp_path: Path) -> None:
    results, received = drive(tmp_path / "reported", config(stream=declared()), judge=True)
    truth, judged = drive(tmp_path / "judged", config())
    assert [one.expert_accuracy for one in received] == [one.expert_accuracy for one in judged]
    assert all(one.task_aware == () for one in received)
    cell = cells(results)
    assert cell["expert_accuracy"] == cells(truth)["expert_accuracy"]
    assert cell["accuracy"] == {"unmeasured": {"tasks": 2}}
    assert any("what its device reported" in note for note in cell["notes"])
    assert "expert_accuracy" in set(results.frame()["metric"]) and "weight-averaging" in results.table()


def test_without_reports_nothing_is_judged(tmp_path: Path) -> None:
    results, received = drive(tmp_path / "silent", config(stream=declared()))
    assert [one.expert_accuracy for one in received] == [None, None]
    assert "expert_accuracy" not in cells(results)
    assert "expert_accuracy" not in set(results.frame()["metric"])


def test_a_report_that_is_no_accuracy_is_refused(tmp_path: Path) -> None:
    centre = al.Centre(tmp_path, config(stream=declared()))
    hand_out = centre.hand_out(al.announce(STREAM, 0))
    with pytest.raises(al.ConfigError, match="reports the accuracy 2"):
        centre.receive(hand_out, al.adapt(hand_out, stream=STREAM), accuracy=2.0)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ({"kind": "command", "program": "touch"}, "run programs"),
        ({"outliers": {"kind": "image-folder", "folder": "private"}}, "may not ask for"),
    ],
)
def test_a_centre_may_not_name_programs_or_files_of_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: dict[str, Any], said: str
) -> None:
    """The hand-out of a centre that was changed to name them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "face.png").write_bytes(b"a picture")
    centre = al.Centre(tmp_path / "run", config())
    honest = centre.hand_out(al.announce(STREAM, 0)).to_bytes()

    def as_sent(table: dict[str, Any]) -> bytes:
        # The terms are a text within the header of a safetensors file.
        return json.dumps(json.dumps(table, separators=(",", ":")))[1:-1].encode()

    settings, changed = as_sent(centre.under_way()[0].terms["settings"]), as_sent({"kind": "in-process", **device})
    assert honest.count(settings) == 1 and len(changed) < len(settings)
    with pytest.raises(al.ConfigError, match=said):
        al.adapt(honest.replace(settings, changed.ljust(len(settings))), stream=STREAM)


class Threads:
    """A pool of one's own: a thread for each job."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def submit(self, job: al.Job) -> None:
        def work() -> None:
            try:
                expert = al.adapt(job.hand_out, stream=job.stream, seed=job.seed)
                job.done(expert.to_bytes(), 1.5)
            except al.AlluviumError as error:
                job.failed(str(error))

        self.names.append(job.task)
        threading.Thread(target=work).start()


def test_a_pool_of_ones_own_gives_the_numbers_of_one_process(tmp_path: Path) -> None:
    pool, table = Threads(), config()
    pooled = al.compare({**table, "device": {"kind": "flower", "adapt": table["device"]}}, out=tmp_path / "pool", pool=pool)
    here = al.compare(table, out=tmp_path / "here")
    assert cells(pooled)["accuracy"] == cells(here)["accuracy"]
    assert (cells(pooled)["bytes_down"], cells(pooled)["bytes_up"]) == (cells(here)["bytes_down"], cells(here)["bytes_up"])
    assert cells(pooled)["device_seconds"] == [1.5, 1.5] and len(pool.names) == 2


def test_an_expert_of_other_work_is_refused_and_the_job_stays(tmp_path: Path) -> None:
    told: list[str] = []

    class Wrong(Threads):
        def submit(self, job: al.Job) -> None:
            try:
                job.done(b"not an expert")
            except al.FileError as error:
                told.append(str(error))
            super().submit(job)

    table = config(device={"kind": "flower", "adapt": {"epochs": 1}})
    al.compare(table, out=tmp_path, pool=Wrong())
    assert len(told) == 2


def test_samples_that_differ_at_the_worker_are_refused(tmp_path: Path) -> None:
    class OtherSeed(Threads):
        def submit(self, job: al.Job) -> None:
            with pytest.raises(al.ConfigError, match="are not those of the process that asks"):
                al.adapt(job.hand_out, stream=job.stream, seed=job.seed + 1)
            job.failed("other samples")

    table = config(device={"kind": "flower", "adapt": {"epochs": 1}})
    with pytest.raises(al.RunError, match="other samples"):
        al.compare(table, out=tmp_path, pool=OtherSeed())
