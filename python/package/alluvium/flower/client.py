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
centre-key the public signing key of the centre (64 hexadecimal digits), or the file that holds it; default: the first one that
           asks is kept
pool       true: the node works for comparisons, too (:mod:`alluvium.flower.pool`). The centre then says which stream the samples
           come from, so say it only to a centre that may read this machine's files; ``data`` and ``tasks`` may be absent
report     true: the node tells the centre its expert's accuracy on the node's own test samples. Where the centre has none, as with
           the stream ``declared``, that is all it learns of how good an expert is
device     who adapts: a kind or a table as JSON; default: as the centre's configuration states
plugins    modules that register kinds of devices or streams, separated by commas; they are imported first
most-bytes the most bytes of a hand-out; default 1 GiB
========== ==========================================================================================================
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import logging
import os
import re
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
from alluvium.flower.keys import SigningKey, is_public_key
from alluvium.flower.messages import Letter, seal, unseal
from alluvium.flower.settings import shown

log = logging.getLogger("alluvium.flower")

app = ClientApp()

#: The most bytes of a hand-out, unless the node says otherwise.
MOST_BYTES = 1 << 30

#: What a node can be told.
KEYS = ("data", "tasks", "state", "key", "centre-key", "pool", "report", "device", "plugins", "most-bytes")


@app.query("announce")
def announce(message: Message, context: Context) -> Message:
    """Answers the question who needs a model: half of the first contact."""
    return _answer(message, context, "query")


@app.train("adapt")
def adapt(message: Message, context: Context) -> Message:
    """Takes a model and answers with an expert: the other half of the first contact, and the second one."""
    return _answer(message, context, "hand-out")


@app.train("job")
def work(message: Message, context: Context) -> Message:
    """Does the work of a device of a comparison: takes a model and the name of its samples, and answers with an expert."""
    return _answer(message, context, "job")


def _answer(message: Message, context: Context, kind: str) -> Message:
    node = Node.of(context.node_config)
    digest, centre = "", ""
    try:
        letter = unseal(message.content, (kind,), node.most_bytes, lambda _: None)
        digest = letter.digest
        centre = letter.get("centre", str)
        visitor = Visitor(node, letter)
        statement, payloads = {"query": visitor.announce, "hand-out": visitor.adapt, "job": visitor.work}[kind]()
    except Refused as refused:
        log.warning("refused %s", refused)
        kind, statement, payloads = "refusal", {"name": refused.name, "text": refused.text}, {}
    else:
        kind = {"query": "announcement", "hand-out": "expert", "job": "job-done"}[kind]
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
    is_pool: bool
    reports: bool

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Node:
        """Reads the node's configuration. What is wrong is said at once, because only the node's operator can mend it."""
        unknown = sorted(config.keys() - set(KEYS))
        if unknown:
            raise ValueError(f"unknown keys of the node: {', '.join(unknown)}; accepted: {', '.join(KEYS)}")
        state = Path(str(config.get("state", "alluvium-node"))).expanduser()
        is_pool, reports = _switch(config, "pool"), _switch(config, "report")
        if not is_pool and ("data" not in config or "tasks" not in config):
            raise ValueError("the node has no data; accepted: --node-config 'data=\"stream.toml\" tasks=\"name,name\" state=\"folder\"'")
        centre_key = None if config.get("centre-key") is None else _centre_key(str(config["centre-key"]))
        most_bytes = config.get("most-bytes", MOST_BYTES)
        # Python takes a bool for a number.
        if not isinstance(most_bytes, int) or isinstance(most_bytes, bool) or most_bytes < 1:
            raise ValueError(f"most-bytes = {shown(most_bytes)}; accepted: an integer, at least 1")
        device = config.get("device")
        if device is not None:
            _check_device(device)
        for module in str(config.get("plugins", "")).split(","):
            if module.strip():
                importlib.import_module(module.strip())
        return cls(
            stream=_stream(str(config["data"])) if "data" in config else "",
            tasks=_tasks(str(config["tasks"])) if "tasks" in config else (),
            state=state,
            key=SigningKey.read_or_make(Path(str(config.get("key", state / "key.sign"))).expanduser()),
            centre_key=centre_key,
            device=device,
            most_bytes=most_bytes,
            is_pool=is_pool,
            reports=reports,
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
        return {"wants": [want for seed in self._seeds() for want in self._wants(seed)], "pool": self.node.is_pool}, {}

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
        options = {**_device(self.node.device), "judge": self.node.reports}
        expert, facts = self._expert(name, f"the visit {visit} of {row}", taken, payload, self.node.stream, seed, options)
        return {"row": row, "visit": visit, "task": task, **facts}, {"expert": expert}

    def work(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Does a job of a comparison, or sends its expert again."""
        letter = self.letter
        if not self.node.is_pool:
            raise Refused("not-a-pool", "the node works for no comparison; its operator permits that with pool=true")
        job, task, seed, stream = (letter.get(*key) for key in (("job", str), ("task", str), ("seed", int), ("stream", dict)))
        for done in letter.get("settled-jobs", list):
            for ending in ("json", "expert"):
                (self.folder / f"{_job_name(done)}.{ending}").unlink(missing_ok=True)
        payload = letter.payloads.get("hand-out")
        if payload is None:
            raise Refused("not-a-hand-out", "the message has no hand-out")
        taken = {"hand-out": letter.statement["payloads"]["hand-out"]["sha256"], "task": task}
        expert, facts = self._expert(_job_name(job), f"the job {job[:16]}…", taken, payload, stream, seed, {})
        return {"job": job, **facts}, {"expert": expert}

    def _expert(
        self, name: str, what: str, taken: Mapping[str, Any], payload: bytes, stream: Any, seed: int, options: Mapping[str, Any]
    ) -> tuple[bytes, dict[str, float]]:
        """The expert, and what is said of it: adapted now, or kept since the last time that it was asked for."""
        import alluvium as al

        kept = read_json(self.folder / f"{name}.json", None)
        if kept is not None and {key: kept[key] for key in taken} != taken:
            raise Refused("no-further-contact", f"{what} took another model")
        if kept is None:
            try:
                hand_out = al.HandOut.from_bytes(payload)
            except al.AlluviumError as error:
                raise Refused("not-a-hand-out", str(error)) from error
            begin = time.monotonic()
            try:
                expert = al.adapt(hand_out, stream=stream, seed=seed, **options)
            except al.AlluviumError as error:
                raise Refused("cannot-adapt", str(error)) from error
            kept = {**taken, "seconds": time.monotonic() - begin}
            if expert.own_accuracy is not None:
                kept["accuracy"] = expert.own_accuracy
            # The expert first: its note says that it is there. A killed device goes on with what is on disk.
            write(self.folder / f"{name}.expert", expert.to_bytes())
            write_json(self.folder / f"{name}.json", kept)
        facts = {key: kept[key] for key in ("seconds", "accuracy") if key in kept}
        return (self.folder / f"{name}.expert").read_bytes(), facts


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
    names = tuple(name.strip() for name in listed if name.strip())
    # A file may get its tasks later.
    if not names and not is_file:
        raise ValueError(f"tasks = {shown(tasks)} names no task; accepted: names or numbers, separated by commas, or @FILE")
    return names


def _switch(config: Mapping[str, Any], key: str) -> bool:
    value = config.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} = {shown(value)}; accepted: true, false, without quotation marks")
    return value


def _centre_key(said: str) -> str:
    """The public key that a node is told, or that the file holds which it is told."""
    accepted = "accepted: 64 hexadecimal digits, or a file that holds them, such as centre.pub"
    path = Path(said).expanduser()
    if said and path.is_file():
        key = path.read_text(encoding="utf-8").strip()
        if not is_public_key(key):
            raise ValueError(f"centre-key = {shown(said)}: the file does not hold a public signing key; {accepted}")
        return key
    if said.endswith(".pub") or any(separator in said for separator in (os.sep, os.altsep) if separator):
        raise ValueError(f"centre-key = {shown(said)}: there is no file {path.absolute()}; {accepted}")
    if not is_public_key(said):
        raise ValueError(f"centre-key = {shown(said)} is not a public signing key, nor a file; {accepted}")
    return said


def _check_device(device: Any) -> None:
    """Refuses what is neither a kind nor a table. Whether the kind is known depends on the plugins."""
    said = f"device = {shown(device)}"
    accepted = "accepted: a kind, such as command, or a table as JSON, such as '{\"kind\": \"command\"}'"
    if isinstance(device, str) and device.startswith("{"):
        try:
            # It begins like an object, so it is one if it can be read.
            json.loads(device)
        except ValueError as error:
            raise ValueError(f"{said} is not JSON: {error}; {accepted}") from error
    elif not isinstance(device, str) or not re.fullmatch("[A-Za-z0-9-]+", device):
        raise ValueError(f"{said}; {accepted}")


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
    # Other names of rows may look the same in a file's name.
    digest = hashlib.sha256(entry[0].encode()).hexdigest()[:12]
    return f"{row[:60]}-{digest}.{entry[1]}"


def _job_name(job: Any) -> str:
    """The name of the files of a job."""
    if not isinstance(job, str) or not job.isalnum() or len(job) > 128:
        raise Refused("malformed", "the name of the job")
    return f"job-{job}"


def _device(device: str | None) -> dict[str, Any]:
    if device is None:
        return {}
    return {"device": json.loads(device) if device.startswith("{") else device}
