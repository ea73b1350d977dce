"""State dicts and checkpoints: what goes in, what comes back, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alluvium as al

TYPES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]


def merged(*models: Any, **settings: Any) -> dict[str, Any]:
    """The mean of models, tensor by tensor."""
    first, *others = models
    return al.consolidate(previous=first, experts=others, strategy="weight-averaging", tensorwise=True, **settings)


def arrays(seed: int) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(seed)
    return {"z.weight": random.normal(size=(4, 3)).astype(np.float32), "a.bias": random.normal(size=4).astype(np.float32)}


def test_arrays_are_averaged_and_keep_their_order() -> None:
    models = [arrays(seed) for seed in range(3)]
    result = merged(*models)
    assert list(result) == ["z.weight", "a.bias"]
    for name, array in result.items():
        assert isinstance(array, np.ndarray)
        np.testing.assert_allclose(array, np.mean([model[name] for model in models], axis=0), rtol=1e-6)


def test_what_comes_back_can_be_changed_and_is_nobody_elses() -> None:
    models = [arrays(seed) for seed in range(2)]
    before = {name: array.copy() for name, array in models[0].items()}
    result = merged(*models)
    for array in result.values():
        assert array.flags.writeable and array.flags.aligned
        array += 1
    assert all(np.array_equal(models[0][name], before[name]) for name in before)


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_of_numpy_comes_back(dtype: str) -> None:
    model = {"w": np.ones((2, 3), np.float32), "x": np.array([[1, 0, 1]]).astype(dtype)}
    result = merged(model, model)
    assert result["x"].dtype == np.dtype(dtype)
    np.testing.assert_array_equal(result["x"], model["x"])


def test_arrays_of_any_layout_are_read() -> None:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    for odd in (base.T, base[::2, ::-1], np.asfortranarray(base), base.astype(">f4"), np.array(3, np.float32), np.float32(3)):
        result = merged({"w": odd}, {"w": odd})
        assert result["w"].shape == odd.shape
        np.testing.assert_array_equal(result["w"], odd)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"epoch": 3}, "'epoch'"),
        ({"name": "a text"}, "'name'"),
        ({"odd": np.array(["a"], dtype=object)}, "'odd'"),
        ({"odd": np.array([1 + 2j])}, "complex128"),
        ({7: np.ones(2, np.float32)}, "7"),
    ],
)
def test_what_is_no_tensor_is_refused_by_its_name(value: dict[Any, Any], expected: str) -> None:
    with pytest.raises(al.FileError, match="accepted") as caught:
        merged({**arrays(0), **value}, arrays(1))
    assert expected in str(caught.value) and "previous" in str(caught.value)


def test_a_model_is_a_state_dict_or_a_path(tmp_path: Path) -> None:
    with pytest.raises(al.ConfigError, match="experts\\[0\\]"):
        merged(arrays(0), 3)
    with pytest.raises(al.FileError, match="nowhere"):
        merged(arrays(0), tmp_path / "nowhere.safetensors")
    with pytest.raises(al.ConfigError, match="list"):
        al.consolidate(previous=arrays(0), experts=arrays(1), strategy="weight-averaging", tensorwise=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"mean": [0.5]}, "std"),
        ({"std": [0.5]}, "mean"),
        ({"classes": ["abc", None]}, "classes"),
        ({"classes": [None]}, "classes"),
        ({"seed": -1}, "seed"),
        ({"strategy": "no-such-strategy"}, "no-such-strategy"),
        ({"strategy": {"kind": "ties", "density": object()}}, "density"),
    ],
)
def test_wrong_arguments_are_named(settings: dict[str, Any], expected: str) -> None:
    given: dict[str, Any] = {"strategy": "weight-averaging", **settings}
    with pytest.raises(al.ConfigError, match=expected):
        al.consolidate(previous=arrays(0), experts=[arrays(1)], **given)


@pytest.mark.parametrize("settings", [{"classes": [None, ["a"]]}, {"surrogate": "noise"}, {"names": "timm-vit"}, {"input": [4]}])
def test_what_does_not_apply_tensor_by_tensor_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(al.ConfigError, match=next(iter(settings))):
        merged(arrays(0), arrays(1), **settings)


def test_numbers_of_numpy_are_settings() -> None:
    result = merged(arrays(0), arrays(1), seed=np.int64(3))
    assert list(result) == list(arrays(0))


def test_a_text_is_no_list_of_classes() -> None:
    for call in (al.inspect, lambda model, classes: al.evaluate(model, stream="split-glyphs", classes=classes)):
        with pytest.raises(al.ConfigError, match="classes"):
            call(arrays(0), classes="abcd")


def test_a_strange_network_can_be_inspected() -> None:
    found = al.inspect(arrays(0))
    assert (found["tensors"], found["parameters"], found["model"]["kind"]) == (2, 16, "unknown")


torch = pytest.importorskip("torch", reason="torch is not installed")


def network(seed: int, outputs: int = 3) -> Any:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, outputs))


def test_state_dicts_are_averaged_and_load_where_the_previous_one_did() -> None:
    networks = [network(seed) for seed in range(3)]
    first, *others = [one.state_dict() for one in networks]
    result = merged(first, *others)
    assert list(result) == list(first)
    fresh = network(9)
    fresh.load_state_dict(result, strict=True)
    for name, tensor in result.items():
        assert tensor.dtype == first[name].dtype and tensor.shape == first[name].shape
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, torch.stack([one.state_dict()[name] for one in networks]).mean(0))


@pytest.mark.parametrize("dtype", [*TYPES, "bfloat16"])
def test_every_type_of_torch_comes_back(dtype: str) -> None:
    kind = getattr(torch, dtype)
    model = {
        "w": torch.ones(2, 3),
        "x": torch.tensor([[1, 0, 1]]).to(kind),
        "scalar": torch.tensor(1).to(kind),
        "empty": torch.zeros(0, 3, dtype=kind),
    }
    result = merged(model, model)
    for name, tensor in model.items():
        assert result[name].dtype == tensor.dtype and torch.equal(result[name], tensor)
        result[name].zero_()


def test_a_half_of_bfloat16_is_exact_in_arrays(tmp_path: Path) -> None:
    save = pytest.importorskip("safetensors.torch", reason="safetensors is not installed").save_file
    tensor = torch.tensor([1.5, -0.25, 3.0], dtype=torch.bfloat16)
    save({"w": tensor}, tmp_path / "model.safetensors")
    result = merged(tmp_path / "model.safetensors", tmp_path / "model.safetensors")
    assert result["w"].dtype == np.float32
    np.testing.assert_array_equal(result["w"], tensor.float().numpy())


def test_parameters_views_and_shared_tensors_are_read() -> None:
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    model = {"parameter": torch.nn.Parameter(base), "view": base.t(), "tied": base, "strided": base[:, ::2], "expanded": base[:1].expand(5, 4)}
    result = merged(model, model)
    for name, tensor in model.items():
        assert torch.equal(result[name], tensor.detach())
    result["tied"] += 1
    assert not torch.equal(result["tied"], result["parameter"]), "tensors that were shared are apart"


def made(kind: str) -> Any:
    makers: dict[str, Callable[[], Any]] = {
        "sparse": lambda: torch.eye(3).to_sparse(),
        "meta": lambda: torch.empty(3, device="meta"),
        "complex": lambda: torch.ones(3, dtype=torch.complex64).conj(),
        "quantized": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    }
    return makers[kind]()


@pytest.mark.parametrize("kind", ["sparse", "meta", "complex", "quantized"])
def test_tensors_without_plain_values_are_refused_by_their_name(kind: str) -> None:
    with pytest.raises(al.FileError, match="odd.*accepted"):
        merged({"w": torch.ones(2), "odd": made(kind)}, {"w": torch.ones(2)})


def test_a_module_is_refused_with_a_hint() -> None:
    with pytest.raises(al.ConfigError, match="state_dict\\(\\)"):
        merged(network(0), network(1).state_dict())


def test_an_mlp_is_consolidated_by_its_classes_and_evaluated() -> None:
    def mlp(seed: int) -> dict[str, Any]:
        torch.manual_seed(seed)
        layers = {"layers.0": torch.nn.Linear(784, 32), "head": torch.nn.Linear(32, 2)}
        return {f"net.{name}.{key}": tensor.detach() for name, layer in layers.items() for key, tensor in layer.state_dict().items()}

    names = {
        "transposed": ["layers.0.weight", "head.weight"],
        "names": {f"net.{name}": name for name in ("layers.0.weight", "layers.0.bias", "head.weight", "head.bias")},
    }
    settings: dict[str, Any] = {"names": names, "backbone": {"kind": "mlp", "layers": [32]}, "input": [1, 28, 28]}
    result = al.consolidate(
        previous=mlp(0), experts=[mlp(1)], strategy="weight-averaging", classes=[["A", "B"], ["C", "D"]], **settings
    )
    assert result["net.head.weight"].shape == (4, 32)
    first = "net.layers.0.weight"
    torch.testing.assert_close(result[first], (mlp(0)[first] + mlp(1)[first]) / 2)
    scores = al.evaluate(
        result, stream={"kind": "split-glyphs", "tasks": 2, "classes_per_task": 2}, classes=list("ABCD"), **settings
    )
    assert 0 <= scores.accuracy <= 1 and len(scores.tasks) == 2
    assert all(isinstance(task, al.TaskScore) for task in scores.tasks)
