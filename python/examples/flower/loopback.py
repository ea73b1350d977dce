"""Starts, watches and stops a SuperLink and SuperNodes on this machine, with TLS, node authentication and SQLite.

On several machines, the commands are the same, and systemd or docker compose keeps them running; `README.md` says how.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from alluvium.flower import keys
from alluvium.flower.files import read_lines
from alluvium.flower.keep import RunKeeper

APP = Path(__file__).parent / "app"

#: Where the commands of this Python environment are.
COMMANDS = Path(sys.executable).parent


class Loopback:
    """A SuperLink and SuperNodes. Whatever dies is started again until the run is done."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        nodes: Mapping[str, str],
        run: Mapping[str, Any],
        *,
        app: str | os.PathLike[str] = APP,
        environment: Mapping[str, str] | None = None,
        warm: bool = True,
        link_port: int | None = None,
    ) -> None:
        """`nodes`: the configuration of each node (`data=… tasks=…`); `run`: that of the run."""
        self.folder = Path(folder).resolve()
        self.port = free_port()
        #: Where the nodes connect: another port if something lies between, such as a slow network.
        self.link_port = link_port or self.port
        self.keys = self.folder / "keys"
        self.logs = self.folder / "logs"
        self.nodes = dict(nodes)
        self.directory = Path(str(run["directory"]))
        self._ports = {name: free_port() for name in nodes}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.restarts = 0
        self.is_stopping = False
        self._lock = threading.Lock()
        self.environment = {
            **os.environ,
            "FLWR_HOME": str(self.folder / "flwr"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.05",
            "PATH": f"{COMMANDS}:{os.environ.get('PATH', '')}",
            **(environment or {}),
        }
        self.warm = warm
        said = " ".join(f"{name}={_value(value)}" for name, value in run.items())
        self.keeper = RunKeeper(app, "centre", said, self.directory, folder=self.folder, environment=self.environment)

    # ---------------------------------------------------------------- start and stop

    def __enter__(self) -> Loopback:
        for made in (self.folder, self.logs):
            made.mkdir(parents=True, exist_ok=True)
        keys.make_all(self.keys, list(self.nodes), ["127.0.0.1", "localhost"])
        home = Path(self.environment["FLWR_HOME"])
        home.mkdir(exist_ok=True)
        connection = f'address = "127.0.0.1:{self.port}"\nroot-certificates = "{self.keys / "authority.pem"}"\n'
        (home / "config.toml").write_text(f'[superlink]\ndefault = "centre"\n\n[superlink.centre]\n{connection}', encoding="utf-8")
        try:
            self.start_link()
            for name in self.nodes:
                self.keeper.flwr("supernode", "register", str(self.keys / f"{name}.auth.pub"), "centre", "--name", name)
            for name in self.nodes:
                self.start_node(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start_link(self) -> None:
        """Starts the SuperLink, and waits until it answers."""
        self._start(
            "superlink",
            ["flower-superlink", "--host", "127.0.0.1", "--port", str(self.port)]
            + ["--ssl-ca-certfile", str(self.keys / "authority.pem")]
            + ["--ssl-certfile", str(self.keys / "superlink.pem"), "--ssl-keyfile", str(self.keys / "superlink.key")]
            + ["--enable-supernode-auth", "--database", str(self.folder / "superlink.db")]
            + ["--disable-runtime-dependency-installation"],
        )
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if self.processes["superlink"].poll() is not None:
                return self.start_link()
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"the SuperLink does not answer; see {self.logs / 'superlink.log'}")

    def start_node(self, name: str) -> None:
        """Starts a SuperNode."""
        config = f'{self.nodes[name]} state="{self.folder / name}" key="{self.keys / f"{name}.sign"}"'
        config += f' centre-key="{self.keys / "centre.pub"}"'
        command = ["flower-supernode", "--superlink", f"127.0.0.1:{self.link_port}"]
        command += ["--root-certificates", str(self.keys / "authority.pem")]
        command += ["--auth-supernode-private-key", str(self.keys / f"{name}.auth")]
        command += ["--port", str(self._ports[name]), "--node-config", config]
        options = [] if self.warm else ["--plain"]
        command = [sys.executable, "-m", "alluvium.flower.node", *options, "--", *command]
        self._start(name, command)

    def _start(self, name: str, command: Sequence[str]) -> None:
        with open(self.logs / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        self.processes[name] = process

    def stop(self) -> None:
        """Stops everything."""
        self.is_stopping = True
        for ask in (signal.SIGTERM, signal.SIGKILL):
            for process in self.processes.values():
                if process.poll() is None:
                    _signal(process, ask)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and any(process.poll() is None for process in self.processes.values()):
                time.sleep(0.1)
        for process in self.processes.values():
            _signal(process, signal.SIGKILL)

    # ---------------------------------------------------------------- the run

    @property
    def is_done(self) -> bool:
        """Whether the server app finished its work."""
        return self.keeper.is_done

    def tend(self) -> None:
        """Starts again what died."""
        with self._lock:
            if self.is_stopping:
                return
            for name, process in list(self.processes.items()):
                if process.poll() is not None:
                    self.restarts += 1
                    self.start_link() if name == "superlink" else self.start_node(name)

    def wait(self, seconds: float) -> None:
        """Submits the run, and waits until it is done. A run that was lost is submitted again: it goes on in its directory."""
        deadline = time.monotonic() + seconds
        while not self.is_done:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the run is not done after {seconds:.0f} s; see {self.logs}")
            self.tend()
            self.keeper.tend()
            time.sleep(0.2)

    def events(self) -> list[dict[str, Any]]:
        """What the centre wrote down."""
        return read_lines(self.directory / "events.jsonl")

    def messages(self) -> list[dict[str, Any]]:
        """The audit of messages."""
        return read_lines(self.directory / "messages.jsonl")


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Sends a signal to a process that was started here, and to its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _value(value: Any) -> str:
    return json.dumps(str(value)) if isinstance(value, (str, Path)) else json.dumps(value)


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def reset(folder: Path) -> None:
    """Deletes a folder that an example made."""
    if folder.exists():
        shutil.rmtree(folder)


def emptied(folder: Path) -> Path:
    """The folder, empty. One that no example made is left as it is, and the program ends."""
    folder = folder.resolve()
    if folder.exists() and not (folder / "keys").is_dir():
        sys.exit(f"{folder} is not a folder of this example; accepted: a new folder")
    reset(folder)
    folder.mkdir(parents=True)
    return folder
