"""The digest of the Python code that a plugin runs.

What is computed with a plugin is stored under a key, and found again by it. The key must change when the code changes: what edited code
would compute is never taken from the store.
"""

from __future__ import annotations

import datetime
import decimal
import dis
import enum
import fractions
import functools
import hashlib
import importlib.metadata
import itertools
import pathlib
import platform
import re
import sys
import types
import uuid
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from alluvium.user_modules import is_users, place, texts

# Types whose values are told apart by their `repr`.
_PLAIN = (
    *(type(None), bool, float, complex, str, bytes, type(Ellipsis), type(NotImplemented), range, slice),
    *(datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, fractions.Fraction, uuid.UUID, pathlib.PurePath),
    *(np.generic, np.dtype, types.GenericAlias, types.UnionType),
)
# Attributes of classes that are not code, that tell lines, or that Python fills in when it likes.
_LEFT_OUT = frozenset(
    "__module__ __doc__ __dict__ __weakref__ __dataclass_fields__ __firstlineno__ __static_attributes__ __annotations_cache__ _abc_impl".split()
)
# How much is looked at of the contents of a global: words of its description, and bytes of one array.
_MOST_WORDS = 20_000
_MOST_BYTES = 1 << 24
_LOADS = frozenset(["LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"])


Global = tuple[str, str]
"""A global that can be changed in place: its module, and its name there."""


def revision(owner: type, contents: Contents | None = None) -> str:
    """The digest of the code of a class, as 64 hexadecimal digits. It changes with

    - the text of the module of the class, and of every module of the user's that it imports or takes objects from;
    - the compiled code of its methods, and of the functions, classes, constants and objects of the user's classes that they reach by
      name, so that classes of notebooks and changed constants count, too;
    - the version of the interpreter, of numpy, and of each library that these modules import.

    The user's modules are those outside the standard library and the folders of installed packages, and the package of the class. The
    digest is the same in every process.

    It does not see what code reads at run time: files, environment variables, modules that are imported by a computed name. An object
    of a library's class counts by its class alone. Globals that can be changed in place, such as lists, tables and objects, count as
    the text of their module fills them, unless somebody changes them after the class was registered; see ``Contents``. Define them above
    the class. In a notebook, they count as they are.

    Args:
        owner: the class.
        contents: what its globals held before. Those that somebody changed since count as they are.
    """
    own = owner.__module__.partition(".")[0]
    walk = _Walk(own, contents.changed if contents else None)
    walked = walk.run(owner)
    if contents is not None and contents.look(walk.filled):
        walk = _Walk(own, contents.changed)
        walked = walk.run(owner)
    modules, imported = texts(walk.modules, walk.own)
    libraries = {name for name in walk.libraries | imported | {"numpy"} if name not in sys.stdlib_module_names and name != "alluvium"}
    lines = [f"python {platform.python_implementation()} {platform.python_version()}"]
    lines += [f"library {library} {_version(library)}" for library in sorted(libraries)]
    lines += [f"module {name} {digest}" for name, digest in sorted(modules.items())]
    return hashlib.sha256("\n".join([*lines, walked]).encode()).hexdigest()


class Contents:
    """What the globals hold that the code of a class uses and that can be changed in place, such as ``SETTINGS["rate"] = 0.5``.

    What code of plugins puts into them does not count: a list of calls grows in every run. What somebody puts there between two runs, or
    after the class was registered, counts from then on, because the same text computes something else with it. Of large contents, the
    beginning is looked at: 16 MB of an array, thousands of entries. Objects of a library's class, ``types.SimpleNamespace`` among them, count
    by their class alone.
    """

    def __init__(self, owner: type) -> None:
        self._own = owner.__module__.partition(".")[0]
        self._first: dict[Global, str] = {}
        self._known: dict[Global, str] = {}
        self.changed: dict[Global, str] = {}
        """Digests of what the globals hold that somebody changed, and that are not as they were at first."""

    def look(self, filled: Mapping[Global, Any]) -> bool:
        """Notes which of these globals somebody changed since this was called, or ``settle``. Returns whether ``changed`` differs."""
        before = dict(self.changed)
        for key, value in filled.items():
            digest = self._digest(value)
            first = self._first.setdefault(key, digest)
            if self._known.setdefault(key, digest) != digest:
                self.changed[key] = digest
            if digest == first:
                self.changed.pop(key, None)
            self._known[key] = digest
        return self.changed != before

    def settle(self) -> None:
        """Takes what the globals hold now for what plugins put there."""
        for key in self._known:
            module, name = key
            self._known[key] = self._digest(getattr(sys.modules.get(module), name, None))

    def _digest(self, value: Any) -> str:
        try:
            return _Walk(self._own, words=_MOST_WORDS).run(value)
        except Exception:  # An object of somebody's may refuse to be looked at. Then it counts by its type.
            return type(value).__qualname__


class _Walk:
    """Follows code from object to object, in an order that is the same in every process.

    Objects that can hold themselves get a number when they are met, and are told when their turn comes.
    """

    def __init__(self, own: str, changed: Mapping[Global, str] | None = None, words: int | None = None) -> None:
        self.own = own
        self._words_left = words
        self.changed = changed or {}
        self.filled: dict[Global, Any] = {}
        self.modules: set[str] = set()
        self.libraries: set[str] = set()
        self._digest = hashlib.sha256()
        self._numbers: dict[int, int] = {}
        # Objects are kept, because the identity of one that is gone may be given again.
        self._kept: list[Any] = []
        self._waiting: deque[Any] = deque()

    def run(self, first: Any) -> str:
        self._value(first)
        while self._waiting and (self._words_left is None or self._words_left > 0):
            self._object(self._waiting.popleft())
        return self._digest.hexdigest()

    def _tell(self, *words: str | int) -> None:
        if self._words_left is not None:
            self._words_left -= len(words)
        for word in words:
            data = str(word).encode("utf-8", "surrogatepass")
            self._digest.update(b"%d:" % len(data) + data)

    def _value(self, value: Any) -> None:
        if self._words_left is not None and isinstance(value, (set, frozenset)) and len(value) > self._words_left:
            # Putting it in order would take too long.
            self._tell("large set", len(value))
            return
        plain = _plain(value)
        if plain is not None:
            self._tell("plain", plain)
        elif isinstance(value, enum.Enum):
            self._tell("member", str(value.name))
            self._value(type(value))
            self._value(value.value)
        elif isinstance(value, tuple):
            self._tell("tuple", len(value))
            for one in value:
                self._value(one)
        elif isinstance(value, types.ModuleType):
            self._tell("module", value.__name__)
            self._reach(value.__name__)
        elif isinstance(value, types.CodeType):
            self._code(value)
        else:
            number = self._numbers.setdefault(id(value), len(self._numbers))
            self._tell("object", number)
            if number == len(self._kept):
                self._kept.append(value)
                self._waiting.append(value)

    def _object(self, found: Any) -> None:
        self._tell(type(found).__qualname__)
        if isinstance(found, type):
            self._class(found)
        elif isinstance(found, types.FunctionType):
            self._function(found)
        elif isinstance(found, (staticmethod, classmethod, types.MethodType)):
            self._value((found.__func__, getattr(found, "__self__", None)))
        elif isinstance(found, property):
            self._value((found.fget, found.fset, found.fdel))
        elif isinstance(found, (functools.partial, functools.partialmethod)):
            self._value((found.func, found.args, found.keywords))
        elif isinstance(found, functools.cached_property):
            self._value(found.func)
        elif isinstance(found, (list, deque)):
            self._value(tuple(itertools.islice(found, self._words_left)))
        elif isinstance(found, (dict, types.MappingProxyType)):
            self._value(tuple(itertools.islice(found.items(), self._words_left)))
        elif isinstance(found, (set, frozenset)):
            self._value(tuple(sorted(found, key=_place_in_set)))
        elif isinstance(found, np.ndarray):
            self._array(found)
        else:
            self._instance(found)

    def _array(self, array: np.ndarray[Any, Any]) -> None:
        self._tell(str(array.dtype), str(array.shape))
        if array.dtype.hasobject:
            self._value(tuple(array.reshape(-1).tolist()))
        else:
            looked_at = array if self._words_left is None else array.reshape(-1)[: _MOST_BYTES // max(array.itemsize, 1)]
            self._tell(hashlib.sha256(looked_at.tobytes()).hexdigest())

    def _instance(self, found: Any) -> None:
        own = type(found)
        wrapped = getattr(found, "__dict__", {}).get("__wrapped__")
        if wrapped is not None:
            self._value(wrapped)
        elif own.__module__.partition(".")[0] == "torch" and hasattr(found, "detach"):
            tensor = found.detach().cpu()
            # numpy lacks some types of 16 and 8 bits, which a double holds exactly.
            self._array(tensor.double().numpy() if tensor.is_floating_point() else tensor.numpy())
        elif not self._is_users(own.__module__):
            self._reach(own.__module__)
            self._tell(own.__module__, str(getattr(found, "__module__", "")), str(getattr(found, "__qualname__", "")))
        else:
            self._value(own)
            slots = {name for base in own.__mro__ for name in vars(base) if isinstance(vars(base)[name], types.MemberDescriptorType)}
            state = {**getattr(found, "__dict__", {}), **{name: getattr(found, name) for name in slots if hasattr(found, name)}}
            self._named(state)

    def _named(self, values: Mapping[str, Any]) -> None:
        for name in sorted(values):
            self._tell(name)
            self._value(values[name])

    def _class(self, owner: type) -> None:
        self._tell(owner.__qualname__)
        self._reach(owner.__module__)
        if not self._is_users(owner.__module__):
            self._tell(owner.__module__)
            return
        self._value((type(owner), *owner.__bases__))
        self._named({name: value for name, value in vars(owner).items() if name not in _LEFT_OUT})

    def _function(self, function: types.FunctionType) -> None:
        module = str(function.__globals__.get("__name__", ""))
        self._reach(module)
        is_users = self._is_users(module)
        if is_users:
            self._code(function.__code__)
            self._value(function.__defaults__ or ())
            self._named(function.__kwdefaults__ or {})
        else:
            # What a decorator of a library returns holds the user's function.
            self._tell(module, function.__qualname__)
            self._value(getattr(function, "__wrapped__", None))
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._tell(name)
            try:
                self._value(cell.cell_contents)
            except ValueError:
                self._tell("empty")
        if is_users:
            loaded, attributes = _names(function.__code__)
            for name in sorted(loaded & function.__globals__.keys()):
                self._tell(name)
                self._reached(name, function.__globals__[name], attributes, (module,))

    def _reached(self, name: str, value: Any, attributes: set[str], through: tuple[str, ...]) -> None:
        """A global, or what code takes from a module: `settings.RATE`. `through` names the modules on the way to it."""
        found = place(through[-1])
        if found is not None and found.file is not None and self._is_filled_by_text(value):
            key = (through[-1], name)
            self.filled[key] = value
            self._tell(self.changed.get(key, "as in the text"))
            return
        self._value(value)
        if isinstance(value, types.ModuleType) and value.__name__ not in through[1:] and self._is_users(value.__name__):
            for name in sorted(attributes & vars(value).keys()):
                self._tell(name)
                self._reached(name, vars(value)[name], attributes, (*through, value.__name__))

    def _is_filled_by_text(self, value: Any) -> bool:
        """Whether a value can be changed in place, and holds no code that was put in its place from outside."""
        if isinstance(value, (list, dict, set, deque, np.ndarray)):
            return True
        is_code = isinstance(value, (type, types.FunctionType, types.MethodType, types.ModuleType, functools.partial, enum.Enum))
        return not is_code and self._is_users(type(value).__module__)

    def _code(self, code: types.CodeType) -> None:
        """Compiled code, without the places of its lines."""
        self._tell(code.co_name, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        self._tell(code.co_code.hex(), getattr(code, "co_exceptiontable", b"").hex())
        self._value((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_consts))
        for one in dis.get_instructions(code):
            if one.opname == "IMPORT_NAME" and one.argval:
                self._reach(str(one.argval), unknown=False)

    def _is_users(self, module: str) -> bool:
        return is_users(module, self.own, unknown=True)

    def _reach(self, module: str, *, unknown: bool = True) -> None:
        """Notes the module that an object comes from, or that code imports."""
        if is_users(module, self.own, unknown=unknown):
            self.modules.add(module)
        elif module:
            self.libraries.add(module.partition(".")[0])


def _plain(value: Any) -> str | None:
    """A value that holds no code as text, the same in every process; None for something else."""
    kind = type(value).__qualname__
    if isinstance(value, enum.Enum):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{kind} {int(value):x}"
    if isinstance(value, re.Pattern):
        return f"{kind} {value.pattern!r} {value.flags}"
    if isinstance(value, (set, frozenset)):
        parts = [_plain(part) for part in value]
        return None if None in parts else f"{kind} {sorted(str(part) for part in parts)}"
    if isinstance(value, _PLAIN) or type(value).__module__ == "typing":
        text = repr(value)
        # An address differs from process to process.
        return f"{kind} {text}" if " at 0x" not in text or isinstance(value, (str, bytes)) else kind
    return None


def _place_in_set(value: Any) -> tuple[str, str]:
    """What the members of a set are sorted by, where some hold code."""
    name = getattr(value, "__qualname__", None) or getattr(value, "name", None) or ""
    return _plain(value) or type(value).__qualname__, str(name)


def _names(code: types.CodeType) -> tuple[set[str], set[str]]:
    """The globals that code and the code within it load, and all names in it."""
    loaded = {str(one.argval) for one in dis.get_instructions(code) if one.opname in _LOADS}
    names = set(code.co_names)
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            inner = _names(one)
            loaded |= inner[0]
            names |= inner[1]
    return loaded, names


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


@lru_cache(maxsize=256)
def _version(library: str) -> str:
    """The versions of the packages that an imported name belongs to."""
    owners = sorted(set(_distributions().get(library, [])))
    return ", ".join(f"{owner} {importlib.metadata.version(owner)}" for owner in owners) or "unknown"
