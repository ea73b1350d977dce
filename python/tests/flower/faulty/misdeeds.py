"""What a node may do wrong: each changes an honest reply."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alluvium.flower.keys import SigningKey
from alluvium.flower.messages import PAYLOADS, RECORD, seal
from flwr.app import Array, ArrayRecord, Message, RecordDict

#: Changes a reply: gets it, the node's own key, and a folder for a stranger's key.
Misdeed = Callable[[Message, Path, Path], Message]


def resealed(reply: Message, key: Path, payload: Callable[[bytes], bytes] = bytes, **changed: Any) -> Message:
    """A reply with another statement or payload, properly signed."""
    statement = json.loads(reply.content[RECORD]["statement"])
    payloads = {name: payload(array.data) for name, array in reply.content.get(PAYLOADS, {}).items()}
    kind = statement.pop("kind")
    reply.content = seal(kind, {**statement, **changed}, payloads, SigningKey.read(key)).content
    return reply


def nan(data: bytes) -> bytes:
    """The last weight of an expert becomes NaN."""
    return data[:-4] + b"\x00\x00\xc0\x7f"


def changed_byte(reply: Message, _key: Path, _folder: Path) -> Message:
    array = reply.content[PAYLOADS]["expert"]
    data = bytearray(array.data)
    data[-1] ^= 1
    reply.content[PAYLOADS] = ArrayRecord({"expert": Array(array.dtype, array.shape, array.stype, bytes(data))})
    return reply


def changed_statement(reply: Message, _key: Path, _folder: Path) -> Message:
    reply.content[RECORD]["statement"] = reply.content[RECORD]["statement"].replace(b'"visit":', b'"visit":1')
    return reply


def nothing(reply: Message, _key: Path, _folder: Path) -> Message:
    reply.content = RecordDict()
    return reply


def stranger(reply: Message, _key: Path, folder: Path) -> Message:
    return resealed(reply, _made(folder / "stranger.sign"))


def _made(path: Path) -> Path:
    SigningKey.read_or_make(path)
    return path


#: The misdeeds, by the name of the refusal that each leads to.
MISDEEDS: dict[str, Misdeed] = {
    "changed-bytes": changed_byte,
    "bad-signature": changed_statement,
    "malformed": nothing,
    "unknown-key": stranger,
    "not-an-expert": lambda reply, key, _: resealed(reply, key, nan),
    "another-task": lambda reply, key, _: resealed(reply, key, task="another"),
    "another-centre": lambda reply, key, _: resealed(reply, key, centre="another"),
    "not-an-answer": lambda reply, key, _: resealed(reply, key, answers="another"),
    "too-large": lambda reply, key, _: resealed(reply, key, lambda _: bytes(40 << 20)),
}
