"""The digest of a plugin's code: what changes it, and what does not."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alluvium.code import revision

HEX = 64


class Project:
    """Modules of a user in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"project_{folder.name.replace('-', '_')}"

    def write(self, **modules: str) -> None:
        package = self.folder / self.name
        package.mkdir(exist_ok=True)
        for name, text in {"__init__": "", **modules}.items():
            if name != "__init__" or not (package / "__init__.py").exists():
                (package / f"{name}.py").write_text(textwrap.dedent(text))

    def forget(self) -> None:
        for name in [one for one in sys.modules if one.partition(".")[0] == self.name]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def module(self, name: str) -> types.ModuleType:
        return importlib.import_module(f"{self.name}.{name}")

    def revision(self) -> str:
        """The digest as a new process would see it."""
        self.forget()
        return revision(self.module("plugin").Plugin)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Project(tmp_path)
    yield made
    made.forget()


def notebook(text: str, name: str = "a_notebook") -> Any:
    """What cells of a notebook define: a module without a file."""
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(textwrap.dedent(text), "<cell 1>", "exec", dont_inherit=True), vars(module))
    return module


def cell(text: str) -> str:
    return revision(notebook(text).Plugin)


PLUGIN = """
    from .helper import twice
    from .settings import RATE

    class Plugin:
        def run(self, value=1):
            return twice(value) * RATE
"""
HELPER = "def twice(value):\n    return 2 * value\n"


def test_it_is_64_hexadecimal_digits_and_stays(project: Project) -> None:
    project.write(plugin=PLUGIN, helper=HELPER, settings="RATE = 0.5\n")
    first = project.revision()
    assert len(first) == HEX
    assert set(first) <= set("0123456789abcdef")
    assert project.revision() == first
    assert revision(project.module("plugin").Plugin) == first, "asking twice in a process"


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("plugin", "* RATE", "+ RATE"),
        ("plugin", "value=1", "value=2"),
        ("helper", "2 * value", "3 * value"),
        ("settings", "0.5", "0.25"),
        ("helper", "def twice", "# a comment, for files count as a whole\ndef twice"),
    ],
)
def test_an_edit_of_any_module_changes_it(project: Project, module: str, old: str, new: str) -> None:
    texts = {"plugin": PLUGIN, "helper": HELPER, "settings": "RATE = 0.5\n"}
    project.write(**texts)
    before = project.revision()
    project.write(**{module: texts[module].replace(old, new)})
    assert project.revision() != before


@pytest.mark.parametrize(
    "statement",
    ["from .late import twice", "from . import late", "import {name}.late", "from {name} import late", "from {name}.late import twice"],
)
def test_a_module_that_is_imported_within_a_function_counts_before_and_after_it_is_imported(
    project: Project, statement: str
) -> None:
    text = f"class Plugin:\n    def run(self):\n        {statement.format(name=project.name)}\n"
    project.write(plugin=text, late=HELPER)
    before = project.revision()
    project.module("plugin").Plugin().run()
    assert revision(project.module("plugin").Plugin) == before, "a run must not make its own results unfindable"
    project.write(late=HELPER.replace("2", "3"))
    assert project.revision() != before


def test_what_a_module_of_a_module_imports_counts(project: Project) -> None:
    project.write(plugin=PLUGIN, helper="from .inner import twice\n", inner=HELPER, settings="RATE = 0.5\n")
    before = project.revision()
    project.write(inner=HELPER.replace("2", "3"))
    assert project.revision() != before


def test_the_package_around_a_module_counts(project: Project) -> None:
    project.write(plugin=PLUGIN, helper=HELPER, settings="RATE = 0.5\n")
    before = project.revision()
    (project.folder / project.name / "__init__.py").write_text("PATCHED = True\n")
    assert project.revision() != before


def test_modules_that_import_each_other_come_to_an_end(project: Project) -> None:
    project.write(plugin="from . import helper\nclass Plugin:\n    def run(self):\n        return helper.run()\n")
    project.write(helper="from . import plugin\ndef run():\n    return plugin.Plugin\n")
    assert project.revision() == project.revision()


def test_a_base_class_in_another_module_counts(project: Project) -> None:
    project.write(plugin="from .base import Base\nclass Plugin(Base):\n    pass\n")
    project.write(base="class Base:\n    def run(self):\n        return 1\n")
    before = project.revision()
    module = project.module("base")
    module.Base.run = lambda self: 2
    assert revision(project.module("plugin").Plugin) != before


@pytest.mark.parametrize("text", [PLUGIN, PLUGIN.replace("from .settings import RATE", "from . import settings").replace("RATE", "settings.RATE")])
def test_a_constant_that_is_set_from_outside_counts(project: Project, text: str) -> None:
    project.write(plugin=text, helper=HELPER, settings="RATE = 0.5\n")
    before = project.revision()
    of = project.module("settings") if "settings.RATE" in text else project.module("plugin")
    vars(of)["RATE"] = 0.25
    changed = revision(project.module("plugin").Plugin)
    assert changed != before
    vars(of)["RATE"] = 0.5
    assert revision(project.module("plugin").Plugin) == before


def test_a_function_that_is_replaced_from_outside_counts(project: Project) -> None:
    project.write(plugin="from . import helper\nclass Plugin:\n    def run(self):\n        return helper.twice(2)\n", helper=HELPER)
    before = project.revision()
    vars(project.module("helper"))["twice"] = lambda value: value
    assert revision(project.module("plugin").Plugin) != before


def test_what_code_puts_into_globals_of_a_file_is_no_code(project: Project) -> None:
    project.write(
        plugin="""
            from . import helper
            class Counter:
                count = 0
            COUNTER, CALLS, TABLE = Counter(), [], {}
            class Plugin:
                def run(self):
                    COUNTER.count += 1
                    CALLS.append(1)
                    TABLE["called"] = True
                    helper.SEEN.add(3)
        """,
        helper="SEEN = set()\n",
    )
    before = project.revision()
    project.module("plugin").Plugin().run()
    assert revision(project.module("plugin").Plugin) == before


NOTEBOOK = """
    import functools
    import numpy as np
    from dataclasses import dataclass
    from enum import Enum

    RATE = 0.5
    LAYERS = ["a", "b"]
    WEIGHTS = np.array([1.0, 2.0])
    up = lambda value: value + 1
    down = lambda value: value - 1
    def mse(value): return value * value
    def mae(value): return abs(value)
    LOSS = mse
    LOSSES = {"first": mse, "second": mae}
    MIXED = [1, mse]
    half = functools.partial(mse, 0.5)

    @dataclass
    class Settings:
        steps: int = 3

    SETTINGS = Settings(steps=5)

    class Mode(Enum):
        FAST = "fast"
        SLOW = "slow"

    MODE = Mode.FAST

    def scaled(factor):
        def scale(value):
            return factor * value
        return scale

    scale = scaled(2)

    @functools.lru_cache
    def cached(value): return value + 10

    class Plugin:
        size = 7

        def __init__(self, width=4, *, depth=2):
            # A comment.
            self.width = width

        @property
        def wide(self): return self.width > 3

        @staticmethod
        def fixed(): return 11

        @functools.cached_property
        def kept(self): return 13

        def run(self, value):
            first = value[..., 0]
            inner = [one + 21 for one in value]
            also = value in {"x", "y"}
            return (RATE, LAYERS, WEIGHTS, up(down(1)), LOSS, LOSSES, MIXED, half, SETTINGS, MODE, scale, cached)

        async def later(self):
            return mse(1) + mae(2)
"""

EDITS = {
    "a body": ("return abs(value)", "return -value"),
    "a number": ("RATE = 0.5", "RATE = 0.25"),
    "a list": ('["a", "b"]', '["b", "a"]'),
    "an array": ("[1.0, 2.0]", "[1.0, 3.0]"),
    "functions that change places": ("value + 1\n    down = lambda value: value - 1", "value - 1\n    down = lambda value: value + 1"),
    "another name of a function": ("LOSS = mse", "LOSS = mae"),
    "functions in a table": ('"first": mse, "second": mae', '"first": mae, "second": mse'),
    "functions in a list": ("[1, mse]", "[1, mae]"),
    "a partial function": ("partial(mse, 0.5)", "partial(mse, 0.25)"),
    "an object": ("Settings(steps=5)", "Settings(steps=6)"),
    "a member of an enumeration": ("MODE = Mode.FAST", "MODE = Mode.SLOW"),
    "a closure": ("scale = scaled(2)", "scale = scaled(3)"),
    "what a decorator wraps": ("return value + 10", "return value + 11"),
    "an attribute of the class": ("size = 7", "size = 8"),
    "a default": ("width=4", "width=5"),
    "a default of a keyword": ("depth=2", "depth=3"),
    "a property": ("self.width > 3", "self.width > 4"),
    "a static method": ("return 11", "return 12"),
    "a cached property": ("return 13", "return 14"),
    "an index": ("value[..., 0]", "value[..., 1]"),
    "a comprehension": ("one + 21", "one + 22"),
    "a set": ('{"x", "y"}', '{"x", "z"}'),
    "an asynchronous method": ("mse(1) + mae(2)", "mse(1) - mae(2)"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_in_a_notebook_changes_it(edit: str) -> None:
    old, new = EDITS[edit]
    assert NOTEBOOK.count(old) >= 1
    assert cell(NOTEBOOK.replace(old, new)) != cell(NOTEBOOK)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# A comment.", "# Another comment\n            # of two lines."),
        ("    RATE = 0.5", "\n\n    RATE = 0.5"),
        ("    RATE = 0.5", "    UNUSED = 1\n    RATE = 0.5"),
    ],
)
def test_what_does_not_run_in_a_notebook_does_not_change_it(old: str, new: str) -> None:
    assert cell(NOTEBOOK.replace(old, new)) == cell(NOTEBOOK)


def test_another_process_gives_the_same_digest(project: Project) -> None:
    project.write(plugin=NOTEBOOK)
    here = project.revision()
    program = f"from alluvium.code import revision\nfrom {project.name}.plugin import Plugin\nprint(revision(Plugin))"
    assert in_processes(program, project.folder) == {here}


def test_another_process_gives_the_same_digest_of_a_notebook() -> None:
    program = (
        "import sys, textwrap, types\nfrom alluvium.code import revision\n"
        "module = sys.modules['a_notebook'] = types.ModuleType('a_notebook')\n"
        f"exec(compile(textwrap.dedent({NOTEBOOK!r}), '<cell 9>', 'exec'), vars(module))\nprint(revision(module.Plugin))"
    )
    assert in_processes(program, Path.cwd()) == {cell(NOTEBOOK)}


def in_processes(program: str, folder: Path) -> set[str]:
    """What a program prints in processes that hash differently, of which one has imported pandas."""
    package = Path(sys.modules["alluvium"].__file__ or "").parent.parent
    found = set()
    for seed, before in [("0", ""), ("1", ""), ("77", "try:\n    import pandas\nexcept ImportError: pass\n")]:
        paths = os.pathsep.join([str(folder), str(package), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        done = subprocess.run([sys.executable, "-c", before + program], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout.strip())
    return found


def test_libraries_count_by_their_version(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from alluvium import code

    project.write(plugin="import tqdm\nclass Plugin:\n    pass\n")
    before = project.revision()
    plain: Callable[[str], str] = code._version
    monkeypatch.setattr(code, "_version", lambda name: "another" if name == "tqdm" else plain(name))
    assert project.revision() != before
    project.write(plugin="class Plugin:\n    pass\n")
    without = project.revision()
    monkeypatch.setattr(code, "_version", plain)
    assert project.revision() == without
    monkeypatch.setattr(code, "_version", lambda name: "another" if name == "numpy" else plain(name))
    assert project.revision() != without


def test_a_library_that_only_a_notebook_reaches_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from alluvium import code

    texts = [
        "class Plugin:\n    def run(self):\n        import tqdm\n        return tqdm\n",
        "import tqdm\nclass Plugin:\n    def run(self):\n        return tqdm.trange(3)\n",
        "from tqdm import trange\nclass Plugin:\n    def run(self):\n        return trange(3)\n",
    ]
    before = [cell(text) for text in texts]
    plain: Callable[[str], str] = code._version
    monkeypatch.setattr(code, "_version", lambda name: "another" if name == "tqdm" else plain(name))
    assert all(cell(text) != old for text, old in zip(texts, before, strict=True))


def test_objects_that_hold_each_other_come_to_an_end() -> None:
    text = """
        RING = []
        RING.append(RING)

        class Node:
            pass

        NODE = Node()
        NODE.self = NODE

        class Plugin:
            def run(self):
                return RING, NODE, Plugin
    """
    assert cell(text) == cell(text)
    assert cell(text.replace("RING.append(RING)", "RING.append(1)")) != cell(text)
