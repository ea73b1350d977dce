"""The bar, and the messages that go to `logging`."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any

import pytest

from alluvium import log
from alluvium.progress import bar


def test_a_function_is_used_as_it_is() -> None:
    told: list[tuple[int, int, str]] = []

    def tell(done: int, total: int, text: str) -> None:
        told.append((done, total, text))

    with bar(tell) as report:
        assert report is tell


def test_nothing_is_shown_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for progress in (None, False):
        with bar(progress) as report:
            assert report is None
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_follows_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    with bar(None) as report:
        assert report is not None
        report(1, 4, "pld, seed 0: adapting 1/2")
        report(4, 4, "")
        # The next variant of a sweep begins anew.
        report(0, 2, "")
        report(2, 2, "naive, seed 0: consolidating 2/2")
    text = shown.getvalue()
    assert "1/4" in text and "2/2" in text and "pld, seed 0: adapting 1/2" in text


def test_a_bar_is_closed_when_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    kept: list[Any] = []
    with pytest.raises(KeyboardInterrupt), bar(True) as report:
        kept.append(report)
        raise KeyboardInterrupt
    assert kept[0]._shown.disable, "tqdm disables a bar that is closed"


def test_messages_have_their_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="alluvium"):
        for level in ("error", "warning", "info"):
            log._write(level, f"100 % of {level}")
    assert [(record.levelname.lower(), record.getMessage()) for record in caplog.records] == [
        (level, f"100 % of {level}") for level in ("error", "warning", "info")
    ]


def test_without_a_handler_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("alluvium").handlers)
    log.start()
    log.start()
    assert capsys.readouterr().err == ""
