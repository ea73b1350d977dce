"""The exceptions of the package."""

from __future__ import annotations

import pickle

import pytest

import alluvium as al


def test_errors_are_what_callers_expect() -> None:
    assert issubclass(al.ConfigError, al.AlluviumError) and issubclass(al.ConfigError, ValueError)
    assert issubclass(al.FileError, al.AlluviumError) and issubclass(al.FileError, ValueError)
    assert issubclass(al.RunError, al.AlluviumError) and issubclass(al.RunError, RuntimeError)


@pytest.mark.parametrize("error", [al.AlluviumError, al.ConfigError, al.FileError, al.RunError])
def test_errors_can_be_pickled(error: type[al.AlluviumError]) -> None:
    back = pickle.loads(pickle.dumps(error("what is wrong")))
    assert type(back) is error
    assert str(back) == "what is wrong"


def test_a_run_error_keeps_what_was_computed() -> None:
    results = al.Results([])
    back = pickle.loads(pickle.dumps(al.RunError("1 cell failed", results=results, failures=("pld, seed 0",))))
    assert (str(back), back.results, back.failures) == ("1 cell failed", results, ("pld, seed 0",))
    bare = al.RunError("it failed")
    assert (bare.results, bare.failures) == (None, ())
