"""Keeps a SuperNode running, and its client apps quick to start: ``python -m alluvium.flower.node -- flower-supernode …``

*It starts the SuperNode again* when it ends or gives up its connection, whatever the reason. It also does so when a client app was
killed (by the system, for want of memory, say): Flower notices that after a minute, or never if the client app had not taken its
message yet. The centre sees that the node was started again, and sends the message again.

*It starts client apps from a warm process.* Flower starts the program ``flwr-clientapp`` again for each message, and importing its
parts takes most of the time of a short visit. One process here has imported them, and Flower never talks to it. A program of the name
``flwr-clientapp``, first on the SuperNode's ``PATH``, asks that process to fork. So each message still has a fresh process of its
own; what is saved is the imports. Without the warm process, the program runs Flower's own in its place.

*It looks for messages more often.* An idle SuperNode asks for messages every three seconds, which is most of what a short visit takes.
``--poll SECONDS`` (default 0.25) shortens the waits of its main thread. Say ``--poll 3`` where hundreds of nodes share a SuperLink.

Only the names of Flower's commands are relied on, no internals: what runs is what the package declares as the command.
``--plain`` keeps Flower's own speed, and only starts the SuperNode again.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib.metadata
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

COMMAND = "flwr-clientapp"

#: Seconds between an end of the SuperNode and its next start: at first, and at most.
PAUSES = (0.5, 10.0)

# The program that Flower starts. It sends its arguments and its output, and waits for the exit status. It imports next to nothing.
LAUNCHER = """#!{python} -IS
import os, socket, sys
command = {command!r}
try:
    warm = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    warm.connect({address!r})
    text = chr(0).join(sys.argv[1:]).encode()
    socket.send_fds(warm, [len(text).to_bytes(4, "little") + text], [1, 2])
    if warm.recv(1) != b"+":
        raise OSError
except OSError:
    os.execv(command, [command] + sys.argv[1:])
status = warm.recv(1)
sys.exit(status[0] if status else 1)
"""

# Runs a command of Flower in a process whose main thread does not sleep for long. Pauses above three seconds are those between attempts
# to reach a SuperLink that is away; they stay. The process ends when the main thread does: a SuperNode that gave up its connection has
# a server thread that would keep it, and nobody would start it again.
QUICK = """
import os, sys, threading, time
from importlib.metadata import entry_points
most, sys.argv = float(sys.argv[1]), sys.argv[2:]
pause, main = time.sleep, threading.main_thread()
def sleep(seconds):
    pause(min(seconds, most) if seconds <= 3 and threading.current_thread() is main else seconds)
time.sleep = sleep
status = 1
try:
    (entry,) = entry_points(group="console_scripts", name=sys.argv[0])
    entry.load()()
    status = 0
except SystemExit as end:
    status = end.code if isinstance(end.code, int) else int(end.code is not None)
except BaseException:
    import traceback
    traceback.print_exc()
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)
"""


class Keeper:
    """Keeps a SuperNode and a warm process."""

    def __init__(self, command: Sequence[str], client_app: str, folder: Path, *, plain: bool) -> None:
        self._command, self._folder, self._plain = list(command), folder, plain
        self._address = str(folder / "socket")
        launcher = folder / COMMAND
        text = LAUNCHER.format(python=sys.executable, command=client_app, address=self._address)
        launcher.write_text(text, encoding="utf-8")
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
        # A byte comes through this pipe for each client app that was killed.
        self._killed, self._tell = os.pipe()
        self._warm = 0
        self._node: subprocess.Popen[bytes] | None = None
        self._is_stopping = False

    def run(self) -> None:
        """Goes on until it is asked to stop."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        pause, begin = PAUSES[0], 0.0
        while not self._is_stopping:
            self._keep_warm()
            if self._node is None:
                if time.monotonic() - begin < 10:
                    self._sleep(pause)
                    pause = min(2 * pause, PAUSES[1])
                else:
                    pause = PAUSES[0]
                begin = time.monotonic()
                self._start_node()
            elif self._node.poll() is not None:
                print(f"the SuperNode ended with {self._node.returncode}; it is started again", file=sys.stderr, flush=True)
                self._node = None
            elif self._sleep(0.2):
                print("a client app was killed; the SuperNode is started again", file=sys.stderr, flush=True)
                self._end_node()
        self._end_node()
        if self._warm:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._warm, signal.SIGTERM)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True

    def _sleep(self, seconds: float) -> bool:
        """Waits; says whether a client app was killed meanwhile."""
        ready, _, _ = select.select([self._killed], [], [], seconds)
        return bool(ready) and bool(os.read(self._killed, 4096))

    def _start_node(self) -> None:
        if not self._is_stopping:
            environment = dict(os.environ)
            if not self._plain:
                environment["PATH"] = f"{self._folder}{os.pathsep}{os.environ.get('PATH', '')}"
            self._node = subprocess.Popen(self._command, env=environment, preexec_fn=_end_with_parent)

    def _end_node(self) -> None:
        if self._node is not None:
            self._node.terminate()
            try:
                self._node.wait(5)
            except subprocess.TimeoutExpired:
                self._node.kill()
                self._node.wait()
            self._node = None

    def _keep_warm(self) -> None:
        if self._plain:
            return
        if self._warm:
            ended, _ = os.waitpid(self._warm, os.WNOHANG)
            if not ended:
                return
        Path(self._address).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self._address)
        listener.listen(16)
        keeper = os.getpid()
        self._warm = os.fork()
        if self._warm == 0:
            try:
                os.close(self._killed)
                _serve(listener, keeper, self._tell)
            finally:
                os._exit(1)
        listener.close()


def _end_with_parent() -> None:
    """Asks the system to kill this process when its parent ends (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _serve(listener: socket.socket, keeper: int, tell: int) -> None:
    """Imports what a client app needs, and forks for each request until the keeper is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name=COMMAND)
    entry.load()
    import alluvium.flower.client  # noqa: F401

    listener.settimeout(0.5)
    while os.getppid() == keeper:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        try:
            asked, _ = listener.accept()
        except TimeoutError:
            continue
        # This process has one thread, so a fork of it is sound. The guard waits for the client app, and tells its status.
        if os.fork() == 0:
            listener.close()
            _guard(asked, tell)
        asked.close()


def _guard(asked: socket.socket, tell: int) -> NoReturn:
    """Forks the client app, waits for it, and ends it if the program that asked for it is gone."""
    asked.settimeout(10)
    data, outputs, _, _ = socket.recv_fds(asked, 65536, 2)
    size = int.from_bytes(data[:4], "little")
    while len(data) < 4 + size:
        data += asked.recv(65536)
    arguments = data[4 : 4 + size].decode().split("\0")
    for own, theirs in enumerate(outputs, 1):
        os.dup2(theirs, own)
        os.close(theirs)
    child = os.fork()
    if child == 0:
        asked.close()
        os.close(tell)
        _become(arguments)
    asked.sendall(b"+")
    asked.settimeout(0.05)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        try:
            gone = asked.recv(1) == b""
        except TimeoutError:
            continue
        except OSError:
            gone = True
        if gone:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
    if os.WIFSIGNALED(status):
        os.write(tell, b"!")
    with contextlib.suppress(OSError):
        asked.sendall(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
    os._exit(0)


def _become(arguments: Sequence[str]) -> NoReturn:
    """Runs the command in this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _end_with_parent()
    # Generators that were seeded before the fork would draw the same numbers in each client app.
    import random

    random.seed()
    sys.argv = [COMMAND, *arguments]
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name=COMMAND)
    status = 1
    try:
        entry.load()()
        status = 0
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else (0 if exit_.code is None else 1)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main(arguments: Sequence[str] | None = None) -> None:
    """Keeps the SuperNode whose command follows ``--``."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    own, command = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    parser = argparse.ArgumentParser(
        prog="python -m alluvium.flower.node",
        usage="%(prog)s [--poll SECONDS] [--plain] -- flower-supernode …",
        description="Keep a SuperNode running, and its client apps quick to start.",
    )
    parser.add_argument("--poll", type=float, default=0.25, metavar="SECONDS", help="how often it asks for messages (default 0.25)")
    parser.add_argument("--plain", action="store_true", help="keep Flower's own speed; only start it again when it ends")
    options = parser.parse_args(own)
    client_app = shutil.which(COMMAND)
    if not command or client_app is None:
        parser.error(f"no command after `--`, or no {COMMAND} on the PATH; accepted: an environment with `alluvium[flower]`")
    poll = 3.0 if options.plain else options.poll
    command = [sys.executable, "-c", QUICK, str(poll), Path(command[0]).name, *command[1:]]
    folder = Path(tempfile.mkdtemp(prefix="alluvium-node-"))
    try:
        Keeper(command, client_app, folder, plain=options.plain).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
