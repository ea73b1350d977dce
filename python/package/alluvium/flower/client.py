"""The client app: a device.

What a node is told with ``--node-config``:

========== ==========================================================================================================
key        meaning
========== ==========================================================================================================
data       the stream that the node's samples come from: a TOML or JSON file (its ``[stream]`` table, or all of it), a
           table as JSON, or a kind. Samples are read here and never leave.
tasks      the node's tasks: their names, or their numbers in ``data`` from 0, separated by commas; ``@FILE`` names a file
           with one in each line, which is read again at each message, so that a task can be added while the node runs
state      the folder for the node's key and for experts that were not acknowledged yet
key        the node's signing key; default: ``key.sign`` in ``state``, made when it is missing
centre-key the public signing key of the centre, or the file that holds it; default: the first one that asks is kept
device     who adapts: a kind or a table as JSON; default: as the centre's configuration states
plugins    modules that register kinds of devices or streams, separated by commas; they are imported first
most-bytes the most bytes of a hand-out; default 1 GiB
========== ==========================================================================================================
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from alluvium.flower.errors import Refused
from alluvium.flower.files import read_json, write, write_json
from alluvium.flower.keys import SigningKey
from alluvium.flower.messages import Letter, seal, unseal

log = logging.getLogger("alluvium.flower")

app = ClientApp()

#: The most bytes of a hand-out, unless the node says otherwise.
MOST_BYTES = 1 << 30


@app.query("announce")
def announce(message: Message, context: Context) -> Message:
    """Answers the question who needs a model: half of the first contact."""
    return _answer(message, context, "query")


@app.train("adapt")
def adapt(message: Message, context: Context) -> Message:
    """Takes a model and answers with an expert: the other half of the first contact, and the second one."""
    return _answer(message, context, "hand-out")


def _answer(message: Message, context: Context, kind: str) -> Message:
    node = Node.of(context.node_config)
    digest, centre = "", ""
    try:
        letter = unseal(message.content, (kind,), node.most_bytes, lambda _: None)
        digest = letter.digest
        centre = letter.get("centre", str)
        visitor = Visitor(node, letter)
        statement, payloads = visitor.announce() if kind == "query" else visitor.adapt()
    except Refused as refused:
        log.warning("refused %s", refused)
        kind, statement, payloads = "refusal", {"name": refused.name, "text": refused.text}, {}
    else:
        kind = {"query": "announcement", "hand-out": "expert"}[kind]
    sealed = seal(kind, {**statement, "centre": centre, "answers": digest}, payloads, node.key)
    return Message(sealed.content, reply_to=message)


@dataclass(frozen=True)
class Node:
    """What a node is told."""

    stream: Mapping[str, Any] | str
    tasks: tuple[str, ...]
    state: Path
    key: SigningKey
    centre_key: str | None
    device: str | None
    most_bytes: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Node:
        """Reads the node's configuration. What is wrong is said at once, because only the node's operator can mend it."""
        state = Path(str(config.get("state", "alluvium-node"))).expanduser()
        if "data" not in config or "tasks" not in config:
            raise ValueError("the node has no data; accepted: --node-config 'data=\"stream.toml\" tasks=\"name,name\" state=\"folder\"'")
        for module in str(config.get("plugins", "")).split(","):
            if module.strip():
                importlib.import_module(module.strip())
        centre_key = config.get("centre-key")
        if centre_key is not None and Path(str(centre_key)).is_file():
            centre_key = Path(str(centre_key)).read_text(encoding="utf-8").strip()
        return cls(
            stream=_stream(str(config["data"])),
            tasks=_tasks(str(config["tasks"])),
            state=state,
            key=SigningKey.read_or_make(Path(str(config.get("key", state / "key.sign"))).expanduser()),
            centre_key=None if centre_key is None else str(centre_key),
            device=None if config.get("device") is None else str(config["device"]),
            most_bytes=int(config.get("most-bytes", MOST_BYTES)),
        )


class Visitor:
    """A node that answers a message of a centre."""

    def __init__(self, node: Node, letter: Letter) -> None:
        self.node = node
        self.letter = letter
        centre = letter.get("centre", str)
        if not centre.isalnum() or len(centre) > 64:
            raise Refused("malformed", "the name of the centre")
        self.folder = node.state / f"centre-{centre}"
        self._admit()
        self._forget()

    def _admit(self) -> None:
        """Checks that the message is the centre's, and newer than all before."""
        file = self.folder / "centre.json"
        known = read_json(file, {})
        pinned = self.node.centre_key or known.get("key") or self.letter.key
        if self.letter.key != pinned:
            raise Refused("foreign-key", f"the centre's key is {pinned[:16]}…, not {self.letter.key[:16]}…")
        number = self.letter.get("number", int)
        if number <= known.get("number", -1):
            raise Refused("replayed", f"message {number} came after message {known['number']}")
        write_json(file, {"key": pinned, "number": number})

    def _forget(self) -> None:
        """Deletes experts that the centre has."""
        for entry in self.letter.get("settled", list):
            name = _file_name(entry)
            for ending in ("json", "expert"):
                (self.folder / f"{name}.{ending}").unlink(missing_ok=True)

    def announce(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The tasks that the node has data of."""
        return {"wants": [want for seed in self._seeds() for want in self._wants(seed)]}, {}

    def _seeds(self) -> list[int]:
        seeds: list[int] = self.letter.get("seeds", list)
        if any(not isinstance(seed, int) for seed in seeds):
            raise Refused("malformed", "the seeds are not numbers")
        return seeds

    def _wants(self, seed: int) -> list[dict[str, Any]]:
        """The announcements of the node's tasks that are not settled."""
        done = {(entry[0], entry[1]) for entry in self.letter.get("done", list)}
        wants = self._announcements(seed, again=True).items()
        return [{"seed": seed, "announcement": text} for task, text in wants if (seed, task) not in done]

    def _announcements(self, seed: int, *, again: bool) -> dict[str, str]:
        """What the node announces, by the names of its tasks. Data that a program makes cannot change, so what was announced is
        kept; data in files are read `again`."""
        import alluvium as al

        file = self.node.state / "announcements.json"
        kept = read_json(file, {})
        known = {} if again and _names_files(self.node.stream) else kept
        announced, is_new = {}, False
        for task in self.node.tasks:
            name = json.dumps([self.node.stream, task, seed], sort_keys=True)
            if name in known:
                text = known[name]
            else:
                try:
                    text = al.announce(self.node.stream, task, seed=seed).to_json()
                except (al.AlluviumError, OSError) as error:
                    raise Refused("no-data", f"task {task}: {error}") from error
            is_new |= kept.get(name) != text
            kept[name] = text
            announced[json.loads(text)["task"]] = text
        if is_new:
            write_json(file, kept)
        return announced

    def adapt(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Adapts the model, or sends the expert again that the centre did not get."""
        import alluvium as al

        letter = self.letter
        row, visit, task, seed = (letter.get(*key) for key in (("row", str), ("visit", int), ("task", str), ("seed", int)))
        if task not in self._announcements(seed, again=False):
            raise Refused("another-task", f"the node has no task {task}")
        payload = letter.payloads.get("hand-out")
        if payload is None:
            raise Refused("not-a-hand-out", "the message has no hand-out")
        name = _file_name([row, visit])
        taken = {"hand-out": letter.statement["payloads"]["hand-out"]["sha256"], "task": task}
        kept = read_json(self.folder / f"{name}.json", None)
        if kept is not None and {key: kept[key] for key in taken} != taken:
            raise Refused("no-further-contact", f"the visit {visit} of {row} took another model")
        if kept is None:
            try:
                hand_out = al.HandOut.from_bytes(payload)
            except al.AlluviumError as error:
                raise Refused("not-a-hand-out", str(error)) from error
            begin = time.monotonic()
            try:
                expert = al.adapt(hand_out, stream=self.node.stream, seed=seed, **_device(self.node.device))
            except al.AlluviumError as error:
                raise Refused("cannot-adapt", str(error)) from error
            kept = {**taken, "seconds": time.monotonic() - begin}
            # The expert first: its note says that it is there. A killed device goes on with what is on disk.
            write(self.folder / f"{name}.expert", expert.to_bytes())
            write_json(self.folder / f"{name}.json", kept)
        data = (self.folder / f"{name}.expert").read_bytes()
        statement = {"row": row, "visit": visit, "task": task, "seconds": kept["seconds"]}
        return statement, {"expert": data}


def _stream(data: str) -> Mapping[str, Any] | str:
    table: Mapping[str, Any]
    if data.startswith("{"):
        table = json.loads(data)
        return table
    if not data.endswith((".toml", ".json")):
        return data
    path = Path(data).expanduser()
    with open(path, "rb") as file:
        table = tomllib.load(file) if path.suffix == ".toml" else json.load(file)
    stream: Mapping[str, Any] | str = table.get("stream", table)
    return stream


def _tasks(tasks: str) -> tuple[str, ...]:
    is_file = tasks.startswith("@")
    listed = Path(tasks[1:]).expanduser().read_text(encoding="utf-8").splitlines() if is_file else tasks.split(",")
    return tuple(name.strip() for name in listed if name.strip())


def _names_files(value: Any) -> bool:
    """Whether a table names a file or folder."""
    if isinstance(value, Mapping):
        return any(_names_files(inner) for inner in value.values())
    if isinstance(value, (list, tuple)):
        return any(_names_files(inner) for inner in value)
    exists = False
    if isinstance(value, str):
        with contextlib.suppress(OSError, ValueError):
            exists = Path(value).exists()
    return exists


def _file_name(entry: Any) -> str:
    """The name of the files of a visit."""
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str) or not isinstance(entry[1], int):
        raise Refused("malformed", "a visit is a row and a number")
    row = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in entry[0])
    return f"{row[:80]}.{entry[1]}"


def _device(device: str | None) -> dict[str, Any]:
    if device is None:
        return {}
    return {"device": json.loads(device) if device.startswith("{") else device}
