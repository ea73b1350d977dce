"""The tests of devices on Flower. They are skipped where Flower is not installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples" / "flower"

for folder in (HERE, HERE / "faulty", EXAMPLES):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

MISSING = next((name for name in ("flwr", "alluvium") if importlib.util.find_spec(name) is None), None)
collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_report_header() -> str:
    """Says whether the tests of Flower run."""
    if MISSING:
        return f"Flower: its tests are SKIPPED, because `{MISSING}` cannot be imported; pip install 'alluvium[flower]'"
    import flwr

    return f"Flower: {flwr.__version__}"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the end, too, that tests were left out."""
    if MISSING:
        terminalreporter.write_line(f"SKIPPED the tests of Flower: `{MISSING}` cannot be imported")
