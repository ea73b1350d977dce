"""Nodes, as whoever asks them sees them: who is there, what each was sent, and which of its replies are believed.

Flower's messages go from the server to a node, and a reply comes back. A centre (:mod:`alluvium.flower.centre`) and a pool for
comparisons (:mod:`alluvium.flower.pool`) share what is here: numbers that no message has twice, the keys of nodes, the order in which
a reply is checked, the log of events, and the audit of all messages. What is on disk is in ``flower.json``, ``events.jsonl`` and
``messages.jsonl`` of the run directory. Flower's own numbers of messages are not kept: when a server app ends, its run ends, and its
messages go nowhere.
"""

from __future__ import annotations

import fcntl
import json
import logging
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flwr.app import Error, Message, RecordDict
from flwr.serverapp import Grid

from alluvium.flower.errors import Refused
from alluvium.flower.files import Lines, read_json, write_json
from alluvium.flower.keys import SigningKey, read_public_keys
from alluvium.flower.messages import Letter, seal, unseal, weigh
from alluvium.flower.settings import Settings

log = logging.getLogger("alluvium.flower")

#: How long a message and its reply stay valid, in seconds. An overdue expert is welcome for that long.
TTL = 30 * 24 * 3600.0

#: What an expert may weigh beside its hand-out.
ROOM = 16 << 20

#: The most bytes of payloads of a reply that should have none.
NO_PAYLOAD = 0


@dataclass
class NodeRecord:
    """A node, as it is known while the server app runs."""

    id: int
    key: str | None = None
    #: Its announcements: JSON text by seed and task.
    wants: dict[tuple[int, str], str] = field(default_factory=dict)
    #: Whether it works for comparisons.
    is_pool: bool = False
    #: The message that it has not replied to.
    message: str | None = None
    #: When it is asked next.
    next_query: float = 0.0
    online: bool = True
    #: When it was started, in Flower's words.
    started: str = ""


@dataclass(frozen=True)
class Sent:
    """A message that was sent and not replied to."""

    kind: str
    node: int
    digest: str
    since: float
    most_bytes: int = NO_PAYLOAD
    row: str = ""
    visit: int = -1
    job: str = ""

    @property
    def about(self) -> dict[str, Any]:
        """What it is about, for the logs."""
        return {"job": self.job} if self.job else {"row": self.row, "visit": self.visit}


def number_of(letter: Letter, name: str, most: float) -> float | None:
    """A number that a node states, from 0; None if it states none, or another value."""
    value = letter.statement.get(name)
    return float(value) if isinstance(value, (int, float)) and 0 <= value <= most else None


class Nodes(ABC):
    """The nodes of a grid, the messages that are under way, and their logs."""

    #: What the reply to each kind of message is called.
    replies: Mapping[str, str]

    def __init__(self, grid: Grid, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.grid, self.settings, self.clock = grid, settings, clock
        self.directory = Path(settings.directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.directory / "flower.lock", "w", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError(f"{self.directory} is in use by another run") from None
        self.key = SigningKey.read_or_make(settings.key or self.directory / "centre.sign")
        self.permitted = None if settings.nodes == "first" else read_public_keys(settings.nodes)
        self.audit = Lines(self.directory / "messages.jsonl")
        self.events = Lines(self.directory / "events.jsonl")
        self.kept = read_json(self.directory / "flower.json", {})
        self.id: str = self.kept.get("centre") or secrets.token_hex(8)
        self.number: int = self.kept.get("number", 0)
        #: The key of each node that answered, by the node's number.
        self.keys: dict[int, str] = {int(node): key for node, key in self.kept.get("keys", {}).items()}
        self.nodes: dict[int, NodeRecord] = {}
        self.sent: dict[str, Sent] = {}
        self._next_look = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.audit.close()
        self.events.close()
        self._lock.close()

    # ---------------------------------------------------------------- what differs between a centre and a pool

    @abstractmethod
    def announced(self, node: NodeRecord, letter: Letter) -> None:
        """A node said what it has."""

    @abstractmethod
    def arrived(self, node: NodeRecord, sent: Sent, letter: Letter) -> None:
        """The reply to work came."""

    @abstractmethod
    def again(self, node: NodeRecord, sent: Sent) -> None:
        """A message had no good reply."""

    def refused(self, node: NodeRecord, sent: Sent, name: str, text: str) -> None:
        """A node refused what it was sent."""

    def explain(self, letter: Letter, sent: Sent) -> None:
        """Says why a reply that does not answer what was asked is refused."""
        raise Refused("not-an-answer", f"the reply does not answer the {sent.kind} that it came with")

    def state(self) -> dict[str, Any]:
        """What is kept on disk."""
        return {"centre": self.id, "number": self.number, "keys": {str(node): key for node, key in self.keys.items()}}

    # ---------------------------------------------------------------- what nodes say

    def look_for_nodes(self) -> None:
        """Notes who joined, left, or was started again."""
        if self.clock() < self._next_look:
            return
        self._next_look = self.clock() + 1.0
        # A node that was started again says so with another time. A message that it had taken before went with its process.
        online = {node.node_id: getattr(node, "last_activated_at", "") for node in self.grid.get_nodes()}
        for number in online.keys() - self.nodes.keys():
            self.nodes[number] = NodeRecord(number, self.keys.get(number), started=online[number])
            self.event("node-joined", node=number)
        for node in self.nodes.values():
            if node.online != (node.id in online):
                node.online = node.id in online
                self.event("node-joined" if node.online else "node-left", node=node.id)
            if node.online and node.started != online[node.id]:
                node.started = online[node.id]
                self.event("node-restarted", node=node.id)
                if node.message is not None:
                    # It may still be in the queue, so a reply to it is welcome as well.
                    sent, node.message = self.sent[node.message], None
                    self.again(node, sent)
                node.next_query = 0.0

    def look_for_replies(self) -> None:
        """Checks the replies that came, and acts on them."""
        if not self.sent:
            return
        for reply in self.grid.pull_messages(list(self.sent)):
            sent = self.sent.pop(reply.metadata.reply_to_message_id, None)
            if sent is None:
                continue
            node = self.nodes[sent.node]
            if node.message == reply.metadata.reply_to_message_id:
                node.message = None
            if reply.has_error():
                self._failed(node, sent, reply.error)
                continue
            try:
                self._believe(node, sent, reply.content)
            except Refused as refused:
                self.refuse(refused, node, sent)
                self.again(node, sent)

    def _believe(self, node: NodeRecord, sent: Sent, content: RecordDict) -> None:
        """Checks a reply, and acts on it."""
        kinds = (self.replies[sent.kind], "refusal")
        try:
            letter = unseal(content, kinds, sent.most_bytes, lambda key: self._check_key(node, key))
        except Refused:
            self._note(node, "in", "not-believed", weigh(content), "", {}, sent)
            raise
        self._note(node, "in", letter.statement["kind"], letter.size, letter.digest, letter.statement["payloads"], sent)
        if letter.statement.get("centre") != self.id:
            raise Refused("another-centre", f"the reply is for the centre {letter.statement.get('centre')}")
        if letter.statement.get("answers") != sent.digest:
            self.explain(letter, sent)
        if node.key is None:
            node.key = self.keys[node.id] = letter.key
            self.save()
        if letter.statement["kind"] == "refusal":
            name, text = letter.get("name", str), letter.get("text", str)
            self.event("node-refused", node=node.id, name=name, text=text[:500], **sent.about)
            self.refused(node, sent, name, text)
            self.again(node, sent)
        elif sent.kind == "query":
            self.announced(node, letter)
        else:
            self.arrived(node, sent, letter)

    def _check_key(self, node: NodeRecord, key: str) -> None:
        if self.permitted is not None and key not in self.permitted:
            raise Refused("unknown-key", f"{key[:16]}… is not in {self.settings.nodes}")
        known = node.key or self.keys.get(node.id)
        if known is not None and key != known:
            raise Refused("foreign-key", f"the node's key is {known[:16]}…, not {key[:16]}…")
        owner = next((number for number, other in self.keys.items() if other == key and number != node.id), None)
        if known is None and owner is not None and owner in self.nodes and self.nodes[owner].online:
            raise Refused("foreign-key", f"{key[:16]}… is the key of node {owner}, which is connected")

    def _failed(self, node: NodeRecord, sent: Sent, error: Error) -> None:
        """Flower reports that a node did not reply: it is down, or its client app crashed."""
        self.event("node-failed", node=node.id, code=error.code, reason=(error.reason or "")[:500], **sent.about)
        self.again(node, sent)

    def watch_messages(self) -> None:
        """Sends a message again that has no reply for long: a SuperNode forgets a reply that it could not send. If the device is still
        at work, it answers both, and the second answer is a duplicate."""
        for node in self.nodes.values():
            sent = None if node.message is None else self.sent.get(node.message)
            if sent is not None and self.clock() - sent.since > self.settings.resend:
                node.message = None
                self.event("no-reply", node=node.id, kind=sent.kind, **sent.about)
                self.again(node, sent)

    # ---------------------------------------------------------------- what nodes are sent

    def send(
        self,
        node: NodeRecord,
        kind: str,
        message_type: str,
        statement: Mapping[str, Any],
        payloads: Mapping[str, bytes],
        most: int = NO_PAYLOAD,
        **about: Any,
    ) -> None:
        """Sends a message. Its number goes to disk first, so that no number is used twice."""
        self.number += 1
        self.save()
        sealed = seal(kind, {**statement, "centre": self.id, "number": self.number}, payloads, self.key)
        message = Message(sealed.content, node.id, message_type, ttl=TTL)
        (number,) = self.grid.push_messages([message])
        sent = Sent(kind, node.id, sealed.digest, self.clock(), most, **about)
        if not number:
            self.event("not-sent", node=node.id, kind=kind, **sent.about)
            self.again(node, sent)
            return
        self.sent[number] = sent
        node.message = number
        listed = {name: {"bytes": len(data), "sha256": sealed.payloads[name]} for name, data in payloads.items()}
        self._note(node, "out", kind, sealed.size, sealed.digest, listed, sent)

    # ---------------------------------------------------------------- logs and state

    def refuse(self, refused: Refused, node: NodeRecord, sent: Sent | None = None, **about: Any) -> None:
        """Logs a refusal by its name."""
        if sent is not None:
            about = {**sent.about, **about}
        log.warning("refused %s (node %s)", refused, node.id)
        self.event("refused", node=node.id, name=refused.name, text=refused.text[:500], **about)

    def event(self, event: str, **values: Any) -> None:
        """Adds a line to ``events.jsonl`` and to the log."""
        self.events.add(event=event, **values)
        log.info("%s %s", event, json.dumps(values))

    def _note(
        self, node: NodeRecord, way: str, kind: str, size: int, digest: str, payloads: Mapping[str, Any], sent: Sent
    ) -> None:
        """Adds a line to the audit of messages."""
        self.audit.add(node=node.id, way=way, kind=kind, bytes=size, digest=digest, payloads=payloads, **sent.about)

    def save(self) -> None:
        """Writes what is kept on disk."""
        write_json(self.directory / "flower.json", self.state())
