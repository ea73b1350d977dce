"""Harm for a loopback: processes are killed, and the network is slowed and cut."""

from __future__ import annotations

import os
import random
import selectors
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from loopback import Loopback

KINDS = ("superlink", "serverapp", "supernode", "clientapp")


class Processes:
    """The processes of a loopback, by kind. Only those that were started for its folder are looked at."""

    def __init__(self, loopback: Loopback) -> None:
        self._loopback = loopback
        self._mark = f"FLWR_HOME={loopback.environment['FLWR_HOME']}".encode()

    def of(self, kind: str) -> list[int]:
        """The processes of a kind."""
        own = {process: (parent, words) for process, parent, words in self._own()}
        keepers = {process.pid for name, process in self._loopback.processes.items() if name != "superlink"}
        warm = {process for process, (parent, words) in own.items() if parent in keepers and "alluvium.flower.node" in words}
        guards = {process for process, (parent, _) in own.items() if parent in warm}

        def fits(process: int) -> bool:
            parent, words = own[process]
            program = Path(words[1]).name if len(words) > 1 else ""
            if kind == "superlink":
                return program == "flower-superlink"
            if kind == "serverapp":
                return program == "flwr-serverapp"
            if kind == "supernode":
                return program == "flower-supernode" or (parent in keepers and "-c" in words and "flower-supernode" in words)
            return parent in guards or (program == "flwr-clientapp" and not warm)

        return [process for process in own if fits(process)]

    def _own(self) -> Iterator[tuple[int, int, list[str]]]:
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if self._mark not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            yield int(entry.name), parent, words


class Killer(threading.Thread):
    """Kills processes with -9, a kind after another in an order that is drawn from a seed."""

    def __init__(self, loopback: Loopback, plan: Sequence[str], pauses: tuple[float, float], seed: int = 0, after: int = 0) -> None:
        """`after`: how many experts the centre has when the killing begins."""
        super().__init__(daemon=True)
        self._after = after
        self._processes = Processes(loopback)
        self._loopback = loopback
        self._plan = list(plan)
        self._pauses = pauses
        self._random = random.Random(seed)
        self._ended = threading.Event()
        #: What was killed.
        self.killed: Counter[str] = Counter()

    def run(self) -> None:
        while sum(event["event"] == "received" for event in self._loopback.events()) < self._after:
            if self._ended.wait(0.2):
                return
        while self._plan and not self._ended.wait(self._random.uniform(*self._pauses)):
            if self._loopback.is_done:
                return
            # The first kind on the list that has a process right now.
            for kind in list(dict.fromkeys(self._plan)):
                found = self._processes.of(kind)
                if not found:
                    continue
                try:
                    os.kill(self._random.choice(found), signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self._plan.remove(kind)
                self.killed[kind] += 1
                break

    @property
    def left(self) -> list[str]:
        """What was not killed yet."""
        return list(self._plan)

    def stop(self) -> None:
        """Stops killing."""
        self._ended.set()
        self.join()


class Network(threading.Thread):
    """Forwards connections to a port: slowly, with a delay, or not at all."""

    def __init__(self, port: int, rate: float = 1e9) -> None:
        super().__init__(daemon=True)
        #: Bytes in a second, of each connection and way.
        self.rate = rate
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self._is_closed = False

    def run(self) -> None:
        while not self._is_closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                near.close()
                continue
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def cut(self, seconds: float) -> None:
        """Ends all connections, and refuses new ones for a while."""
        self._is_cut = True
        for each in list(self._open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        time.sleep(seconds)
        self._is_cut = False

    def close(self) -> None:
        """Stops forwarding."""
        self._is_closed = True
        self._listener.close()

    def _serve(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._target), 10)
        except OSError:
            near.close()
            return
        self._open |= {near, far}
        with selectors.DefaultSelector() as ready, near, far:
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            try:
                while True:
                    for key, _ in ready.select(1.0):
                        data = key.fileobj.recv(16384)  # type: ignore[union-attr]
                        if not data:
                            return
                        key.data.sendall(data)
                        time.sleep(len(data) / self.rate)
            except OSError:
                return
            finally:
                self._open -= {near, far}
