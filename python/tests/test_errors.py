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


def test_the_conformance_tests_check_the_values_of_options(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(al.ConfigError, match="`density` = 5 is out of range"):
        al.testing.check_strategy("ties", density=5)
    with pytest.raises(al.ConfigError, match="`epochs`"):
        al.testing.check_device("in-process", epochs="many")

    @al.strategy("forgetting-heads")
    class ForgettingHeads(al.Strategy):
        """Keeps the old heads only."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> object:
            return dict(previous)

    with pytest.raises(AssertionError) as failed:
        al.testing.check_strategy("forgetting-heads")
    assert "the strategy must consolidate: the strategy \"forgetting-heads\": returned a model without `heads.a" in str(failed.value)
    assert "Own(" not in str(failed.value) and "panicked" not in capfd.readouterr().err


def test_what_the_tests_of_plugins_need_is_not_listed() -> None:
    for family, known in (("backbone", "mlp"), ("strategy", "pld"), ("device", "in-process"), ("stream", "mixed")):
        names = {kind.kind for kind in al.kinds(family)}
        assert known in names and not any("conformance" in name or name.startswith("_") for name in names)
    assert "conformance" not in str(al.schema())
    with pytest.raises(al.ConfigError) as wrong:
        al.check({"name": "x", "seeds": [0], "backbone": {"kind": "mlpp"}, "strategies": [{"kind": "naive"}]})
    assert "conformance" not in str(wrong.value)


def test_a_request_that_cannot_be_carried_out_is_an_error_of_the_caller() -> None:
    import numpy as np

    model = {"weight": np.ones((2, 2), np.float32)}
    for strategy in ("pld", "fisher-merging"):
        with pytest.raises(al.ConfigError, match="needs the whole network, which tensorwise=True does not build"):
            al.consolidate(previous=model, experts=[model], strategy=strategy, tensorwise=True)
    norm = {"bn.running_var": np.array([1.0, -3.75], np.float32)}
    with pytest.raises(al.FileError, match=r"holds a negative variance \(-3.75 at index 1\); accepted: 0 or more"):
        al.consolidate(previous=norm, experts=[norm], strategy="weight-averaging", tensorwise=True)
