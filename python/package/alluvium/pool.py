"""Pools: who does the work of devices in place of this process.

A configuration with ``[device] kind = "flower"`` leaves the work of its devices to a pool, and :func:`alluvium.compare` is told which one.
``alluvium.flower`` has one whose workers are Flower's nodes. Another is a class with the method ``submit``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from alluvium import _alluvium
from alluvium.values import BytesLike, as_bytes


@dataclass(frozen=True, eq=False)
class Job:
    """What one device does during one visit. A worker calls :func:`alluvium.adapt` with these values, in any process::

        expert = al.adapt(al.HandOut.from_bytes(job.hand_out), stream=job.stream, seed=job.seed)
        job.done(expert.to_bytes(), seconds)

    Whoever holds a job calls ``done`` or ``failed`` once, from any thread.
    """

    hand_out: bytes = field(repr=False)
    """The hand-out as bytes: the model, how the device adapts, and which task of the stream is its own."""
    stream: dict[str, Any]
    """The ``[stream]`` table in full."""
    seed: int
    """The seed of the row, of which the stream is built."""
    task: str
    """The name of the task."""
    _native: _alluvium.NativeJob = field(repr=False)

    @property
    def digest(self) -> str:
        """A digest of the work: equal work has equal digests and equal experts."""
        text = json.dumps([self.stream, self.seed], sort_keys=True).encode()
        return hashlib.sha256(text + hashlib.sha256(self.hand_out).digest()).hexdigest()

    def done(self, expert: BytesLike, seconds: float | None = None) -> None:
        """Answers with the expert.

        Args:
            expert: what ``alluvium.adapt(…).to_bytes()`` gave.
            seconds: how long the device worked; default: the time since the job was submitted.

        Raises:
            FileError: the bytes are not a sound expert, or not one of this job. The job may be answered again.
        """
        self._native.done(as_bytes("the expert", expert), seconds)

    def failed(self, reason: str) -> None:
        """Answers that the work cannot be done. The cell that needs it fails with this reason; the others go on."""
        self._native.failed(reason)


class Pool(Protocol):
    """Where jobs are done."""

    def submit(self, job: Job) -> None:
        """Takes a job, and returns at once. It is called from the thread that called :func:`alluvium.compare`."""


def submit(pool: Pool, hand_out: bytes, stream: str, seed: int, task: str, native: _alluvium.NativeJob) -> None:
    """Gives a job to a pool. The native module calls this."""
    pool.submit(Job(hand_out, json.loads(stream), seed, task, native))
