"""The code of the page about Python runs, as far as it needs no files of the reader's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs/pages/guides/python.md"


def blocks() -> list[str]:
    """The fenced blocks of Python."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.skipif(not PAGE.exists(), reason="skipped: the code of the page about Python, because this is not a clone")
@pytest.mark.parametrize("heading", ["TowardsTheExpert", "al.Centre("])
def test_the_page_about_python_runs(heading: str, tmp_path: Path, monkeypatch: Any, config: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in blocks() if heading in block]
    # The smallest run that says the same.
    block = block.replace('"tasks": 10', '"tasks": 2').replace('"epochs": 5', '"epochs": 1').replace("small-cnn", "identity")
    block = block.replace('al.compare("my.toml")', "al.compare(MY, progress=False)").replace('["towards-the-expert"]', "")
    config["strategies"] = [{"kind": "towards-the-expert"}]
    names: dict[str, Any] = {"MY": config}
    exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)  # noqa: S102  # As a reader does.
