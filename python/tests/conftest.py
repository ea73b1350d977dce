"""What the tests have in common: a small comparison, and the examples."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest

import alluvium as al

# The strategy that averages is the example's.
sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

CONFIG: dict[str, Any] = {
    "name": "small",
    "seeds": [0],
    "references": [],
    "backend": {"kind": "flex"},
    "protocol": {"kind": "dcl"},
    "stream": {"kind": "split-glyphs", "tasks": 3, "classes_per_task": 4},
    "backbone": {"kind": "mlp", "layers": [32]},
    "device": {"epochs": 1},
    "strategies": [{"kind": "weight-averaging"}],
}


@pytest.fixture
def config() -> dict[str, Any]:
    """A comparison of half a second, which a test may change."""
    return copy.deepcopy(CONFIG)


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Runs a configuration in a run directory of the test's own."""

    def compared(config: Any, **settings: Any) -> al.Results:
        return al.compare(config, out=tmp_path / "run", progress=False, **settings)

    return compared


def pytest_report_header() -> str:
    """Says what is left out, and why."""
    try:
        import torch

        return f"torch {torch.__version__}"
    except ImportError:
        return "skipped: the tests with PyTorch, because torch is not installed"
