"""The digest of a plugin's code."""

from __future__ import annotations

import importlib
import linecache
import os
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alluvium.code import Contents, revision
from alluvium.plugins import _REGISTERED

MODULE = """
import math
import {part}
from {part} import helped, SCALE

TABLE = {{"a": 1}}

def within(x, more=2):
    return helped(x) * SCALE + more + math.pi

class Owner:
    '''Does it.'''
    rate = 0.5
    def act(self, x, *, times=3):
        TABLE["called"] = TABLE.get("called", 0) + 1
        return [within(x) for _ in range(times)]
    @staticmethod
    def fixed():
        return {{1, 2, 3}}
"""
PART = "SCALE = 2.0\n\ndef helped(x):\n    return x + 1\n"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: Any) -> Any:
    """Writes the two modules, imports them afresh, and returns the digest of the class."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def digest(module: str = MODULE, part: str = PART, act: bool = False) -> str:
        (tmp_path / "own_module.py").write_text(module.format(part="own_part"))
        (tmp_path / "own_part.py").write_text(part)
        for name in ("own_module", "own_part"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        linecache.clearcache()
        owner = importlib.import_module("own_module").Owner
        if act:
            owner().act(1)
        return revision(owner)

    return digest


def test_it_stays_as_long_as_the_code_does(written: Any) -> None:
    assert written() == written() == written(act=True)
    assert len(written()) == 64


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return helped(x) * SCALE", "return helped(x) - SCALE"),
        ("more=2", "more=3"),
        ("times=3", "times=4"),
        ("rate = 0.5", "rate = 0.25"),
        ('"a": 1', '"a": 2'),
        ("{{1, 2, 3}}", "{{1, 2, 4}}"),
        ("import math", "import math\nimport numpy"),
    ],
)
def test_it_changes_with_the_module(written: Any, old: str, new: str) -> None:
    assert old in MODULE
    assert written() != written(MODULE.replace(old, new))


@pytest.mark.parametrize(("old", "new"), [("x + 1", "x + 2"), ("SCALE = 2.0", "SCALE = 2.5")])
def test_it_changes_with_a_module_that_it_uses(written: Any, old: str, new: str) -> None:
    assert written() != written(part=PART.replace(old, new))


def test_a_constant_that_was_changed_from_outside_counts(written: Any, monkeypatch: Any) -> None:
    before = written()
    owner = sys.modules["own_module"].Owner
    assert revision(owner) == before
    monkeypatch.setattr(sys.modules["own_module"], "SCALE", 3.0)
    assert revision(owner) != before


def test_another_process_gives_the_same(written: Any, tmp_path: Path) -> None:
    expected = written()
    code = "import own_module; from alluvium.code import revision; print(revision(own_module.Owner))"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)}
        ended = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert ended.stdout.strip() == expected, ended.stderr


def notebook(text: str) -> str:
    """The digest of a class as a notebook defines it: in a module without a file."""
    module = types.ModuleType("notebook_of_a_test")
    sys.modules[module.__name__] = module
    exec(compile(text, "<cell>", "exec"), vars(module))  # noqa: S102  # As a notebook does.
    return revision(vars(module)["Owner"])


CELL = "RATES = [1, 2]\ndef part(x):\n    return x + RATES[0]\nclass Owner:\n    def act(self, x):\n        return part(x)\n"


def test_cells_of_notebooks_count_as_they_are() -> None:
    before = notebook(CELL)
    assert notebook(CELL) == before
    assert notebook("# A comment.\n\n" + CELL) == before
    for old, new in [("x + RATES", "x - RATES"), ("[1, 2]", "[1, 3]"), ("return part(x)", "return part(x) + 0")]:
        assert notebook(CELL.replace(old, new)) != before, old


def test_libraries_that_others_import_do_not_count(written: Any) -> None:
    before = written()
    import json.tool  # noqa: F401
    import xml.dom.minidom  # noqa: F401

    assert revision(sys.modules["own_module"].Owner) == before


SETTINGS = """
import numpy as np
import alluvium as al

SETTINGS = {"keep": 0.5}
RATES = np.array([0.5])
calls = []

class Holder:
    def __init__(self):
        self.share = 0.5

HOLDER = Holder()

@al.strategy("with-settings")
class WithSettings(al.Strategy):
    '''Notes what it reads from globals.'''

    def consolidate(self, previous, expert, context):
        calls.append(context.device)
        context.note(f"keep {SETTINGS['keep']}, rate {RATES[0]}, share {HOLDER.share}")
        return {**previous, **expert}
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: Any) -> Any:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "own_settings.py").write_text(SETTINGS)
    sys.modules.pop("own_settings", None)
    importlib.invalidate_caches()
    yield importlib.import_module("own_settings")
    # Its large globals would be looked at in every test that follows.
    _REGISTERED.pop(("strategy", "with-settings"))


def test_globals_that_somebody_changes_count_and_those_that_plugins_fill_do_not(config: Any, run: Any, settings: Any) -> None:
    config["strategies"] = [{"kind": "with-settings"}]

    def noted() -> str:
        (note,) = set(run(config).variants[0].data["rows"][0]["cells"][0]["notes"])
        return str(note)

    assert noted() == "keep 0.5, rate 0.5, share 0.5" and settings.calls == [0, 1, 2]
    assert noted() == "keep 0.5, rate 0.5, share 0.5" and settings.calls == [0, 1, 2], "it was not found again"
    settings.SETTINGS["keep"] = 0.9
    assert noted() == "keep 0.9, rate 0.5, share 0.5"
    settings.RATES[0] = 0.25
    assert noted() == "keep 0.9, rate 0.25, share 0.5"
    settings.HOLDER.share = 0.75
    assert noted() == "keep 0.9, rate 0.25, share 0.75"
    called = len(settings.calls)
    assert noted() == "keep 0.9, rate 0.25, share 0.75" and len(settings.calls) == called, "it was not found again"
    # The same changes have the same digest: what they gave is found.
    settings.HOLDER.share = 0.5
    assert noted() == "keep 0.9, rate 0.25, share 0.5" and len(settings.calls) == called


def test_globals_that_are_changed_before_the_first_run_count(config: Any, run: Any, settings: Any) -> None:
    config["strategies"] = [{"kind": "with-settings"}]
    settings.SETTINGS["keep"] = 0.1
    assert run(config).variants[0].data["rows"][0]["cells"][0]["notes"][0].startswith("keep 0.1")


class Unwilling:
    """Refuses to be looked at."""

    __slots__ = ("held",)

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")


def test_globals_that_refuse_to_be_looked_at_count_by_their_type(settings: Any) -> None:
    settings.SETTINGS["odd"] = Unwilling()
    settings.SETTINGS["numbers"] = set(range(100_000))
    contents = Contents(settings.WithSettings)
    first = revision(settings.WithSettings, contents)
    assert revision(settings.WithSettings, contents) == first and not contents.changed


def test_large_globals_are_looked_at_quickly(settings: Any) -> None:
    settings.SETTINGS["much"] = [(number, str(number)) for number in range(300_000)]
    settings.RATES = np.zeros(30_000_000)
    contents = Contents(settings.WithSettings)
    begun = time.perf_counter()
    first = revision(settings.WithSettings, contents)
    settings.SETTINGS["keep"] = 0.2
    assert revision(settings.WithSettings, contents) != first
    # A timing never decides a test; the number is there for people, with `pytest -s`.
    print(f"{500 * (time.perf_counter() - begun):.0f} ms a look")
    assert set(contents.changed) == {("own_settings", "SETTINGS")}
