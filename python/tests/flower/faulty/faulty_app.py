"""A Flower app whose nodes misbehave before they answer honestly: `--node-config 'misdeeds="changed-bytes,never,…"'`, one each.

Beside the names in `misdeeds.MISDEEDS`: `duplicate` sends the reply to the visit before, `crash` raises, `killed` ends the process.
"""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

from alluvium.flower import client, server_app
from alluvium.flower.files import write
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from misdeeds import MISDEEDS

__all__ = ["client_app", "server_app"]

client_app = ClientApp()


def told(context: Context) -> Context:
    """What an honest node is told."""
    honest = copy.copy(context)
    honest.node_config = {name: value for name, value in context.node_config.items() if name != "misdeeds"}
    return honest


@client_app.query("announce")
def announce(message: Message, context: Context) -> Message:
    """Answers honestly."""
    return client.announce(message, told(context))


@client_app.train("adapt")
def adapt(message: Message, context: Context) -> Message:
    """Misbehaves as often as the node is told, then answers honestly."""
    folder = Path(str(context.node_config["state"]))
    left = folder / "misdeeds.txt"
    names = (left.read_text() if left.exists() else str(context.node_config.get("misdeeds", ""))).split(",")
    name, rest = names[0], names[1:]
    write(left, ",".join(rest).encode())
    if name == "crash":
        raise RuntimeError("this node crashes")
    if name == "killed":
        os.kill(os.getpid(), 9)
    before = folder / "reply-before"
    if name == "duplicate" and before.exists():
        return Message(pickle.loads(before.read_bytes()), reply_to=message)
    reply = client.adapt(message, told(context))
    if name in MISDEEDS:
        return MISDEEDS[name](reply, Path(str(context.node_config["key"])), folder)
    write(before, pickle.dumps(reply.content))
    return reply
