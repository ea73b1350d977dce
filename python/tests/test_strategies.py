"""Strategies in Python: numbers, conformance, data access, failures, keys."""

from __future__ import annotations

import enum
import importlib
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from test_compare import interrupted

import alluvium as al
import averaging  # noqa: F401  # It registers its strategy.


def test_averaging_equals_the_strategy_in_rust_to_the_last_bit(config: Any, run: Any, tmp_path: Path) -> None:
    config["strategies"] = [{"kind": "weight-averaging"}, {"kind": "my-averaging"}]
    config["seeds"] = [0, 1]
    results = run(config)
    for seed in config["seeds"]:
        for known in (True, False):
            ours, theirs = (results.matrix(row, seed, task_known=known) for row in results.strategies[:2])
            assert np.array_equal(ours, theirs, equal_nan=True)
    digests = []
    for kind in ("weight-averaging", "my-averaging"):
        single = {**config, "seeds": [0], "strategies": [{"kind": kind}]}
        with al.Centre(tmp_path / kind, single) as centre:
            for task in centre.tasks:
                taken = centre.hand_out(al.announce(config["stream"], task.name))
                centre.receive(taken, al.adapt(taken, stream=config["stream"]))
            digests.append(centre.central().digest)
    assert digests[0] == digests[1], "the weights differ"


def test_averaging_conforms() -> None:
    al.testing.check_strategy("my-averaging")


def test_what_does_not_conform_is_named() -> None:
    @al.strategy("forgetful")
    class Forgetful(al.Strategy):
        """Draws random numbers that do not come from the seed."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            return {name: array + np.float32(time.perf_counter() % 1) for name, array in {**expert, **previous}.items()}

    with pytest.raises(AssertionError, match="'forgetful' does not conform: .*same seed must give the same models"):
        al.testing.check_strategy("forgetful")


class Start(enum.Enum):
    """Where it starts."""

    PREVIOUS = "previous"
    EXPERT = "expert"


@al.strategy("with-options", paper="Nobody, 2026")
class WithOptions(al.Strategy):
    """Takes the expert's backbone, or keeps the previous one.

    It is here for its options.
    """

    share: Annotated[float, al.Range(0, 1), "The share of the expert."] = 0.5
    steps: int = 3
    start: Start = Start.EXPERT
    mode: Literal["fast", "slow"] = "fast"
    names: list[str] | None = None

    def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
        assert isinstance(self.start, Start) and isinstance(self.share, float)
        context.note(f"share {self.share}, {self.start.value}, {self.mode}, {self.names}")
        context.step(10, 1, 1)
        return {**previous, **expert} if self.start is Start.EXPERT else {**expert, **previous}


def test_options_are_described_checked_and_given(config: Any, run: Any) -> None:
    kind = next(kind for kind in al.strategies() if kind.kind == "with-options")
    assert kind.summary == "Takes the expert's backbone, or keeps the previous one." and kind.paper == "Nobody, 2026"
    assert kind.options[0].meaning == "The share of the expert." and kind.options[2].accepts == '"previous" or "expert"'
    config["strategies"] = [{"kind": "with-options", "share": 1, "start": "previous", "names": ["a"]}]
    data = run(config).variants[0].data
    assert any("share 1.0, previous, fast, ['a']" in note for note in data["notes"]), data["notes"]
    assert data["rows"][0]["cells"][0]["consolidation_steps"] == (1, 1, 1)
    config["strategies"] = [{"kind": "with-options", "share": 2, "mode": "none", "speed": 1}]
    with pytest.raises(al.ConfigError) as wrong:
        run(config, fresh=True)
    for part in ("`share` = 2 is out of range", '"fast" or "slow"', "`speed` is not a key", "the keys share, steps, start, mode, names"):
        assert part in str(wrong.value)
    al.testing.check_strategy("with-options", share=0.25)


def test_classes_that_cannot_be_registered_say_why() -> None:
    with pytest.raises(al.ConfigError, match="has no docstring"):

        @al.strategy("no-words")
        class NoWords(al.Strategy):
            pass

    with pytest.raises(al.ConfigError, match="`share` has no default"):

        @al.strategy("no-default")
        class NoDefault(al.Strategy):
            """It needs a share."""

            share: float

    with pytest.raises(al.ConfigError, match="is linked into this program already"):

        @al.strategy("pld")
        class Taken(al.Strategy):
            """Another one."""

    with pytest.raises(al.ConfigError, match="lower case, with hyphens"):

        @al.strategy("My Kind")
        class Name(al.Strategy):
            """A name that is none."""


@pytest.mark.parametrize(
    ("family", "base"), [(al.strategy, al.Strategy), (al.device, al.Device), (al.stream, al.Stream)]
)
def test_a_decorator_without_a_kind_says_how_to_write_it(family: Any, base: type) -> None:
    name = family.__name__
    with pytest.raises(al.ConfigError, match=rf'`al.{name}` got the class Bare instead of a kind; accepted: @al.{name}\("my-kind"\)'):
        family(type("Bare", (base,), {"__doc__": "It has no kind."}))


@pytest.mark.parametrize(
    ("hint", "default", "expected"),
    [
        (int, "abc", "the default of `x` is 'abc'; accepted: a whole number"),
        (int, True, "the default of `x` is True; accepted: a whole number"),
        (float, float("nan"), "the default of `x` is nan; accepted: finite numbers"),
        (float, None, "the default of `x` is None; accepted: a number"),
        (Annotated[float, al.Range(0, 1)], 5.0, "the default of `x` is 5.0; accepted: a number from 0 to 1"),
        (Annotated[float | None, al.Range(0, 1)], 5.0, "the default of `x` is 5.0; accepted: a number from 0 to 1, or None"),
        (Annotated[float, al.Range(1, 0)], 0.5, "the range of `x` goes from 1 to 0; accepted: the smaller bound first"),
        (Annotated[float, al.Range(0, float("inf"))], 0.5, "the range of `x` has the bound inf; accepted: finite numbers, or None"),
        (Literal["a", "b"], "c", "the default of `x` is 'c'; accepted: 'a' or 'b'"),
        (Start, "middle", "the default of `x` is 'middle'; accepted: 'previous' or 'expert'"),
        (tuple[int, ...], ("a",), "the default of `x` is ('a',); accepted: a whole number"),
    ],
)
def test_a_default_that_its_option_does_not_accept_is_refused(hint: Any, default: Any, expected: str) -> None:
    own = {"__doc__": "It has a default.", "__module__": __name__, "__annotations__": {"x": hint}, "x": default}
    with pytest.raises(al.ConfigError) as caught:
        al.strategy("wrong-default")(type("WrongDefault", (al.Strategy,), own))
    assert str(caught.value) == f"'wrong-default', WrongDefault: {expected}"


def test_defaults_that_their_options_accept_are_taken() -> None:
    hints = {"a": Annotated[int, al.Range(1)], "b": float, "c": Start, "d": list[str] | None, "e": Literal[1, None], "f": tuple[int, ...]}
    values = {"a": np.int64(1), "b": 1, "c": Start.EXPERT, "d": None, "e": None, "f": (1, 2)}
    own = {"__doc__": "It has defaults.", "__module__": __name__, "__annotations__": hints, **values}
    al.strategy("sound-defaults")(type("SoundDefaults", (al.Strategy,), own))
    kind = next(kind for kind in al.strategies() if kind.kind == "sound-defaults")
    assert [option.default for option in kind.options] == [1, 1, "expert", None, None, [1, 2]]


def test_options_that_a_class_lacks_are_named_by_the_conformance_tests() -> None:
    for unknown in ("x", "options"):
        with pytest.raises(al.ConfigError, match=f"'with-options' has no option `{unknown}`; accepted: share, steps, start, mode, names"):
            al.testing.check_strategy("with-options", **{unknown: {}})


def keeping(value: Any) -> None:
    """A strategy that keeps a value between devices."""

    @al.strategy("keeping")
    class Keeping(al.Strategy):
        """Keeps a value."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            self.kept = value(previous, expert)
            return {**expert, **previous}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda previous, expert: open(__file__, "rb"), "'kept' is kept between devices, but a BufferedReader cannot be stored; accepted: numbers"),
        (lambda previous, expert: float("nan"), "'kept' is kept between devices, but it holds nan; accepted: finite numbers"),
        (lambda previous, expert: {"a": [1.0, -np.inf]}, "'kept' is kept between devices, but it holds -inf; accepted: finite numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_state_that_cannot_be_stored_is_named(config: Any, run: Any, value: Any, expected: str) -> None:
    keeping(value)
    config["strategies"] = [{"kind": "keeping"}]
    with pytest.raises(al.RunError, match=expected):
        run(config)


def test_a_model_that_is_kept_comes_back_as_a_model(config: Any, tmp_path: Path) -> None:
    seen: list[Any] = []

    @al.strategy("keeping-models")
    class KeepingModels(al.Strategy):
        """Keeps both models."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            if hasattr(self, "sent"):
                seen.append((self.before, self.sent))
            self.before, self.sent = previous, expert
            return {**expert, **previous}

    al.testing.check_strategy("keeping-models")
    seen.clear()
    config["strategies"] = [{"kind": "keeping-models"}]
    sent = []
    for _ in range(2):
        # A centre that is opened again has the strategy's state from its folder.
        with al.Centre(tmp_path / "centre", config) as centre:
            task = centre.tasks[len(sent)]
            taken = centre.hand_out(al.announce(config["stream"], task.name))
            sent.append(al.adapt(taken, stream=config["stream"]))
            centre.receive(taken, sent[-1])
    ((before, expert),) = seen
    assert type(before) is al.Model and before.heads == ()
    assert type(expert) is al.Expert and expert.manifest == sent[0].expert.manifest and expert.own_head == sent[0].expert.own_head
    assert expert.digest == sent[0].expert.digest


def test_arrays_at_odd_places_are_read(config: Any, run: Any) -> None:
    @al.strategy("unaligned")
    class Unaligned(al.Strategy):
        """Returns and keeps arrays that are not aligned."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            central = {name: unaligned(array) for name, array in {**expert, **previous}.items()}
            self.kept = central[next(iter(previous.backbone()))]
            model = al.Model(expert._description, {name: unaligned(array) for name, array in expert.items()})
            assert model.digest == expert.digest and model.to_bytes() == expert.to_bytes()
            return central

    config["strategies"] = [{"kind": "unaligned"}]
    assert run(config).matrix("unaligned").shape == (3, 3)


def unaligned(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array over bytes that begin at an odd place."""
    moved = np.frombuffer(b"!" + array.tobytes(), array.dtype, offset=1).reshape(array.shape)
    assert not moved.flags.aligned
    return moved


@pytest.mark.parametrize(
    ("data", "grants"), [("none", None), ("surrogate", None), ("current-task", "current-task"), ("all-tasks", "all-tasks")]
)
def test_a_strategy_gets_the_data_that_it_declares(config: Any, run: Any, data: str, grants: str | None) -> None:
    seen: list[Any] = []

    @al.strategy("curious", data=data)
    class Curious(al.Strategy):
        """Looks at all data that it can get."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            got = {}
            for name, ask in (
                ("surrogate", context.surrogate),
                ("current-task", context.current_task),
                ("all-tasks", context.all_tasks),
            ):
                try:
                    got[name] = ask()
                except al.RunError as error:
                    assert "did not declare or was not granted" in str(error)
            seen.append((context.device, got))
            return {**previous, **expert}

    config["surrogate"] = {"kind": "noise", "samples": 7}
    if grants:
        config["protocol"]["grants"] = grants
    config["strategies"] = [{"kind": "curious"}]
    run(config)
    device, got = seen[-1]
    expected = {"none": set(), "surrogate": {"surrogate"}, "current-task": {"current-task"}, "all-tasks": {"current-task", "all-tasks"}}
    assert device == 2 and set(got) == expected[data]
    if data == "surrogate":
        assert got["surrogate"].shape == (7, 1, 28, 28) and np.array_equal(got["surrogate"], seen[0][1]["surrogate"])
    if data == "all-tasks":
        tasks = got["all-tasks"]
        assert len(tasks) == 3 and tasks[2].inputs.shape[1:] == (1, 28, 28) and set(tasks[2].targets) == {0, 1, 2, 3}
        assert tasks[0].inputs.min() >= -1 and tasks[0].inputs.max() <= 1


def test_data_that_the_protocol_does_not_grant_are_refused_before_anything_runs(config: Any, run: Any) -> None:
    @al.strategy("greedy", data="all-tasks")
    class Greedy(al.Strategy):
        """Would see everything."""

    config["strategies"] = [{"kind": "greedy"}]
    with pytest.raises(al.ConfigError, match="all-tasks"):
        run(config)


def failing(problem: str) -> type[al.Strategy]:
    """A strategy that fails at the second device in one of several ways, under one kind."""

    @al.strategy("failing")
    class Failing(al.Strategy):
        """Fails, until it is mended."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            central = {**previous, **expert}
            name = next(iter(previous.backbone()))
            if context.device == 1 and problem == "raises":
                raise ZeroDivisionError("on purpose")
            if context.device == 1 and problem == "shape":
                central[name] = central[name][:1]
            if context.device == 1 and problem == "nan":
                central[name] = central[name] * np.nan
            if context.device == 1 and problem == "large":
                central[name] = central[name].astype(np.float64) + 1e300
            if context.device == 1 and problem == "heads":
                central = {key: array for key, array in central.items() if not key.startswith("heads.task-1")}
            if context.device == 1 and problem == "more":
                central["backbone.other"] = central[name]
            if context.device == 1 and problem == "type":
                central[name] = [1, 2]
            if context.device == 1 and problem == "nothing":
                return None
            return central

    return Failing


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ("raises", "ZeroDivisionError: on purpose .*test_strategies.py, line"),
        ("shape", r"returned `backbone.layers.0.bias` with the shape \[1\]; accepted: \[32\]"),
        ("nan", "values are not all finite numbers.*backbone.layers.0.bias"),
        ("large", "values are not all finite numbers.*backbone.layers.0.bias"),
        ("heads", "returned a model without `heads.task-1.bias`; accepted: all tensors of the backbone, and the heads task-1, task-2"),
        ("more", "returned a tensor `backbone.other`, which neither"),
        ("type", "'backbone.layers.0.bias' is a list; accepted: arrays of numpy, tensors of torch"),
        ("nothing", "`consolidate` returned a NoneType; accepted: a mapping"),
    ],
)
def test_a_strategy_that_fails_is_named_and_the_run_goes_on_after_the_mend(
    config: Any, run: Any, problem: str, message: str
) -> None:
    failing(problem)
    config["strategies"] = [{"kind": "failing"}, {"kind": "my-averaging"}]
    with pytest.raises(al.RunError, match=f'failing, seed 0, device 2: the strategy "failing": .*{message}') as raised:
        run(config)
    error = raised.value
    assert error.results is not None and error.results.matrix("my-averaging").shape == (3, 3)
    assert len(error.failures) == 1
    assert isinstance(error.__cause__, ZeroDivisionError) or problem != "raises"
    failing("none")
    mended = run(config)
    assert mended.matrix("failing").shape == (3, 3)
    # The other row and the devices were found, not computed again.
    assert np.array_equal(mended.matrix("my-averaging"), error.results.matrix("my-averaging"), equal_nan=True)


@pytest.mark.skipif(os.name == "nt", reason="skipped: interruptions, because Windows has other signals")
@pytest.mark.parametrize("hang", ["time.sleep(1000)", "while True: pass"])
def test_a_strategy_that_hangs_is_interrupted(config: Any, tmp_path: Path, hang: str) -> None:
    config["strategies"] = [{"kind": "weight-averaging"}, {"kind": "hanging"}]
    module = tmp_path / "hanging.py"
    text = (
        "import time\nimport alluvium as al\n\n@al.strategy('hanging')\nclass Hanging(al.Strategy):\n    '''Hangs.'''\n"
        "    def consolidate(self, previous, expert, context):\n"
        "        if context.device == 1:\n            print('hangs', flush=True)\n            HANG\n"
        "        return {**previous, **expert}\n"
    )
    module.write_text(text.replace("HANG", hang))
    script = f"""
        import sys
        sys.path.insert(0, ".")
        import alluvium as al, hanging
        try:
            al.compare({config!r}, out="run", progress=False)
        except KeyboardInterrupt:
            print("stopped")
    """
    code, printed = interrupted(script, tmp_path, "hangs")
    assert code == 0 and "stopped" in printed, printed
    module.write_text(text.replace("HANG", "pass"))
    code, printed = interrupted(script, tmp_path, "never")
    assert code == 0 and "stopped" not in printed, printed
    assert (tmp_path / "run" / "results.json").exists()


def test_edited_code_is_computed_again_and_the_rest_is_found(config: Any, run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = (
        "import alluvium as al\nfrom edited_part import SHARE\n\n@al.strategy('edited')\nclass Edited(al.Strategy):\n    '''Edited.'''\n"
        "    def consolidate(self, previous, expert, context):\n        calls.append(context.device)\n"
        "        return {**expert, **previous, **{k: previous[k] * SHARE for k in previous.backbone()}}\n\ncalls = []\n"
    )
    (tmp_path / "edited.py").write_text(text)
    (tmp_path / "edited_part.py").write_text("SHARE = 0.5\n")
    edited = importlib.import_module("edited")
    config["strategies"] = [{"kind": "edited"}]
    first = run(config)
    assert edited.calls == [0, 1, 2]
    assert run(config) == first and edited.calls == [0, 1, 2], "it was not found again"
    (tmp_path / "edited_part.py").write_text("SHARE = 0.250\n")
    importlib.invalidate_caches()
    importlib.reload(sys.modules["edited_part"])
    edited = importlib.reload(edited)
    second = run(config)
    assert edited.calls == [0, 1, 2] and second != first


def test_the_overhead_of_a_consolidation_is_small(config: Any, run: Any) -> None:
    config["backbone"] = {"kind": "mlp", "layers": [320]}
    config["strategies"] = [{"kind": "weight-averaging"}, {"kind": "my-averaging"}]
    cells = {row["name"]: row["cells"][0] for row in run(config).variants[0].data["rows"]}
    # A timing never decides a test; the numbers are there for people, with `pytest -s`.
    for name, cell in cells.items():
        print(name, [round(1000 * seconds, 2) for seconds in cell["consolidation_seconds"]], "ms a consolidation, 1 MB")
    assert len(cells) == 2


@al.strategy("drawing")
class Drawing(al.Strategy):
    """Draws from the generators of the process, and gives other threads time to do so, too."""

    def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
        drawn = 0.0
        for _ in range(20):
            drawn += random.random() + np.random.random()
            time.sleep(0.001)
        context.note(f"drew {drawn}")
        return {**previous, **expert}


def test_comparisons_in_two_threads_draw_the_same_numbers(config: Any, tmp_path: Path) -> None:
    config["strategies"] = [{"kind": "drawing"}]

    def drawn(folder: str) -> list[str]:
        results = al.compare(config, out=tmp_path / folder, progress=False)
        return list(results.variants[0].data["rows"][0]["cells"][0]["notes"])

    alone = drawn("alone")
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(drawn, ["first", "second"]))
    assert both == [alone, alone]


def test_a_strategy_may_compare_in_its_own_thread(config: Any, tmp_path: Path) -> None:
    inner = {**config, "strategies": [{"kind": "drawing"}]}

    @al.strategy("comparing")
    class Comparing(al.Strategy):
        """Compares while it consolidates."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            results = al.compare(inner, out=tmp_path / f"inner-{context.device}", progress=False)
            context.note(results.variants[0].data["rows"][0]["cells"][0]["notes"][0])
            return {**previous, **expert}

    results = al.compare({**config, "strategies": [{"kind": "comparing"}]}, out=tmp_path / "outer", progress=False)
    assert len(set(results.variants[0].data["rows"][0]["cells"][0]["notes"])) == 1


def test_tensors_of_torch_that_are_kept_come_back_as_tensors_of_torch(config: Any, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="skipped: torch is not installed")
    seen: list[Any] = []

    @al.strategy("keeping-tensors")
    class KeepingTensors(al.Strategy):
        """Keeps a tensor, a table of tensors, and an array."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            if hasattr(self, "one"):
                seen.append((self.one, self.table, self.array))
                self.one.mul_(2)
            self.one = torch.full((2, 3), float(context.device), dtype=torch.float64)
            self.table = {name: tensor.clone() for name, tensor in expert.torch().items()}
            self.array = np.ones(2, np.float32)
            return {**previous, **expert}

    al.testing.check_strategy("keeping-tensors")
    seen.clear()
    config["strategies"] = [{"kind": "keeping-tensors"}]
    sent = []
    for number in range(2):
        with al.Centre(tmp_path / "centre", config) as centre:
            taken = centre.hand_out(al.announce(config["stream"], number))
            sent.append(al.adapt(taken, stream=config["stream"]))
            centre.receive(taken, sent[-1])
    ((one, table, array),) = seen
    assert isinstance(one, torch.Tensor) and one.dtype == torch.float64 and one.shape == (2, 3)
    assert {name: tensor.dtype for name, tensor in table.items()} == {name: torch.float32 for name in sent[0].expert}
    assert all(np.array_equal(table[name].numpy(), sent[0].expert[name]) for name in table)
    assert isinstance(array, np.ndarray) and array.dtype == np.float32


def test_kinds_are_shown_in_a_line() -> None:
    kind = next(kind for kind in al.strategies() if kind.kind == "ties")
    assert repr(kind).startswith("Kind('ties', ") and "options: " in repr(kind) and "density" in repr(kind) and len(repr(kind)) < 300
    option = next(option for option in kind.options if option.name == "density")
    assert repr(option) == f"Option('density', default {option.default!r}, {option.accepts})"
