"""A grid without processes: nodes answer in the process of the test, one message a step. A test sees and changes every message."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from alluvium.flower import client
from flwr.app import Context, Error, Message, RecordDict

# Flower sets these when it starts an app; a message cannot be made without. Older versions have no such place.
with contextlib.suppress(ImportError):
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1

#: Changes what a node replies: gets the request and the reply, gives the reply, an error, or None for no reply.
Fault = Callable[[Message, Message], "Message | Error | None"]


@dataclass
class Peer:
    """A node of the double."""

    config: dict[str, Any]
    fault: Fault | None = None
    online: bool = True
    started: str = "0"


@dataclass
class Info:
    """What Flower tells of a node."""

    node_id: int
    last_activated_at: str


@dataclass
class Grid:
    """The part of Flower's grid that a centre uses."""

    peers: dict[int, Peer]
    #: Messages that wait at a node.
    queues: dict[int, list[Message]] = field(default_factory=dict)
    replies: dict[str, Message] = field(default_factory=dict)
    #: All messages, and what was replied.
    sent: list[Message] = field(default_factory=list)
    answered: list[Message] = field(default_factory=list)
    numbers: Any = field(default_factory=itertools.count)

    def get_nodes(self) -> list[Info]:
        return [Info(number, peer.started) for number, peer in self.peers.items() if peer.online]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        numbers = []
        for message in messages:
            number = f"message-{next(self.numbers)}"
            message.metadata.__dict__["_message_id"] = number
            self.queues.setdefault(message.metadata.dst_node_id, []).append(message)
            self.sent.append(message)
            numbers.append(number)
        return numbers

    def pull_messages(self, numbers: Iterable[str]) -> list[Message]:
        self.work()
        return [self.replies.pop(number) for number in list(numbers) if number in self.replies]

    def work(self) -> None:
        """Each node that is online answers a message."""
        for number, peer in self.peers.items():
            if peer.online and self.queues.get(number):
                request = self.queues[number].pop(0)
                reply: Message | Error | None = answer(peer.config, request, number)
                if peer.fault is not None:
                    reply = peer.fault(request, reply)
                if isinstance(reply, Error):
                    reply = Message(reply, reply_to=request)
                if reply is not None:
                    self.replies[request.metadata.message_id] = reply
                    self.answered.append(reply)


def answer(config: dict[str, Any], request: Message, number: int = 7) -> Message:
    """What a client app replies."""
    handlers = {"query.announce": client.announce, "train.adapt": client.adapt, "train.job": client.work}
    return handlers[request.metadata.message_type](request, Context(1, number, config, RecordDict(), {}))
