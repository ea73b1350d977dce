"""The digest of a plugin's code."""

from __future__ import annotations

import importlib
import linecache
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from alluvium.code import revision

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
