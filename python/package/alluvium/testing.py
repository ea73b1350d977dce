"""The conformance tests that every plugin must pass, ours and those in Python."""

from __future__ import annotations

import json
from typing import Any

from alluvium import _alluvium
from alluvium.errors import ConfigError
from alluvium.kinds import kinds
from alluvium.plugins import at_work
from alluvium.values import plain


def check_strategy(kind: str, **options: Any) -> None:
    """Checks a strategy, on a network of the tests: one linear map with a ReLU (``backbone.layer.weight`` ``[6, 4]`` and
    ``backbone.layer.bias``), inputs ``[1, 2, 3]``, and heads of two classes. A strategy that knows the tensors of one backbone cannot pass;
    try it on a small comparison.

    Its options are described and survive being written; it keeps every head; the same seed gives the same model; it
    resumes from its state; it gets the data that it declares and no others.

    Args:
        kind: the kind under which it is registered.
        options: options that differ from the defaults.

    Raises:
        AssertionError: it does not conform; the message says which check failed.
        ConfigError: there is no such kind, or it has no such option.
    """
    _check("strategy", kind, options)


def check_device(kind: str, **options: Any) -> None:
    """Checks a device, on such a network for inputs ``[1, 1, 2]``, with two classes a task. A device that knows the tensors of one
    backbone cannot pass; try it on a small comparison.

    Its expert agrees with what it stated and took, it answers once, and the same seed gives the same expert.

    Raises:
        AssertionError: it does not conform; the message says which check failed.
        ConfigError: there is no such kind, or it has no such option.
    """
    _check("device", kind, options)


def check_stream(kind: str, **options: Any) -> None:
    """Checks a stream: the same seed gives the same tasks; every task has training and test samples of the classes of its head, and
    inputs of one shape; every class has a name.

    Raises:
        AssertionError: it does not conform; the message says which check failed.
        ConfigError: there is no such kind, or it has no such option.
    """
    _check("stream", kind, options)


@at_work()
def _check(family: str, kind: str, options: dict[str, Any]) -> None:
    known = next((one for one in kinds(family) if one.kind == kind), None)
    if known is not None:
        names = [option.name for option in known.options]
        for name in options:
            if name not in names:
                raise ConfigError(f"the {family} {kind!r} has no option `{name}`; accepted: {', '.join(names) or 'no options'}")
    problem = _alluvium.check_plugin(family, kind, json.dumps(plain("", options)))
    if problem is not None:
        raise AssertionError(f"the {family} {kind!r} does not conform: {problem}")
