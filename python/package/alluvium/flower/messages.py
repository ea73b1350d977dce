"""The messages of centre and node: signed statements with payloads.

A message has a *statement* (JSON: its kind, the centre, what it answers, and the digest of each payload), a signature of the
statement, and *payloads* (bytes, such as a hand-out or an expert). The reader checks in this order, and stops at the first fault:
the size, the key, the signature, the form of the statement, the digests of the payloads. Nothing parses a payload before that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from alluvium.flower.errors import Refused
from alluvium.flower.keys import SigningKey, verify

#: The version of the protocol. Centre and node must agree.
PROTOCOL = 1

#: What is signed begins with this, so that a signature is good for nothing else.
CONTEXT = b"alluvium flower message 1\n"

#: The most bytes of a statement.
MOST_STATEMENT = 4 << 20

#: The names of the records.
RECORD = "alluvium"
PAYLOADS = "payloads"

#: The type of serialisation that an array states: plain bytes, which Flower does not look into.
BYTES = "alluvium.bytes"


@dataclass(frozen=True)
class Letter:
    """A message that was checked."""

    statement: Mapping[str, Any]
    payloads: Mapping[str, bytes]
    #: The public key that signed it.
    key: str
    #: The digest of the statement: an answer names it.
    digest: str
    #: The number of bytes of statement, key, signature and payloads.
    size: int

    def get(self, name: str, type_: type) -> Any:
        """A value of the statement."""
        value = self.statement.get(name)
        if not isinstance(value, type_) or (type_ is int and isinstance(value, bool)):
            raise Refused("malformed", f"the statement's `{name}` is not of the type {type_.__name__}")
        return value


@dataclass(frozen=True)
class Sealed:
    """A message that is to be sent."""

    content: RecordDict
    digest: str
    size: int
    payloads: Mapping[str, str] = field(default_factory=dict)


def seal(kind: str, statement: Mapping[str, Any], payloads: Mapping[str, bytes], key: SigningKey) -> Sealed:
    """Signs a message."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in payloads.items()}
    listed = {name: {"bytes": len(data), "sha256": digests[name]} for name, data in payloads.items()}
    full = {**statement, "kind": kind, "protocol": PROTOCOL, "payloads": listed}
    text = json.dumps(full, sort_keys=True, separators=(",", ":")).encode()
    signature = key.sign(CONTEXT + text)
    record = ConfigRecord({"statement": text, "signature": signature, "key": key.public})
    content = RecordDict({RECORD: record})
    if payloads:
        arrays = {name: Array("uint8", (len(data),), BYTES, bytes(data)) for name, data in payloads.items()}
        content[PAYLOADS] = ArrayRecord(arrays)
    size = len(text) + len(signature) + len(key.public) + sum(map(len, payloads.values()))
    return Sealed(content, hashlib.sha256(text).hexdigest(), size, digests)


def unseal(content: RecordDict, kinds: tuple[str, ...], most: int, check_key: Callable[[str], None]) -> Letter:
    """Checks a message. ``most`` is the most bytes of its payloads; ``check_key`` raises :class:`Refused` for a key that may not
    sign it.

    Raises:
        Refused: says by name what is wrong.
    """
    record = content.get(RECORD)
    if not isinstance(record, ConfigRecord):
        raise Refused("malformed", "the message has no statement")
    text, signature, key = (record.get(name) for name in ("statement", "signature", "key"))
    if not isinstance(text, bytes) or not isinstance(signature, bytes) or not isinstance(key, str):
        raise Refused("malformed", "the message has no statement, signature and key")
    arrays = content.get(PAYLOADS, ArrayRecord())
    if not isinstance(arrays, ArrayRecord):
        raise Refused("malformed", "a payload is not an array of bytes")
    payloads = {name: array.data for name, array in arrays.items()}
    heavy = sum(map(len, payloads.values()))
    if len(text) > MOST_STATEMENT or heavy > most:
        raise Refused("too-large", f"{len(text)} + {heavy} bytes; permitted: {MOST_STATEMENT} + {most}")
    check_key(key)
    verify(key, signature, CONTEXT + text)
    try:
        statement = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused("malformed", "the statement is not JSON") from None
    if not isinstance(statement, dict) or statement.get("kind") not in kinds:
        raise Refused("malformed", f"the statement is not of the kind {' or '.join(kinds)}")
    if statement.get("protocol") != PROTOCOL:
        raise Refused("malformed", f"version {statement.get('protocol')} of the protocol; accepted: {PROTOCOL}")
    listed = statement.get("payloads")
    if not isinstance(listed, dict) or listed.keys() != payloads.keys():
        raise Refused("changed-bytes", "the payloads are not those of the statement")
    for name, data in payloads.items():
        if listed[name] != {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}:
            raise Refused("changed-bytes", f"the payload `{name}` is not the one that was signed")
    size = len(text) + len(signature) + len(key) + heavy
    return Letter(statement, payloads, key, hashlib.sha256(text).hexdigest(), size)


def weigh(content: RecordDict) -> int:
    """The bytes of a message that was not believed."""
    size = 0
    for record in content.values():
        for value in record.values():
            if isinstance(value, Array):
                size += len(value.data)
            elif isinstance(value, (bytes, str)):
                size += len(value)
    return size
