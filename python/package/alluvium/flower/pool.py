"""A pool for comparisons: nodes do the work of devices, of whatever cell needs it next.

Each device stage of the grid of cells is a *job*. A node that has said ``pool=true`` takes one at a time: its reply is the expert. The
cells run in this process, which consolidates and judges. So the results are those of one process, and stages that either computed are
found by the other. A job is sent again, to another node where there is one, when its node leaves, fails or does not reply in time.
Equal jobs of several cells are sent once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from flwr.serverapp import Grid

import alluvium as al
from alluvium.flower.errors import Refused
from alluvium.flower.messages import Letter
from alluvium.flower.nodes import ROOM, NodeRecord, Nodes, Sent, number_of
from alluvium.flower.settings import Settings


@dataclass
class Work:
    """A job, with all who wait for it."""

    digest: str
    jobs: list[al.Job]
    #: The nodes that were asked in vain.
    failed: list[int] = field(default_factory=list)
    #: What was wrong the last time.
    reason: str = ""
    not_before: float = 0.0


class FlowerPool(Nodes):
    """Gives jobs to nodes. ``submit`` may be called from another thread than ``run``."""

    replies = {"query": "announcement", "job": "job-done"}

    def __init__(self, grid: Grid, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        super().__init__(grid, settings, clock)
        self._submitted: deque[al.Job] = deque()
        self._news = threading.Event()
        self._is_over = False
        #: What is to be done, by its digest; those of `_under_way` are at a node.
        self.work: dict[str, Work] = {}
        self._under_way: dict[str, int] = {}
        #: The jobs that each node may forget, because they are done.
        self._settled: dict[int, list[str]] = {}
        self._error: BaseException | None = None
        self.save()
        self.event("opened", centre=self.id, key=self.key.public, pool=True)

    def submit(self, job: al.Job) -> None:
        """Takes a job."""
        if self._error is not None:
            job.failed(f"the pool ended: {self._error}")
            return
        self._submitted.append(job)
        self._news.set()

    def run(self) -> None:
        """Goes on until it is closed."""
        try:
            while not self._is_over:
                self.step()
                self._news.wait(self.settings.poll)
                self._news.clear()
        except BaseException as error:
            self._error = error
            self._fail_all(f"the pool ended: {error}")
            raise

    def close(self) -> None:
        """Ends ``run``."""
        self._is_over = True
        self._news.set()

    def step(self) -> None:
        """One round: looks for jobs, nodes and answers, and sends what can be sent."""
        while self._submitted:
            job = self._submitted.popleft()
            self.work.setdefault(job.digest, Work(job.digest, [])).jobs.append(job)
        self.look_for_nodes()
        self.look_for_replies()
        self.watch_messages()
        for digest, number in list(self._under_way.items()):
            # If the node comes back with an answer before another has one, that is welcome as well.
            if not self.nodes[number].online:
                del self._under_way[digest]
        for node in self.nodes.values():
            self._query(node)
        self._give()

    def _query(self, node: NodeRecord) -> None:
        """Asks a node whether it works for comparisons."""
        if node.is_pool or not node.online or node.message is not None or self.clock() < node.next_query:
            return
        node.next_query = self.clock() + self.settings.query
        self.send(node, "query", "query.announce", {"seeds": [], "settled": [], "done": []}, {})

    def _give(self) -> None:
        """Gives a job to each idle node. A node that failed at a job gets it again only if no other node is there."""
        idle = [node for node in self.nodes.values() if node.is_pool and node.online and node.message is None]
        others = {node.id for node in self.nodes.values() if node.is_pool and node.online}
        for work in list(self.work.values()):
            if not idle:
                return
            if work.digest in self._under_way or self.clock() < work.not_before:
                continue
            fits = [node for node in idle if node.id not in work.failed or others <= set(work.failed)]
            if fits:
                idle.remove(fits[0])
                self._hand_out(work, fits[0])

    def _hand_out(self, work: Work, node: NodeRecord) -> None:
        job = work.jobs[0]
        settled = self._settled.pop(node.id, [])
        statement = {"job": work.digest, "task": job.task, "seed": job.seed, "stream": job.stream, "settled-jobs": settled}
        statement |= {"settled": [], "done": []}
        most = self.settings.most_bytes or 4 * len(job.hand_out) + ROOM
        self._under_way[work.digest] = node.id
        self.send(node, "job", "train.job", statement, {"hand-out": job.hand_out}, most, job=work.digest)

    # ---------------------------------------------------------------- what nodes say

    def announced(self, node: NodeRecord, letter: Letter) -> None:
        """A node says whether it works for comparisons."""
        node.is_pool = letter.statement.get("pool") is True
        self.event("announced", node=node.id, pool=node.is_pool)

    def arrived(self, node: NodeRecord, sent: Sent, letter: Letter) -> None:
        """An expert came. The native reader of hostile files is the first that looks into the bytes."""
        work = self.work.get(sent.job)
        if work is None:
            raise Refused("duplicate", f"the job {sent.job[:16]}… was done already")
        if letter.get("job", str) != work.digest:
            raise Refused("another-task", "the answer is for another job")
        seconds = number_of(letter, "seconds", 1e9)
        data = letter.payloads.get("expert")
        if data is None:
            raise Refused("malformed", "the answer has no expert")
        work.reason = ""
        try:
            for job in work.jobs:
                job.done(data, seconds)
        except al.FileError as error:
            work.reason = f"not-an-expert: {error}"
            raise Refused("not-an-expert", str(error)) from error
        del self.work[work.digest]
        self._under_way.pop(work.digest, None)
        self._settled.setdefault(node.id, []).append(work.digest)
        self.event("received", node=node.id, job=work.digest, task=work.jobs[0].task, cells=len(work.jobs))

    def refused(self, node: NodeRecord, sent: Sent, name: str, text: str) -> None:
        """A node refused. Why is what the cell fails with if no other node does better."""
        if sent.job in self.work:
            self.work[sent.job].reason = f"{name}: {text}"

    def again(self, node: NodeRecord, sent: Sent) -> None:
        """A job had no good reply: it goes to another node, or fails in the end."""
        node.next_query = self.clock() + self.settings.query
        work = self.work.get(sent.job)
        if work is None or self._under_way.get(work.digest) != node.id:
            return
        del self._under_way[work.digest]
        work.failed.append(node.id)
        if len(work.failed) > self.settings.retries and work.reason:
            del self.work[work.digest]
            for job in work.jobs:
                job.failed(f"{len(work.failed)} attempts on nodes failed; the last: {work.reason}")
            self.event("failed", job=work.digest, task=work.jobs[0].task, reason=work.reason[:500])
        elif work.failed.count(node.id) > 1:
            work.not_before = self.clock() + min(self.settings.query, 2.0 ** len(work.failed))

    def _fail_all(self, reason: str) -> None:
        jobs = [*self._submitted, *(job for work in self.work.values() for job in work.jobs)]
        self._submitted.clear()
        self.work.clear()
        for job in jobs:
            job.failed(reason)
