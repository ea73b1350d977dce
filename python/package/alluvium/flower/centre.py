"""The centre behind the server app: which node is asked, what it is sent, and what of its answers is believed.

Flower's messages go from the server to a node, and a reply comes back. So a visit maps to messages as follows.

* *First contact*: the centre asks an idle node who needs a model (``query.announce``). The reply announces the node's tasks: name,
  head, number of samples, digest. The hand-out (``train.adapt``) completes the contact.
* *Second contact*: the reply to the hand-out is the expert.

One question serves all tasks of a node, so a visit costs one message and its reply. A message that was lost is sent again with the
same contents: it belongs to the same contact, and the node answers it with the expert that it keeps until the centre has it. The
core counts contacts: it refuses a third.

What is on disk, and when: the core lists a contact before it takes effect (``visits.json``). ``flower.json`` beside it says which node
made which visit. It names the node *before* the core lists its hand-out, so after a kill each listed visit has its node. Flower's
numbers of messages are not kept: when a server app ends, its run ends, and its messages go nowhere.
"""

from __future__ import annotations

import fcntl
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from flwr.app import Error, Message, RecordDict
from flwr.serverapp import Grid

import alluvium as al
from alluvium.flower.errors import Refused
from alluvium.flower.files import Lines, read_json, write_json
from alluvium.flower.keys import SigningKey, read_public_keys
from alluvium.flower.messages import Letter, seal, unseal, weigh
from alluvium.flower.rows import Row, RowState, Visit, merge, rows

log = logging.getLogger("alluvium.flower")

#: How long a message and its reply stay valid, in seconds. An overdue expert is welcome for that long.
TTL = 30 * 24 * 3600.0

#: What an expert may weigh beside its hand-out.
ROOM = 16 << 20

#: The most bytes of payloads of a reply that should have none.
NO_PAYLOAD = 0


@dataclass(frozen=True)
class Settings:
    """What a run is told."""

    experiment: str
    directory: str
    nodes: str
    key: str | None = None
    order: tuple[str, ...] | str = "arrival"
    until: str = "all-tasks"
    patience: float = 3600.0
    resend: float = 600.0
    give_up: float = 0.0
    query: float = 30.0
    poll: float = 0.2
    retries: int = 3
    most_bytes: int = 0

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Reads a run's configuration."""
        names = {name.replace("_", "-"): name for name in cls.__dataclass_fields__}
        unknown = sorted(config.keys() - names.keys())
        if unknown:
            raise ValueError(f"unknown keys of the run: {', '.join(unknown)}; accepted: {', '.join(sorted(names))}")
        missing = [name for name in ("experiment", "directory", "nodes") if not config.get(name)]
        if missing:
            raise ValueError(f"the run lacks {', '.join(missing)}; say --run-config '{missing[0]}=\"…\"'")
        given = {names[key]: value for key, value in config.items() if value != ""}
        order = given.get("order", "arrival")
        if order not in ("arrival", "stream"):
            given["order"] = tuple(name.strip() for name in str(order).split(",") if name.strip())
        if given.get("until", "all-tasks") not in ("all-tasks", "stopped"):
            raise ValueError(f"until = \"{given['until']}\"; accepted: \"all-tasks\", \"stopped\"")
        return cls(**given)


@dataclass
class NodeRecord:
    """A node, as the centre knows it while it runs."""

    id: int
    key: str | None = None
    #: Its announcements: JSON text by seed and task.
    wants: dict[tuple[int, str], str] = field(default_factory=dict)
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


class FlowerCentre:
    """Runs one centre for each row over a grid of nodes."""

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
        state = read_json(self.directory / "flower.json", {})
        self.id: str = state.get("centre") or secrets.token_hex(8)
        self.number: int = state.get("number", 0)
        #: The key of each node that answered, by the node's number.
        self.keys: dict[int, str] = {int(node): key for node, key in state.get("keys", {}).items()}
        self.nodes: dict[int, NodeRecord] = {}
        self.sent: dict[str, Sent] = {}
        self._next_look = 0.0
        self.rows: dict[str, Row] = {}
        for label, folder, config, seed in rows(settings.experiment, self.directory):
            saved = RowState.of(state.get("rows", {}).get(label, {}))
            self.rows[label] = Row(label, folder, config, seed, saved, settings.order)
        self._save()
        self.event("opened", centre=self.id, key=self.key.public, rows=list(self.rows))

    def __enter__(self) -> FlowerCentre:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for row in self.rows.values():
            row.worker.shutdown(wait=True, cancel_futures=True)
        self.audit.close()
        self.events.close()
        self._lock.close()

    # ---------------------------------------------------------------- the loop

    def run(self) -> None:
        """Goes on until the rows are done, and closes their centres."""
        self.open()
        while not self.is_done():
            self.step()
            # Work that ends is taken up at once.
            jobs = [row.job.future for row in self.rows.values() if row.job is not None]
            if jobs:
                wait(jobs, timeout=self.settings.poll, return_when=FIRST_COMPLETED)
            else:
                time.sleep(self.settings.poll)
        for row in self.rows.values():
            if not row.is_closed:
                row.close()
                self.event("closed", row=row.label)
        if len(self.rows) > 1:
            merge(self.settings.experiment, self.directory, [row.folder for row in self.rows.values()])
        self._save()

    def open(self) -> None:
        """Opens the centres of the rows, each in its own thread."""
        for row in self.rows.values():
            if not row.is_open and row.job is None:
                row.open()

    def is_done(self) -> bool:
        """Whether the centre closes: every row is complete, or the operator stopped it."""
        if any(row.job is not None for row in self.rows.values()):
            return False
        if (self.directory / "stop").exists():
            return True
        if self.settings.until == "stopped":
            return False
        return all(row.is_complete() for row in self.rows.values())

    def step(self) -> None:
        """One round: looks for nodes, answers and finished work; then sends what can be sent."""
        self._look_for_nodes()
        self._look_for_replies()
        for row in self.rows.values():
            self._finish(row)
        self._watch_messages()
        for row in self.rows.values():
            self._watch_time(row)
            self._plan(row)
        for node in self.nodes.values():
            self._query(node)

    def _look_for_nodes(self) -> None:
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
                    self._again(node, sent)
                node.next_query = 0.0

    def _look_for_replies(self) -> None:
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
                self._again(node, sent)

    # ---------------------------------------------------------------- what nodes say

    def _believe(self, node: NodeRecord, sent: Sent, content: RecordDict) -> None:
        """Checks a reply, and acts on it."""
        kinds = ("announcement" if sent.kind == "query" else "expert", "refusal")
        try:
            letter = unseal(content, kinds, sent.most_bytes, lambda key: self._check_key(node, key))
        except Refused:
            self._note(node, "in", "not-believed", weigh(content), "", {}, sent)
            raise
        self._note(node, "in", letter.statement["kind"], letter.size, letter.digest, letter.statement["payloads"], sent)
        if letter.statement.get("centre") != self.id:
            raise Refused("another-centre", f"the reply is for the centre {letter.statement.get('centre')}")
        if letter.statement.get("answers") != sent.digest:
            self._explain(letter, sent)
        if node.key is None:
            node.key = self.keys[node.id] = letter.key
            self._save()
        if letter.statement["kind"] == "refusal":
            name, text = letter.get("name", str), letter.get("text", str)
            self.event("node-refused", node=node.id, name=name, text=text[:500], row=sent.row, visit=sent.visit)
            self._again(node, sent)
        elif sent.kind == "query":
            self._announced(node, letter)
        else:
            self._arrived(node, sent, letter)

    def _check_key(self, node: NodeRecord, key: str) -> None:
        if self.permitted is not None and key not in self.permitted:
            raise Refused("unknown-key", f"{key[:16]}… is not in {self.settings.nodes}")
        known = node.key or self.keys.get(node.id)
        if known is not None and key != known:
            raise Refused("foreign-key", f"the node's key is {known[:16]}…, not {key[:16]}…")
        owner = next((number for number, other in self.keys.items() if other == key and number != node.id), None)
        if known is None and owner is not None and owner in self.nodes and self.nodes[owner].online:
            raise Refused("foreign-key", f"{key[:16]}… is the key of node {owner}, which is connected")

    def _explain(self, letter: Letter, sent: Sent) -> None:
        """Says why a reply that does not answer what was asked is refused."""
        row, visit = self.rows.get(str(letter.statement.get("row"))), letter.statement.get("visit")
        known = row.state.visits.get(visit) if row and isinstance(visit, int) else None
        if known is not None and known.state == "received":
            raise Refused("duplicate", f"visit {visit} of {letter.statement['row']} was answered already")
        if known is not None and known.state == "given-up":
            raise Refused("late", f"visit {visit} of {letter.statement['row']} was given up")
        raise Refused("not-an-answer", f"the reply does not answer the {sent.kind} that it came with")

    def _announced(self, node: NodeRecord, letter: Letter) -> None:
        wants: dict[tuple[int, str], str] = {}
        for want in letter.get("wants", list):
            try:
                announced = al.Announcement.from_json(want["announcement"])
                seed = int(want["seed"])
            except (al.AlluviumError, TypeError, KeyError, ValueError) as error:
                raise Refused("malformed", f"an announcement: {error}") from error
            wants[seed, announced.task] = want["announcement"]
        for seed, task in wants:
            visits = [row.visit_of(task) for row in self.rows.values() if row.seed == seed]
            if visits and all(visit and visit.state != "under-way" and visit.key == node.key for visit in visits):
                self.refuse(Refused("no-further-contact", f"{task} had all its visits"), node)
        if wants != node.wants:
            self.event("announced", node=node.id, tasks=sorted({task for _, task in wants}))
        node.wants = wants

    def _arrived(self, node: NodeRecord, sent: Sent, letter: Letter) -> None:
        """An expert came: the core reads it, checks it, and consolidates it, in the row's own thread."""
        row = self.rows[sent.row]
        visit = row.state.visits[sent.visit]
        if visit.state != "under-way":
            names = {"received": "duplicate", "given-up": "late"}
            raise Refused(names[visit.state], f"visit {visit.number} of {row.label} is {visit.state}")
        if row.is_receiving(visit.number):
            raise Refused("duplicate", f"the expert of visit {visit.number} of {row.label} is being received")
        stated = (letter.get("row", str), letter.get("visit", int), letter.get("task", str))
        if stated != (row.label, visit.number, visit.task):
            raise Refused("another-task", f"the answer is for {stated}, not {(row.label, visit.number, visit.task)}")
        seconds = letter.statement.get("seconds")
        seconds = float(seconds) if isinstance(seconds, (int, float)) and 0 <= seconds < 1e9 else None
        data = letter.payloads.get("expert")
        if data is None:
            raise Refused("malformed", "the answer has no expert")
        row.arrived.append((visit.number, data, seconds, node.id))

    def _failed(self, node: NodeRecord, sent: Sent, error: Error) -> None:
        """Flower reports that a node did not reply: it is down, or its client app crashed."""
        self.event("node-failed", node=node.id, code=error.code, reason=(error.reason or "")[:500], row=sent.row, visit=sent.visit)
        self._again(node, sent)

    def _again(self, node: NodeRecord, sent: Sent) -> None:
        """What was asked in vain is asked for again: at once a few times, then when the node is asked the next time."""
        node.next_query = self.clock() + self.settings.query
        if sent.kind == "query":
            return
        visit = self.rows[sent.row].state.visits[sent.visit]
        visit.is_sent = False
        visit.failures += 1
        pause = 0.0 if visit.failures <= self.settings.retries else self.settings.query
        visit.not_before = self.clock() + pause

    # ---------------------------------------------------------------- what nodes are sent

    def _query(self, node: NodeRecord) -> None:
        """Asks an idle node who needs a model."""
        if not node.online or node.message is not None or self.clock() < node.next_query:
            return
        if node.key is not None and self.settings.until == "all-tasks" and not self._misses_a_task():
            return
        node.next_query = self.clock() + self.settings.query
        seeds = sorted({row.seed for row in self.rows.values()})
        self._send(node, "query", "query.announce", {"seeds": seeds}, {})

    def _misses_a_task(self) -> bool:
        """Whether a task has no visit, and no node that announced it."""
        known = {want for node in self.nodes.values() for want in node.wants}
        return any(
            row.visit_of(task) is None and (row.seed, task) not in known for row in self.rows.values() for task in row.order
        )

    def _plan(self, row: Row) -> None:
        """Begins the visits that can begin, and sends lost hand-outs again."""
        if not row.is_open or row.job is not None:
            return
        now = self.clock()
        if row.arrived:
            number, data, seconds, sender = row.arrived.pop(0)
            row.start("receive", lambda: row.receive(number, data, seconds), (number, sender))
            return
        for visit in row.state.visits.values():
            if visit.state != "under-way" or visit.is_sent or now < visit.not_before:
                continue
            node = self._node_of(visit)
            if node is not None and node.message is None and node.online:
                self._hand_out(row, visit, node)
        for task in row.next_tasks():
            node = self._idle_with(row.seed, task)
            if node is not None:
                row.state.pending = Visit(len(row.state.visits), task, node.id, str(node.key), now)
                self._save()
                row.start("hand-out", partial(row.hand_out, node.wants[row.seed, task]), (node.id,))
                return

    def _idle_with(self, seed: int, task: str) -> NodeRecord | None:
        fits = (node for node in self.nodes.values() if (seed, task) in node.wants)
        return next((node for node in fits if node.online and node.message is None and node.key is not None), None)

    def _node_of(self, visit: Visit) -> NodeRecord | None:
        """The node of a visit: by its key, because a node that was registered again has another number."""
        same = [node for node in self.nodes.values() if node.key == visit.key]
        same.sort(key=lambda node: (not node.online, node.id != visit.node))
        return same[0] if same else self.nodes.get(visit.node)

    def _hand_out(self, row: Row, visit: Visit, node: NodeRecord) -> None:
        data = row.hand_outs[visit.number].to_bytes()
        statement = {"row": row.label, "visit": visit.number, "task": visit.task, "seed": row.seed}
        most = self.settings.most_bytes or 4 * len(data) + ROOM
        visit.is_sent = True
        self._send(node, "hand-out", "train.adapt", statement, {"hand-out": data}, most, row.label, visit.number)

    def _send(
        self,
        node: NodeRecord,
        kind: str,
        message_type: str,
        statement: Mapping[str, Any],
        payloads: Mapping[str, bytes],
        most: int = NO_PAYLOAD,
        row: str = "",
        visit: int = -1,
    ) -> None:
        """Sends a message. Its number goes to disk first, so that no number is used twice."""
        self.number += 1
        self._save()
        mine = [
            (label, number, entry)
            for label, each in self.rows.items()
            for number, entry in each.state.visits.items()
            if entry.state != "under-way" and node.key is not None and entry.key == node.key
        ]
        settled = [[label, number] for label, number, _ in mine]
        # A task is done for a seed when no row of that seed needs it any more.
        seeds = {each.seed for each in self.rows.values()}
        done = [
            [seed, task]
            for seed in seeds
            for task in {entry.task for _, _, entry in mine}
            if all((v := each.visit_of(task)) and v.state != "under-way" for each in self.rows.values() if each.seed == seed)
        ]
        full = {**statement, "centre": self.id, "number": self.number, "settled": settled, "done": done}
        sealed = seal(kind, full, payloads, self.key)
        message = Message(sealed.content, node.id, message_type, ttl=TTL)
        (number,) = self.grid.push_messages([message])
        sent = Sent(kind, node.id, sealed.digest, self.clock(), most, row, visit)
        if not number:
            self.event("not-sent", node=node.id, kind=kind, row=row, visit=visit)
            self._again(node, sent)
            return
        self.sent[number] = sent
        node.message = number
        listed = {name: {"bytes": len(data), "sha256": sealed.payloads[name]} for name, data in payloads.items()}
        self._note(node, "out", kind, sealed.size, sealed.digest, listed, sent)

    # ---------------------------------------------------------------- what the core did

    def _finish(self, row: Row) -> None:
        """Takes up the result of the work that a row's thread did."""
        if row.job is None or not row.job.future.done():
            return
        job, row.job = row.job, None
        error = job.future.exception()
        if job.what == "open":
            if error is not None:
                raise error
            # Hand-outs that were listed when the process was killed: their node is the one that was noted before.
            for number in sorted(row.hand_outs.keys() - row.state.visits.keys()):
                pending = row.state.pending
                if pending is None or pending.number != number:
                    raise RuntimeError(f"{row.label}: visit {number} is listed, and no node is noted for it")
                row.state.add(pending)
            for number, visit in row.state.visits.items():
                if visit.state == "under-way" and number not in row.hand_outs:
                    visit.state = "given-up" if number in row.given_up() else "received"
            row.state.pending = None
            self._save()
            self.event("row-opened", row=row.label, under_way=sorted(row.hand_outs))
        elif job.what == "hand-out":
            pending, row.state.pending = row.state.pending, None
            assert pending is not None
            if error is not None:
                self.refuse(Refused("refused-by-centre", str(error)), self.nodes[pending.node], row=row.label)
                self.nodes[pending.node].wants.pop((row.seed, pending.task), None)
                self._save()
                return
            number = job.future.result()
            row.state.add(pending)
            self._save()
            self.event("handed-out", row=row.label, visit=number, task=pending.task, node=pending.node)
            node = self.nodes[pending.node]
            if node.message is None and node.online:
                self._hand_out(row, pending, node)
        elif job.what == "receive":
            number, node_id = job.about
            visit = row.state.visits[number]
            if error is not None:
                # Anything but a refusal, such as a consolidation that failed, is the operator's to mend.
                if not isinstance(error, Refused):
                    raise error
                node, sent = self.nodes[node_id], Sent("hand-out", node_id, "", 0.0, 0, row.label, number)
                self.refuse(error, node, sent)
                self._again(node, sent)
                return
            visit.state = "received"
            self._save()
            scores = job.future.result()
            self.event("received", row=row.label, visit=number, task=visit.task, node=node_id, **scores)
        elif job.what == "give-up":
            (number,) = job.about
            if error is not None:
                raise error
            row.state.visits[number].state = "given-up"
            self._save()
            self.event("given-up", row=row.label, visit=number, task=row.state.visits[number].task)

    def _watch_messages(self) -> None:
        """Sends a message again that has no reply for long: a SuperNode forgets a reply that it could not send. If the device is still
        at work, it answers both, and the second answer is a duplicate."""
        for node in self.nodes.values():
            sent = None if node.message is None else self.sent.get(node.message)
            if sent is not None and self.clock() - sent.since > self.settings.resend:
                node.message = None
                self.event("no-reply", node=node.id, kind=sent.kind, row=sent.row, visit=sent.visit)
                self._again(node, sent)

    def _watch_time(self, row: Row) -> None:
        """Goes on without a device that takes too long, and gives it up in the end."""
        now = self.clock()
        for visit in row.state.visits.values():
            if visit.state != "under-way":
                continue
            if not visit.is_overdue and now - visit.since > self.settings.patience:
                visit.is_overdue = True
                self.event("overdue", row=row.label, visit=visit.number, task=visit.task, node=visit.node)
                self._save()
            waits = any(number == visit.number for number, *_ in row.arrived)
            if 0 < self.settings.give_up < now - visit.since and row.is_open and row.job is None and not waits:
                row.start("give-up", partial(row.give_up, visit.number), (visit.number,))
                return

    # ---------------------------------------------------------------- logs and state

    def refuse(self, refused: Refused, node: NodeRecord, sent: Sent | None = None, **about: Any) -> None:
        """Logs a refusal by its name."""
        if sent is not None:
            about = {"row": sent.row, "visit": sent.visit, **about}
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
        self.audit.add(
            node=node.id, way=way, kind=kind, bytes=size, digest=digest, payloads=payloads, row=sent.row, visit=sent.visit
        )

    def _save(self) -> None:
        state = {
            "centre": self.id,
            "number": self.number,
            "keys": {str(node): key for node, key in self.keys.items()},
            "rows": {label: row.state.to_json() for label, row in self.rows.items()},
        }
        write_json(self.directory / "flower.json", state)
