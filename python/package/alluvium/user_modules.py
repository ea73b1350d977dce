"""Which modules are the user's own, and what their texts import.

Nothing is imported to find out: a module that a function imports when it runs counts the same before and after that.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Where a module is."""

    file: str | None
    """Its file; None for one that has none, such as a notebook or a built-in module."""
    search: tuple[str, ...]
    """The folders of its submodules; empty if it is no package."""


def place(name: str) -> Place | None:
    """Where the module of this name is, imported or not; None if there is none."""
    module = sys.modules.get(name)
    if module is not None:
        return Place(getattr(module, "__file__", None), tuple(getattr(module, "__path__", ())))
    parent, _, _ = name.rpartition(".")
    try:
        if parent:
            around = place(parent)
            spec = None if around is None else importlib.machinery.PathFinder.find_spec(name, list(around.search))
        else:
            spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    return Place(spec.origin if spec.has_location else None, tuple(spec.submodule_search_locations or ()))


@lru_cache(maxsize=1)
def _library_folders() -> tuple[Path, ...]:
    paths = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(sorted(paths))


@lru_cache(maxsize=4096)
def _is_installed(path: str) -> bool:
    """Whether a path is in the standard library, or in a folder of installed packages."""
    resolved = Path(path).resolve()
    if {"site-packages", "dist-packages"} & set(resolved.parts):
        return True
    return any(resolved.is_relative_to(folder) for folder in _library_folders())


def is_users(name: str, own: str, *, unknown: bool) -> bool:
    """Whether a module is the user's: not of the standard library, of an installed package, or of this package.

    Args:
        name: its full name.
        own: a top-level package that counts as the user's although it is installed: that of the plugin.
        unknown: the answer where no such module is found.
    """
    root = name.partition(".")[0]
    if root in ("alluvium", own):
        return root == own
    found = place(name)
    if found is None:
        return unknown
    if found.file is not None:
        return not _is_installed(found.file)
    if found.search:
        return not all(_is_installed(folder) for folder in found.search)
    return name == "__main__" or root not in sys.stdlib_module_names


def texts(names: Iterable[str], own: str) -> tuple[dict[str, str], set[str]]:
    """The digests of the files of the user's modules, and of those that they import, by name; and the libraries that these import.

    A module's packages count, too, because their files run before it.
    """
    digests: dict[str, str] = {}
    libraries: set[str] = set()
    seen: set[str] = set()
    waiting = sorted(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        found = place(name)
        if found is None:
            continue
        waiting.extend(name[:end] for end, letter in enumerate(name) if letter == ".")
        if found.file is None:
            continue
        try:
            text = Path(found.file).read_bytes()
        except OSError:
            text = b""
        digests[name] = hashlib.sha256(text).hexdigest()
        if not found.file.endswith(".py"):
            continue
        for imported, is_module in _imports(text, _package(name, found)):
            if is_users(imported, own, unknown=False):
                waiting.append(imported)
            elif is_module:
                libraries.add(imported.partition(".")[0])
    return digests, libraries


def _package(name: str, found: Place) -> str:
    """What relative imports of a module begin with."""
    stated = getattr(sys.modules.get(name), "__package__", None)
    if isinstance(stated, str):
        return stated
    return name if found.search else name.rpartition(".")[0]


def _imports(text: bytes, package: str) -> Iterator[tuple[str, bool]]:
    """The names that a text imports, wherever in it, and whether each is that of a module. It may also be that of an object."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, True
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level > 0:
                around = package.split(".")[: package.count(".") + 2 - node.level]
                base = ".".join([*around, *([base] if base else [])])
            if base:
                yield base, True
                for alias in node.names:
                    yield f"{base}.{alias.name}", False
