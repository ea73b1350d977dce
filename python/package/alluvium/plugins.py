"""Classes of Python as plugins: their options, how they are built, and how they are registered."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import inspect
import json
import math
import random
import sys
import threading
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from alluvium import _alluvium
from alluvium.code import Contents, revision
from alluvium.errors import ConfigError
from alluvium.values import plain

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_):
        """Says to type checkers that subclasses take their options as arguments."""
        return lambda owner: owner


_JSON_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
# The types of their values in Python, and how messages call them.
_VALUES: dict[str, tuple[tuple[type, ...], str]] = {
    "boolean": ((bool,), "True or False"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "string": ((str,), "a text"),
}


@dataclass(frozen=True)
class Range:
    """The range of an option that is a number: ``Annotated[float, al.Range(0, 1), "What it sets."]``."""

    least: float | None = None
    """The smallest value that is accepted; None: no bound."""
    most: float | None = None
    """The largest value that is accepted; None: no bound."""


@dataclass_transform(kw_only_default=True)
class Plugin:
    """What strategies, devices and streams in Python have in common.

    The annotated attributes of the class are its options, as in a dataclass: each has a default, and is of the type ``bool``,
    ``int``, ``float``, ``str``, an enumeration of texts, ``Literal`` of these, a list of these, or one of these or ``None``. Write
    ``Annotated[float, al.Range(0, 1), "What it sets."] = 0.5`` for a range and a meaning. Other attributes are set
    in ``__post_init__``.
    """


class Registered:
    """A registered class, as the native module calls it."""

    def __init__(self, family: str, kind: str, owner: type[Plugin], runner: type[Any]) -> None:
        self.family = family
        self.kind = kind
        self.owner = owner
        self.runner = runner
        self.contents = Contents(owner)

    def build(self, options: str) -> Any:
        """An instance with these options, a JSON object, in what runs it."""
        given = json.loads(options)
        hints = typing.get_type_hints(self.owner)
        values = {name: _as_type(value, hints[name]) for name, value in given.items()}
        return self.runner(self.owner(**values))


_REGISTERED: dict[tuple[str, str], Registered] = {}


def register(
    family: str, kind: str, owner: type[Plugin], runner: type[Any], *, paper: str = "", settings: dict[str, Any]
) -> None:
    """Registers a class under a kind of a family. Registering a kind again replaces the class.

    Raises:
        ConfigError: the kind is taken, or an option is of another type.
    """
    if not dataclasses.is_dataclass(owner) or "__dataclass_fields__" not in vars(owner):
        dataclasses.dataclass(owner)
    registered = Registered(family, kind, owner, runner)
    known = _REGISTERED.get((family, kind))
    if known is not None and known.owner is owner:
        registered.contents = known.contents
    _alluvium.register(
        family,
        kind,
        schema=json.dumps(_schema(kind, owner)),
        paper=paper,
        settings=json.dumps(settings),
        adapter=registered,
        revision=revision(owner, registered.contents),
    )
    _REGISTERED[family, kind] = registered


def refresh() -> None:
    """States the digests of all registered classes' code again: modules may have been reloaded, and globals changed."""
    for (family, kind), registered in list(_REGISTERED.items()):
        _alluvium.set_revision(family, kind, revision(registered.owner, registered.contents))


@contextlib.contextmanager
def at_work() -> Iterator[None]:
    """Work that may run code of plugins. Before it, the digests of their code are stated again."""
    refresh()
    with going_on():
        yield


@contextlib.contextmanager
def going_on() -> Iterator[None]:
    """Work that goes on with the code of plugins that it began with. What they put into globals does not count as a change."""
    try:
        yield
    finally:
        for registered in list(_REGISTERED.values()):
            registered.contents.settle()


def _schema(kind: str, owner: type[Plugin]) -> dict[str, Any]:
    hints = typing.get_type_hints(owner, include_extras=True)
    properties = {}
    for field in dataclasses.fields(owner):  # type: ignore[arg-type]
        if not field.init:
            continue
        property_ = _property(kind, owner, field.name, hints[field.name])
        default = _default(field)
        if default is dataclasses.MISSING:
            raise ConfigError(f"{kind!r}: the option `{field.name}` has no default; accepted: `{field.name}: … = VALUE`")
        properties[field.name] = {**property_, "default": _checked_default(kind, owner, field.name, property_, default)}
    text = inspect.cleandoc(owner.__doc__ or "")
    if not text or text.startswith(f"{owner.__name__}("):
        raise ConfigError(f"{kind!r}: the class {owner.__name__} has no docstring; accepted: a sentence that says what it does")
    return {"type": "object", "description": text, "properties": properties}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _checked_default(kind: str, owner: type, name: str, schema: dict[str, Any], default: Any) -> Any:
    """The default of an option as a configuration would state it.

    Raises:
        ConfigError: the option does not accept its own default.
    """
    try:
        stated = plain(name, _without_members(default))
    except ConfigError as error:
        raise ConfigError(f"{kind!r}, {owner.__name__}: the default of {error}") from error
    problem = _refusal(stated, schema)
    if problem is not None:
        raise ConfigError(f"{kind!r}, {owner.__name__}: the default of `{name}` is {default!r}; accepted: {problem}")
    return stated


def _without_members(value: Any) -> Any:
    """The value with the texts of enumerations in place of their members."""
    if isinstance(value, (list, tuple)):
        return [_without_members(one) for one in value]
    return value.value if isinstance(value, enum.Enum) else value


def _refusal(value: Any, schema: dict[str, Any]) -> str | None:
    """What is accepted, in words, if the value is not."""
    if "anyOf" in schema:
        if value is None:
            return None
        problem = _refusal(value, {**schema["anyOf"][0], **{key: schema[key] for key in ("minimum", "maximum") if key in schema}})
        return None if problem is None else f"{problem}, or None"
    if "enum" in schema:
        # True equals 1, but is another value.
        fits = any(type(value) is type(one) and value == one for one in schema["enum"])
        return None if fits else " or ".join(repr(one) for one in schema["enum"])
    if schema["type"] == "array":
        problem = "" if isinstance(value, list) else "a list"
        for one in value if isinstance(value, list) else []:
            problem = problem or _refusal(one, schema["items"]) or ""
        return problem or None
    kinds, words = _VALUES[schema["type"]]
    least, most = schema.get("minimum"), schema.get("maximum")
    fits = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
    if fits and isinstance(value, (int, float)):
        fits = (least is None or value >= least) and (most is None or value <= most)
    bounds = "" if least is None else f" from {least}"
    return None if fits else f"{words}{bounds}{'' if most is None else f' to {most}'}"


def _check_range(kind: str, owner: type, name: str, bounds: Range) -> None:
    for bound in (bounds.least, bounds.most):
        is_number = isinstance(bound, (int, float)) and not isinstance(bound, bool) and math.isfinite(bound)
        if bound is not None and not is_number:
            raise ConfigError(f"{kind!r}, {owner.__name__}: the range of `{name}` has the bound {bound!r}; accepted: finite numbers, or None")
    if bounds.least is not None and bounds.most is not None and bounds.least > bounds.most:
        raise ConfigError(
            f"{kind!r}, {owner.__name__}: the range of `{name}` goes from {bounds.least} to {bounds.most}; accepted: the smaller bound first"
        )


def _property(kind: str, owner: type, name: str, hint: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if typing.get_origin(hint) is typing.Annotated:
        hint, *notes = typing.get_args(hint)
        for note in notes:
            if isinstance(note, str):
                schema["description"] = note
            elif isinstance(note, Range):
                _check_range(kind, owner, name, note)
                schema.update(
                    {key: value for key, value in (("minimum", note.least), ("maximum", note.most)) if value is not None}
                )
    own = _type(hint)
    if own is None:
        raise ConfigError(
            f"{kind!r}: the option `{name}` is of the type {hint}; accepted: bool, int, float, str, an enumeration of texts, Literal, "
            "a list of these, or one of these or None"
        )
    return {**own, **schema}


def _type(hint: Any) -> dict[str, Any] | None:
    if hint in _JSON_TYPES:
        return {"type": _JSON_TYPES[hint]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [one.value for one in hint]}
    if origin in (list, tuple) and arguments:
        items = _type(arguments[0])
        return None if items is None else {"type": "array", "items": items}
    if origin in (typing.Union, types.UnionType):
        others = [one for one in arguments if one is not type(None)]
        own = _type(others[0]) if len(others) == 1 else None
        return None if own is None else {"anyOf": [own, {"type": "null"}]}
    return None


def _as_type(value: Any, hint: Any) -> Any:
    """The value of an option as its type: an integer for a float, an enumeration for its text."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        others = [one for one in typing.get_args(hint) if one is not type(None)]
        return None if value is None else _as_type(value, others[0])
    if hint is float and isinstance(value, int):
        return float(value)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    return value


# Held while a plugin runs. Its thread may take it again: a strategy may call ``compare``.
_RUNNING = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[np.random.Generator]:
    """Seeds what Python code draws from, and puts it back as it was: ``random``, ``numpy.random``, and ``torch`` if it is imported.

    These generators are of the whole process. So code of plugins runs one call at a time in it, also where several threads compare. A
    plugin must not wait for a plugin of another thread.

    Yields:
        A generator of its own.
    """
    with _RUNNING, _seeded(seed) as generator:
        yield generator


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[np.random.Generator]:
    ours, theirs = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    of_torch = None if torch is None else torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if torch is not None:
        torch.manual_seed(seed)
    try:
        yield np.random.default_rng(seed)
    finally:
        random.setstate(ours)
        np.random.set_state(theirs)
        if torch is not None and of_torch is not None:
            torch.set_rng_state(of_torch)


def decorator(
    family: str, kind: str, base: type[Plugin], runner: type[Any], *, paper: str, settings: Callable[[type[Any]], dict[str, Any]]
) -> Callable[[type[Any]], type[Any]]:
    """What the decorators of the families return. ``settings`` gives what the native module is told of a class.

    Raises:
        ConfigError: there is no kind, as in ``@al.strategy`` without parentheses.
    """
    if not isinstance(kind, str):
        found = f"the class {kind.__name__}" if isinstance(kind, type) else f"a {type(kind).__name__}"
        raise ConfigError(f"`al.{family}` got {found} instead of a kind; accepted: @al.{family}(\"my-kind\") above the class")

    def registered(owner: type[Any]) -> type[Any]:
        if not (isinstance(owner, type) and issubclass(owner, base)):
            raise ConfigError(f"{kind!r}: {owner!r} is not a subclass of {base.__name__}; accepted: class NAME({base.__name__})")
        register(family, kind, owner, runner, paper=paper, settings=settings(owner))
        return owner

    return registered
