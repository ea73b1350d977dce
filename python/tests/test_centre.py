"""A centre that is driven from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alluvium as al
import averaging  # noqa: F401


def visit(centre: al.Centre, config: Any, task: al.TaskInfo) -> tuple[al.HandOut, bytes]:
    """A device far away: everything that it takes and sends is bytes."""
    stated = al.Announcement.from_json(al.announce(config["stream"], task.name, seed=centre.seed).to_json())
    taken = al.HandOut.from_bytes(centre.hand_out(stated).to_bytes())
    return taken, al.adapt(taken.to_bytes(), stream=config["stream"], seed=centre.seed).to_bytes()


@pytest.mark.parametrize("kind", ["weight-averaging", "my-averaging"])
def test_its_numbers_are_those_of_a_comparison(config: Any, run: Any, tmp_path: Path, kind: str) -> None:
    config["strategies"] = [{"kind": kind}]
    expected = run(config).matrix(kind)
    centre = al.Centre(tmp_path / "centre", config)
    assert [task.name for task in centre.tasks] == [task["name"] for task in run(config).variants[0].data["tasks"]]
    for task in centre.tasks:
        taken, sent = visit(centre, config, task)
        received = centre.receive(taken, sent, seconds=1.5)
        if taken.visit == 0:
            assert centre.results().matrix(kind).shape == (1, 1)
        assert 0.5 < received.expert_accuracy <= 1
    results = centre.close()
    assert np.array_equal(results.matrix(kind), expected, equal_nan=True)
    assert (tmp_path / "centre" / "central.safetensors").exists()
    with pytest.raises(al.ConfigError, match="the centre is closed"):
        centre.central()


def test_contacts_that_the_protocol_forbids_are_refused(config: Any, tmp_path: Path) -> None:
    with al.Centre(tmp_path / "centre", config) as centre:
        first, second, third = centre.tasks
        taken, sent = visit(centre, config, first)
        other, _ = visit(centre, config, second)
        with pytest.raises(al.FileError, match="the expert of visit"):
            centre.receive(taken, sent[:-10])
        with pytest.raises(al.FileError):
            centre.receive(other, sent)
        centre.receive(taken, sent)
        with pytest.raises(al.ConfigError, match="the visit 0 is not under way; under way: 1"):
            centre.receive(taken, sent)
        with pytest.raises(al.RunError, match="permits 2 contacts a device"):
            centre.hand_out(al.announce(config["stream"], first.name))
        centre.give_up(other)
        assert centre.under_way() == [] and centre.tasks[1].visits == 1
        unknown = al.Announcement("nobody", "task-9", third.classes, 3, "0" * 64)
        with pytest.raises(al.ConfigError, match='no task of the stream has the name "nobody"'):
            centre.hand_out(unknown)
        with pytest.raises(al.ConfigError, match='states the class "no-class"'):
            centre.hand_out(al.Announcement(third.name, third.head, ("no-class",), 3, "0" * 64))
    with pytest.raises(al.ConfigError, match="has one strategy, not 2"):
        al.Centre(tmp_path / "two", {**config, "strategies": [{"kind": "naive"}, {"kind": "ties"}]})
    with pytest.raises(al.FileError, match="not a hand-out"):
        al.HandOut.from_bytes(b"12345678")


def test_bytes_may_be_of_any_kind(config: Any, tmp_path: Path) -> None:
    with al.Centre(tmp_path / "centre", config) as centre:
        taken = centre.hand_out(al.announce(config["stream"], centre.tasks[0].name))
        sent = al.adapt(bytearray(taken.to_bytes()), stream=config["stream"])
        assert al.SentExpert.from_bytes(memoryview(sent.to_bytes()), taken).expert.digest == sent.expert.digest
        assert al.Model.from_bytes(bytearray(taken.model.to_bytes())).digest == taken.model.digest
        with pytest.raises(al.ConfigError, match="the hand-out is a str; accepted: bytes"):
            al.adapt("taken", stream=config["stream"])  # type: ignore[arg-type]
        with pytest.raises(al.ConfigError, match="`visit` is -1"):
            centre.receive(-1, sent)
        centre.receive(taken, bytearray(sent.to_bytes()))
    with pytest.raises(al.ConfigError, match="`directory` is ''"):
        al.Centre("", config)


def test_it_survives_being_killed(config: Any, run: Any, tmp_path: Path) -> None:
    expected = run(config).matrix("weight-averaging")
    script = textwrap.dedent(f"""
        import os, signal, sys
        import alluvium as al
        config, step = {config!r}, int(sys.argv[1])
        centre = al.Centre("centre", config)
        open_visits = centre.under_way()
        done = sum(task.visits for task in centre.tasks) - len(open_visits)
        if step % 2 == 0:
            assert not open_visits
            centre.hand_out(al.announce(config["stream"], centre.tasks[done].name))
        else:
            (taken,) = open_visits
            centre.receive(taken, al.adapt(taken, stream=config["stream"]))
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    """)
    for step in range(6):
        ended = subprocess.run([sys.executable, "-c", script, str(step)], cwd=tmp_path, capture_output=True, text=True)
        assert ended.returncode != 0 and not ended.stderr, ended.stderr
    results = al.Centre(tmp_path / "centre", config).close()
    assert np.array_equal(results.matrix("weight-averaging"), expected, equal_nan=True)


def test_an_expert_is_kept_when_the_strategy_fails(config: Any, tmp_path: Path) -> None:
    broken = [True]

    def register() -> None:
        @al.strategy("broken-at-first")
        class Broken(al.Strategy):
            """Fails, until it is mended."""

            def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
                if broken[0]:
                    raise ValueError("not yet")
                return {**previous, **expert}

    register()
    config["strategies"] = [{"kind": "broken-at-first"}]
    centre = al.Centre(tmp_path / "centre", config)
    taken, sent = visit(centre, config, centre.tasks[0])
    with pytest.raises(al.RunError, match="ValueError: not yet"):
        centre.receive(taken, sent)
    with pytest.raises(al.RunError, match="ValueError: not yet"):
        centre.central()
    broken[0] = False
    assert centre.central().heads[0].name == centre.tasks[0].head
    _, sent = visit(centre, config, centre.tasks[1])
    centre.receive(1, sent)


def test_a_device_may_number_its_classes_as_it_likes(config: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    with al.Centre(tmp_path / "centre", config) as centre:
        task = centre.tasks[1]

        @al.stream("own-numbers")
        class Own(al.Stream):
            """The device's own samples, with its own numbers of classes."""

            def class_names(self) -> list[str]:
                return list(task.classes)

            def tasks(self, seed: int) -> list[al.Task]:
                inputs = draw.normal(size=(40, 1, 28, 28)).astype(np.float32)
                labels = np.arange(40) % 4
                return [al.Task(task.name, (inputs, labels), (inputs, labels), classes=[0, 1, 2, 3], head=task.head)]

        stated = al.announce("own-numbers", task.name)
        assert json.loads(stated.to_json())["samples"] == 40
        taken = centre.hand_out(stated)
        received = centre.receive(taken, al.adapt(taken, stream="own-numbers"))
        assert received.task_aware[0] >= 0


@pytest.mark.skipif(os.name == "nt", reason="skipped: files that are open, because Windows locks them")
def test_two_centres_do_not_share_a_directory(config: Any, tmp_path: Path) -> None:
    with al.Centre(tmp_path / "centre", config), pytest.raises(al.AlluviumError):
        al.Centre(tmp_path / "centre", config)
