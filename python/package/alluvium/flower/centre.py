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

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, wait
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from flwr.serverapp import Grid

import alluvium as al
from alluvium.flower.errors import Refused
from alluvium.flower.messages import Letter
from alluvium.flower.nodes import ROOM, NodeRecord, Nodes, Sent, number_of
from alluvium.flower.rows import REPORT, Row, RowState, Visit, merge, rows
from alluvium.flower.settings import Settings


class FlowerCentre(Nodes):
    """Runs one centre for each row over a grid of nodes."""

    replies = {"query": "announcement", "hand-out": "expert"}

    def __init__(self, grid: Grid, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        # A wrong experiment is refused before anything is written.
        listed = list(rows(settings.experiment, Path(settings.directory)))
        super().__init__(grid, settings, clock)
        self.rows: dict[str, Row] = {}
        for label, folder, config, seed in listed:
            saved = RowState.of(self.kept.get("rows", {}).get(label, {}))
            self.rows[label] = Row(label, folder, config, seed, saved, settings.order)
        self.save()
        self.event("opened", centre=self.id, key=self.key.public, rows=list(self.rows))

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for row in self.rows.values():
            row.worker.shutdown(wait=True, cancel_futures=True)
        super().__exit__(type_, error, trace)

    # ---------------------------------------------------------------- the loop

    def run(self) -> None:
        """Goes on until the rows are done, and closes their centres."""
        self.open()
        reported = time.monotonic()
        while not self.is_done():
            self.step()
            if time.monotonic() - reported >= REPORT:
                self.merge()
                reported = time.monotonic()
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
        self.merge()
        self.save()

    def merge(self) -> None:
        """Writes the results so far of several rows as those of one comparison."""
        done = [row for row in self.rows.values() if (row.folder / "results.json").exists()]
        if len(self.rows) > 1 and done:
            merge(self.settings.experiment, self.directory, done)

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
        self.look_for_nodes()
        self.look_for_replies()
        for row in self.rows.values():
            self._finish(row)
        self.watch_messages()
        for row in self.rows.values():
            self._watch_time(row)
            self._plan(row)
        for node in self.nodes.values():
            self._query(node)

    # ---------------------------------------------------------------- what nodes say

    def explain(self, letter: Letter, sent: Sent) -> None:
        """Says why a reply that does not answer what was asked is refused."""
        row, visit = self.rows.get(str(letter.statement.get("row"))), letter.statement.get("visit")
        known = row.state.visits.get(visit) if row and isinstance(visit, int) else None
        if known is not None and known.state == "received":
            raise Refused("duplicate", f"visit {visit} of {letter.statement['row']} was answered already")
        if known is not None and known.state == "given-up":
            raise Refused("late", f"visit {visit} of {letter.statement['row']} was given up")
        raise Refused("not-an-answer", f"the reply does not answer the {sent.kind} that it came with")

    def announced(self, node: NodeRecord, letter: Letter) -> None:
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

    def arrived(self, node: NodeRecord, sent: Sent, letter: Letter) -> None:
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
        seconds, accuracy = number_of(letter, "seconds", 1e9), number_of(letter, "accuracy", 1.0)
        data = letter.payloads.get("expert")
        if data is None:
            raise Refused("malformed", "the answer has no expert")
        row.arrived.append((visit.number, data, seconds, accuracy, node.id))

    def again(self, node: NodeRecord, sent: Sent) -> None:
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
        self.send(node, "query", "query.announce", {"seeds": seeds, **self._settled(node)}, {})

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
            number, data, seconds, accuracy, sender = row.arrived.pop(0)
            row.start("receive", lambda: row.receive(number, data, seconds, accuracy), (number, sender))
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
                self.save()
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
        statement = {"row": row.label, "visit": visit.number, "task": visit.task, "seed": row.seed, **self._settled(node)}
        most = self.settings.most_bytes or 4 * len(data) + ROOM
        visit.is_sent = True
        self.send(node, "hand-out", "train.adapt", statement, {"hand-out": data}, most, row=row.label, visit=visit.number)

    def _settled(self, node: NodeRecord) -> dict[str, Any]:
        """What a node need not keep or offer any more."""
        mine = [
            (label, number, entry)
            for label, each in self.rows.items()
            for number, entry in each.state.visits.items()
            if entry.state != "under-way" and node.key is not None and entry.key == node.key
        ]
        # A task is done for a seed when no row of that seed needs it any more.
        seeds = {each.seed for each in self.rows.values()}
        done = [
            [seed, task]
            for seed in seeds
            for task in {entry.task for _, _, entry in mine}
            if all((v := each.visit_of(task)) and v.state != "under-way" for each in self.rows.values() if each.seed == seed)
        ]
        return {"settled": [[label, number] for label, number, _ in mine], "done": done}

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
            self.save()
            self.event("row-opened", row=row.label, under_way=sorted(row.hand_outs))
        elif job.what == "hand-out":
            pending, row.state.pending = row.state.pending, None
            assert pending is not None
            if error is not None:
                self.refuse(Refused("refused-by-centre", str(error)), self.nodes[pending.node], row=row.label)
                self.nodes[pending.node].wants.pop((row.seed, pending.task), None)
                self.save()
                return
            number = job.future.result()
            row.state.add(pending)
            self.save()
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
                self.again(node, sent)
                return
            visit.state = "received"
            self.save()
            scores = job.future.result()
            self.event("received", row=row.label, visit=number, task=visit.task, node=node_id, **scores)
        elif job.what == "give-up":
            (number,) = job.about
            if error is not None:
                raise error
            row.state.visits[number].state = "given-up"
            self.save()
            self.event("given-up", row=row.label, visit=number, task=row.state.visits[number].task)

    def _watch_time(self, row: Row) -> None:
        """Goes on without a device that takes too long, and gives it up in the end."""
        now = self.clock()
        for visit in row.state.visits.values():
            if visit.state != "under-way":
                continue
            if not visit.is_overdue and now - visit.since > self.settings.patience:
                visit.is_overdue = True
                self.event("overdue", row=row.label, visit=visit.number, task=visit.task, node=visit.node)
                self.save()
            waits = any(number == visit.number for number, *_ in row.arrived)
            if 0 < self.settings.give_up < now - visit.since and row.is_open and row.job is None and not waits:
                row.start("give-up", partial(row.give_up, visit.number), (visit.number,))
                return

    def state(self) -> dict[str, Any]:
        """What is kept on disk."""
        return {**super().state(), "rows": {label: row.state.to_json() for label, row in self.rows.items()}}
