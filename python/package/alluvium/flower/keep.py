"""Keeps a run going: ``python -m alluvium.flower.keep APP CONNECTION --run-config '…' --directory DIRECTORY``

Submits the run with ``flwr run``, and submits it again when its server app is gone before it was done: after a kill, or when the SuperLink
was started again. The run goes on from its directory. This program runs on the machine of the SuperLink, which starts the server app; it
may be killed and started again itself. It ends with the status 1 where no run can ever begin: without the folder of the app, or with a
connection that Flower's ``config.toml`` does not have.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: How long a submitted server app may take until it holds its directory, in seconds.
START = 25.0

#: What ``flwr run`` says of mistakes that no second attempt mends: a folder without an app, an unknown connection.
NEVER = ("Failed to load Flower App configuration", "reading the Flower configuration file")

#: What it says of a SuperLink that is away, and may come back.
AWAY = "Connection to the SuperLink is unavailable"


class CannotRun(Exception):
    """The run can never begin. The message is that of ``flwr run``."""


class RunKeeper:
    """Submits a run until it is done."""

    def __init__(
        self,
        app: str | os.PathLike[str],
        connection: str,
        run_config: str,
        directory: str | os.PathLike[str],
        *,
        folder: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._app, self._connection, self._run_config = os.fspath(app), connection, run_config
        self.directory = Path(directory)
        self._folder, self._environment = folder, environment
        self._run: str | None = None
        self._since = 0.0
        self._was_held = False
        #: What was said of a SuperLink that is away. It is said once, not at each attempt.
        self._said: set[str] = set()
        #: How often the run was submitted.
        self.submitted = 0

    @property
    def is_done(self) -> bool:
        """Whether the server app finished its work."""
        return (self.directory / "done").exists()

    def is_held(self) -> bool:
        """Whether a server app holds the directory."""
        try:
            with open(self.directory / "flower.lock", "r+", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def tend(self) -> None:
        """Submits the run if it has no server app.

        Raises:
            CannotRun: no attempt can succeed.
        """
        held = self.is_held()
        if self.is_done or held:
            self._was_held |= held
            return
        if self._run is not None:
            # It takes a while to start; it may also have failed before it held the directory.
            if not self._was_held and time.monotonic() - self._since < START:
                return
            # The server app may have refused what it was told. Only its log has the words.
            words = f"it is submitted again; `flwr log {self._run} {self._connection}` says what happened"
            print(f"the run {self._run} is gone before it was done; {words}", file=sys.stderr, flush=True)
            self.flwr("stop", self._run, self._connection)
        said = self.flwr("run", self._app, self._connection, "--run-config", self._run_config, "--format", "json")
        self._run, failure = _answer(said)
        if self._run is None:
            self._complain(failure)
            return
        self._said.clear()
        self._since, self._was_held = time.monotonic(), False
        self.submitted += 1

    def _complain(self, failure: str) -> None:
        """Says why a run was not submitted."""
        if any(words in failure for words in NEVER):
            raise CannotRun(failure)
        if AWAY in failure:
            if failure in self._said:
                return
            self._said.add(failure)
            failure += " It is tried again until the SuperLink answers."
        # Without a message, the command failed, and said so.
        if failure:
            print(f"flwr run: {failure}", file=sys.stderr, flush=True)

    def flwr(self, *arguments: str) -> str:
        """Calls the command ``flwr``."""
        try:
            done = subprocess.run(
                ["flwr", *arguments],
                cwd=self._folder,
                env=None if self._environment is None else dict(self._environment),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        except subprocess.TimeoutExpired:
            print(f"flwr {arguments[0]}: no answer after 120 s", file=sys.stderr, flush=True)
            return ""
        if done.returncode != 0:
            print(f"flwr {arguments[0]}: {done.stdout.strip()} {done.stderr.strip()}", file=sys.stderr, flush=True)
        return done.stdout


def _answer(said: str) -> tuple[str | None, str]:
    """The number of the run that ``flwr run --format json`` began, or None and why it began none. Its status is 0 either way."""
    try:
        answer = json.loads(said)
    except ValueError:
        return None, said.strip()
    if not isinstance(answer, dict):
        return None, said.strip()
    if answer.get("run-id") is not None:
        return str(answer["run-id"]), ""
    return None, " ".join(str(answer.get("error-message", said)).split())


def main(arguments: Sequence[str] | None = None) -> None:
    """Keeps a run going from the command line."""
    parser = argparse.ArgumentParser(prog="python -m alluvium.flower.keep", description="Submit a run until it is done.")
    parser.add_argument("app", help="the folder of the Flower app")
    parser.add_argument("connection", help="the name of the SuperLink in Flower's config.toml")
    parser.add_argument("--run-config", required=True, help="what the run is told, as for `flwr run`")
    parser.add_argument("--directory", required=True, type=Path, help="the run directory, as the run is told")
    given = parser.parse_args(arguments)
    keeper = RunKeeper(given.app, given.connection, given.run_config, given.directory)
    while not keeper.is_done:
        try:
            keeper.tend()
        except CannotRun as error:
            sys.exit(f"flwr run: {error}")
        time.sleep(1)


if __name__ == "__main__":
    main()
