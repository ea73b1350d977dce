"""Streams in Python within the tables of other plugins: as surrogate data, and as a part of a mixed stream."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alluvium as al


def pictures(seed: int, shade: float) -> tuple[Any, Any]:
    """Pictures of one shade, and a little noise."""
    noise = np.random.default_rng(seed).random((40, 1, 28, 28)) * 0.01
    return (shade + noise).astype(np.float32), np.arange(40) % 2


@al.stream("public-pictures")
class PublicPictures(al.Stream):
    """Pictures that belong to no device."""

    shade: float = 0.25

    def tasks(self, seed: int) -> Any:
        return [al.Task("public", pictures(seed, self.shade), pictures(seed + 1, self.shade))]


@al.strategy("seeing-surrogates", data="surrogate")
class SeeingSurrogates(al.Strategy):
    """Notes the mean of the surrogate data."""

    def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
        context.note(f"mean {context.surrogate().mean():.2f}")
        return {**previous, **expert}


def notes(results: al.Results, row: int = 0) -> list[str]:
    return json.loads(results.variants[0].json)["rows"][row]["cells"][0]["notes"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_stream_in_python_gives_surrogate_data(config: Any, run: Any, jobs: int) -> None:
    config["surrogate"] = {"kind": "dataset", "stream": {"kind": "public-pictures", "shade": 0.5}, "samples": 30}
    config["seeds"] = [0, 1]
    config["strategies"] = [{"kind": "seeing-surrogates"}, {"kind": "pld", "steps": 2}]
    results = run(config, jobs=jobs)
    assert notes(results) == ["mean 0.51"] * 3 or set(notes(results)) == {"mean 0.50"} or set(notes(results)) == {"mean 0.51"}
    assert results.matrix("pld", seed=1).shape == (3, 3)


def test_another_stream_in_python_may_be_the_experiments_own(config: Any, run: Any) -> None:
    config["stream"] = {"kind": "private-pictures"}
    config["surrogate"] = {"kind": "dataset", "stream": {"kind": "public-pictures"}, "samples": 30}
    config["strategies"] = [{"kind": "seeing-surrogates"}]

    @al.stream("private-pictures")
    class PrivatePictures(al.Stream):
        """The devices' own pictures."""

        def tasks(self, seed: int) -> Any:
            return [al.Task("private", pictures(seed + 2, 0.75), pictures(seed + 3, 0.75))]

    assert notes(run(config)) == ["mean 0.26"] or notes(run(config)) == ["mean 0.25"]
    # The devices' own data are no surrogate data.
    config["surrogate"]["stream"] = {"kind": "private-pictures"}
    with pytest.raises(al.ConfigError, match="private-pictures"):
        run(config, fresh=True)


def test_edited_streams_of_surrogate_data_are_read_again(config: Any, run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = (
        "import numpy as np\nimport alluvium as al\n\nSHADE = 0.25\n\n@al.stream('edited-pictures')\nclass Edited(al.Stream):\n"
        "    '''Pictures of one shade.'''\n    def tasks(self, seed):\n        x = np.full((20, 1, 28, 28), SHADE, np.float32)\n"
        "        y = np.arange(20) % 2\n        return [al.Task('t', (x, y), (x, y))]\n"
    )
    (tmp_path / "edited_pictures.py").write_text(text)
    module = importlib.import_module("edited_pictures")
    config["surrogate"] = {"kind": "dataset", "stream": {"kind": "edited-pictures"}, "samples": 30}
    config["strategies"] = [{"kind": "seeing-surrogates"}]
    assert notes(run(config)) == ["mean 0.25"] * 3
    (tmp_path / "edited_pictures.py").write_text(text.replace("0.25", "0.750"))
    importlib.reload(module)
    assert notes(run(config)) == ["mean 0.75"] * 3


def test_a_mixed_stream_calls_streams_in_python_by_their_kinds(config: Any, run: Any) -> None:
    @al.stream("first-part")
    class FirstPart(al.Stream):
        """Two classes called 0 and 1."""

        def tasks(self, seed: int) -> Any:
            return [al.Task("a", pictures(seed, 0.1), pictures(seed, 0.1))]

    @al.stream("second-part")
    class SecondPart(al.Stream):
        """Two other classes called 0 and 1."""

        def tasks(self, seed: int) -> Any:
            return [al.Task("b", pictures(seed, 0.2), pictures(seed, 0.2))]

    config["stream"] = {"kind": "mixed", "streams": [{"kind": "first-part"}, {"kind": "second-part"}]}
    tasks = run(config).variants[0].data["tasks"]
    assert [task["classes"] for task in tasks] == [("first-part: 0", "first-part: 1"), ("second-part: 0", "second-part: 1")]


def test_a_device_calls_its_head_as_it_likes(config: Any, tmp_path: Path) -> None:
    @al.stream("ward")
    class Ward(al.Stream):
        """A ward's own samples: its head has the name of its task, and its classes another order."""

        def tasks(self, seed: int) -> Any:
            return [al.Task("ward 3", pictures(seed, 0.1), pictures(seed, 0.1), classes=["b", "a"])]

        def class_names(self) -> list[str]:
            return ["a", "b"]

    config["stream"] = {"kind": "declared", "input": [1, 28, 28], "tasks": {"ward 3": ["a", "b"], "ward 4": ["c", "d"]}, "order": ["ward 3", "ward 4"]}
    with al.Centre(tmp_path / "centre", config) as centre:
        stated = al.announce("ward", "ward 3")
        assert stated.head == "ward 3" and stated.classes == ("b", "a")
        taken = centre.hand_out(stated)
        sent = al.adapt(taken.to_bytes(), stream="ward")
        centre.receive(taken, sent.to_bytes())
        (head,) = centre.central().heads
        assert head.name == next(task.head for task in centre.tasks if task.name == "ward 3")
        with pytest.raises(al.ConfigError, match='no task of the stream has the name "ward 9"'):
            centre.hand_out(al.Announcement("ward 9", "ward 9", ("a", "b"), 3, stated.digest))
