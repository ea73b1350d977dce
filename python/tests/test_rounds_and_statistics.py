"""Strategies in Python that take a round of experts at once, and strategies that ask devices for a statistic."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alluvium as al


def mean(values: list[np.ndarray[Any, Any]], weights: list[int]) -> np.ndarray[Any, Any]:
    """The weighted mean in 64 bits, in the order of the experts, rounded at the end."""
    total = np.zeros(values[0].shape)
    for value, weight in zip(values, weights, strict=True):
        total += weight * value.astype(np.float64)
    return (total / sum(weights)).astype(np.float32)


@al.strategy("federated-in-python")
class FederatedInPython(al.Strategy):
    """The mean of the experts of a round, by their samples (McMahan et al., arXiv 1602.05629)."""

    def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
        return self.consolidate_round(previous, [expert], context)

    def consolidate_round(self, previous: al.Model, experts: Any, context: al.Context) -> Any:
        names = dict.fromkeys(name for expert in experts for name in expert)
        central = dict(previous)
        for name in names:
            having = [expert for expert in experts if name in expert]
            central[name] = mean([expert[name] for expert in having], [expert.manifest.samples for expert in having])
        return central


@al.strategy("observing")
class Observing(al.Strategy):
    """Looks at what it gets."""

    def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
        assert context.of_expert(0).seed == context.seed
        context.note(f"device {context.device}, seed {context.seed}, before {len(previous.heads)}")
        return {**previous, **expert}


@al.strategy("observing-rounds")
class ObservingRounds(Observing):
    """Looks at the contexts of a round."""

    def consolidate_round(self, previous: al.Model, experts: Any, context: al.Context) -> Any:
        central = dict(previous)
        for index, expert in enumerate(experts):
            own = context.of_expert(index)
            own.note(f"device {own.device}, seed {own.seed}, before {len(previous.heads) + index}")
            own.step(10, index + 1, len(experts))
            central.update(expert)
        assert context.seed == context.of_expert(0).seed and context.device == context.of_expert(0).device
        last = len(experts) - 1
        with pytest.raises(al.ConfigError, match=f"there is no expert {last + 2} in this round; accepted: the index of one, from 0 to {last}"):
            context.of_expert(last + 1)
        return central


FEDERATED = {"kind": "federated", "rounds": 2}


def test_a_federated_mean_equals_the_strategy_in_rust_to_the_last_bit(config: Any, run: Any) -> None:
    config["protocol"] = FEDERATED
    config["stream"] = {"kind": "split-glyphs", "tasks": 3, "classes_per_task": 4}
    config["strategies"] = [{"kind": "fedavg"}, {"kind": "federated-in-python"}]
    results = run(config)
    ours, theirs = (json.loads(results.variants[0].json)["rows"][index]["cells"][0] for index in (1, 0))
    assert ours["accuracy"] == theirs["accuracy"]
    frame = results.frame()
    values = [frame[(frame["strategy"] == name) & ~frame["metric"].str.contains("time|memory|seconds")] for name in results.strategies[:2]]
    assert values[0]["value"].tolist() == values[1]["value"].tolist()


def test_a_federated_mean_conforms() -> None:
    al.testing.check_strategy("federated-in-python")
    al.testing.check_strategy("observing-rounds")


def test_experts_of_a_round_have_the_contexts_of_consolidations_of_their_own(config: Any, run: Any) -> None:
    config["protocol"] = {"kind": "federated", "rounds": 1}
    config["strategies"] = [{"kind": "observing"}, {"kind": "observing-rounds"}]
    rows = json.loads(run(config).variants[0].json)["rows"][:2]
    one_by_one, at_once = ({note for note in row["cells"][0]["notes"] if "seed" in note} for row in rows)
    assert len(one_by_one) == 3 and one_by_one == at_once
    assert rows[1]["cells"][0]["consolidation_samples"] == [30]


def test_a_round_that_lacks_a_head_is_refused(config: Any, run: Any) -> None:
    @al.strategy("forgets-experts")
    class ForgetsExperts(al.Strategy):
        """Takes only the first expert of a round."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            return {**previous, **expert}

        def consolidate_round(self, previous: al.Model, experts: Any, context: al.Context) -> Any:
            return {**previous, **experts[0]}

    config["protocol"], config["strategies"] = FEDERATED, [{"kind": "forgets-experts"}]
    with pytest.raises(al.RunError, match="the strategy \"forgets-experts\": returned a model without `heads.task-2"):
        run(config)


@al.strategy("counting", tells="how many samples each of its classes has, and their mean")
class Counting(al.Strategy):
    """Takes the expert's backbone, and looks at the statistic."""

    scale: float = 1.0

    def statistic(self, taken: al.Model, adapted: al.Model, samples: al.Samples, generator: np.random.Generator) -> Any:
        assert set(taken.backbone()) == set(adapted.backbone()) and len(adapted.heads) == 1
        counts = np.bincount(samples.targets, minlength=len(samples.classes))
        mean = samples.inputs.mean(axis=0, dtype=np.float64)
        return {"counts": (self.scale * counts).astype(np.float32), "mean": mean, "drawn": generator.random(1)}

    def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
        sent = expert.statistic
        assert sent["counts"].dtype == np.float32 and sent["mean"].dtype == np.float64 and sent["mean"].ndim == 3
        context.note(f"counts {sent['counts'].tolist()}, {sent['mean'].sum():.3f}, drawn {sent['drawn'][0]:.6f}")
        self.last = expert
        return {**previous, **expert}


def first_row(results: al.Results) -> Any:
    return json.loads(results.variants[0].json)["rows"][0]


def test_devices_send_the_statistic_of_a_strategy_in_python(config: Any, run: Any) -> None:
    config["strategies"] = [{"kind": "counting", "scale": 2}]
    results = run(config)
    cell = first_row(results)["cells"][0]
    # 4 counts of 4 bytes, 784 means and one number drawn of 8.
    assert cell["statistics_bytes"] == [4 * 4 + 785 * 8] * 3
    counts = [note for note in cell["notes"] if note.startswith("counts")]
    samples = len(al.announce(config["stream"], 0).classes), al.announce(config["stream"], 0).samples
    each = 2.0 * samples[1] / samples[0]
    assert len(counts) == 3 and all(note.startswith(f"counts {[each] * 4}") for note in counts)
    assert len({note.rpartition(" ")[2] for note in counts}) == 3, "each device draws from a seed of its own"
    notes = json.loads(results.variants[0].json)["notes"]
    assert any('The statistic "counting" tells the centre how many samples each of its classes has' in note for note in notes)
    assert "counting" in results.table()


def test_a_strategy_with_a_statistic_conforms() -> None:
    al.testing.check_strategy("counting")
    kind = next(kind for kind in al.strategies() if kind.kind == "counting")
    assert [option.name for option in kind.options] == ["scale"]


def test_an_expert_that_is_kept_keeps_its_statistic(config: Any, tmp_path: Path) -> None:
    seen: list[Any] = []

    @al.strategy("keeping-statistics", tells="the mean of its samples")
    class Keeping(al.Strategy):
        """Keeps an expert."""

        def statistic(self, taken: al.Model, adapted: al.Model, samples: al.Samples, generator: np.random.Generator) -> Any:
            return {"mean": samples.inputs.mean(axis=0)}

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            if hasattr(self, "kept"):
                seen.append(self.kept)
            assert expert.statistic
            self.kept = expert
            return {**expert, **previous}

    al.testing.check_strategy("keeping-statistics")
    seen.clear()
    config["strategies"] = [{"kind": "keeping-statistics"}]
    for number in range(2):
        # A centre that is opened again has the state from its folder, and a device elsewhere computes the statistic.
        with al.Centre(tmp_path / "centre", config) as centre:
            taken = centre.hand_out(al.announce(config["stream"], number))
            centre.receive(taken, al.adapt(taken.to_bytes(), stream=config["stream"]).to_bytes())
    (kept,) = seen
    assert set(kept.statistic) == {"mean"} and kept.statistic["mean"].shape == (1, 28, 28)
    assert not any(name.startswith("statistic") for name in kept)


def test_an_edited_statistic_is_computed_again(config: Any, run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = (
        "import numpy as np\nimport alluvium as al\n\n@al.strategy('measuring', tells='a number')\nclass Measuring(al.Strategy):\n"
        "    '''Measures.'''\n    def statistic(self, taken, adapted, samples, generator):\n        return {'number': np.ones(1) * 1.0}\n\n"
        "    def consolidate(self, previous, expert, context):\n        context.note(f\"number {expert.statistic['number'][0]}\")\n"
        "        return {**expert, **previous}\n"
    )
    (tmp_path / "measuring.py").write_text(text)
    measuring = importlib.import_module("measuring")
    config["strategies"] = [{"kind": "measuring"}]
    assert "number 1.0" in first_row(run(config))["cells"][0]["notes"]
    (tmp_path / "measuring.py").write_text(text.replace("* 1.0", "* 2.50"))
    importlib.reload(measuring)
    assert "number 2.5" in first_row(run(config))["cells"][0]["notes"]


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: None, "`statistic` returned a NoneType; accepted: a mapping from names to tensors"),
        (lambda: {"a": np.array([np.nan])}, "`a` holds a value that is not finite"),
        (lambda: {"a": np.arange(3)}, "the statistic: the tensor 'a' is of the type int64; accepted: float32"),
    ],
)
def test_a_statistic_that_fails_is_named(config: Any, run: Any, statistic: Any, expected: str) -> None:
    @al.strategy("wrong-statistic", tells="nothing")
    class Wrong(al.Strategy):
        """Its statistic is wrong."""

        def statistic(self, taken: al.Model, adapted: al.Model, samples: al.Samples, generator: np.random.Generator) -> Any:
            return statistic()

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            return {**expert, **previous}

    config["strategies"] = [{"kind": "wrong-statistic"}]
    with pytest.raises(al.RunError) as raised:
        run(config)
    assert expected in str(raised.value) and "wrong-statistic" in str(raised.value), str(raised.value)
    if "division" in expected:
        assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_class_says_what_its_statistic_tells() -> None:
    with pytest.raises(al.ConfigError, match="has the method `statistic`, but `tells` does not say what it tells"):

        @al.strategy("silent-statistic")
        class Silent(al.Strategy):
            """Says nothing."""

            def statistic(self, *arguments: Any) -> Any:
                return {}

    with pytest.raises(al.ConfigError, match="has no method `statistic`, but `tells`; accepted: both or neither"):

        @al.strategy("without-statistic", tells="a number")
        class Without(al.Strategy):
            """Sends nothing."""


def test_an_expert_without_a_statistic_says_so(config: Any, run: Any) -> None:
    @al.strategy("hoping")
    class Hoping(al.Strategy):
        """Hopes for a statistic."""

        def consolidate(self, previous: al.Model, expert: al.Expert, context: al.Context) -> Any:
            return expert.statistic

    config["strategies"] = [{"kind": "hoping"}]
    with pytest.raises(al.RunError, match="carries no statistic; accepted: a strategy with a method `statistic`"):
        run(config)


def test_a_device_elsewhere_needs_the_class_of_the_strategy(config: Any, tmp_path: Path) -> None:
    config["strategies"] = [{"kind": "counting"}]
    with al.Centre(tmp_path / "centre", config) as centre:
        taken = centre.hand_out(al.announce(config["stream"], 0)).to_bytes()
    elsewhere = taken.replace(b'"counting"', b'"c0unting"')
    assert elsewhere != taken
    with pytest.raises(al.ConfigError, match='no Python class is registered as the strategy "c0unting"; import the module that registers it'):
        al.adapt(elsewhere, stream=config["stream"])


@al.device("takes-it-as-it-is")
class TakesItAsItIs(al.Device):
    """Sends what it took."""

    def adapt(self, model: al.Model, task: al.DeviceTask, context: al.DeviceContext) -> Any:
        return dict(model)


@pytest.mark.parametrize("strategy", ["fisher-merging", "reg-mean", "class-statistics", "counting"])
def test_devices_in_python_send_the_statistics_that_a_strategy_asks_for(config: Any, run: Any, strategy: str) -> None:
    config["device"], config["strategies"] = {"kind": "takes-it-as-it-is"}, [{"kind": strategy}]
    row = first_row(run(config))
    assert len(row["cells"][0]["statistics_bytes"]) == 3 and all(row["cells"][0]["statistics_bytes"])


def test_the_fisher_information_of_the_example_is_that_of_rust(config: Any, run: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    import fisher  # noqa: F401  # It registers its strategy.

    al.testing.check_strategy("fisher-in-torch")
    # Empirical labels, all samples, neither norm nor a minimum that counts: both compute the same mean.
    rust = {"kind": "fisher-merging", "fisher_labels": "empirical", "normalise": False, "floor": 1e-30, "fisher_samples": 10_000}
    central = []
    for number, strategy in enumerate([{"kind": "fisher-in-torch", "floor": 1e-30}, rust]):
        single = {**config, "strategies": [strategy]}
        with al.Centre(tmp_path / str(number), single) as centre:
            for task in centre.tasks:
                taken = centre.hand_out(al.announce(config["stream"], task.name))
                centre.receive(taken, al.adapt(taken, stream=config["stream"]))
            central.append(centre.central())
    ours, theirs = central
    for name in ours.backbone():
        assert np.allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-4), name
