"""Refusals: each has a name, which logs and tests look for."""

from __future__ import annotations

#: The names of all refusals, with what they mean.
REFUSALS: dict[str, str] = {
    "too-large": "the message is larger than permitted",
    "malformed": "the message does not have the form of this protocol",
    "unknown-key": "the key that signed the message is not on the list",
    "foreign-key": "the message is signed with another key than the one that this node or centre used before",
    "bad-signature": "the signature does not fit the message",
    "changed-bytes": "the payload does not have the digest that was signed",
    "another-centre": "the message belongs to another centre",
    "replayed": "the message is older than one that was seen already",
    "not-an-answer": "the message does not answer what was asked",
    "duplicate": "the visit was answered already",
    "late": "the visit was given up before its answer came",
    "another-task": "the message is about a task that the node does not have, or did not take a model for",
    "no-further-contact": "the device had both contacts of its visit",
    "not-an-expert": "the payload is not a sound expert: a foreign format, other shapes, or values that are not finite",
    "not-a-hand-out": "the payload is not a sound hand-out",
    "refused-by-centre": "the centre's core refused the contact",
    "cannot-adapt": "the device failed while it adapted the model",
    "not-a-pool": "the node works for no comparison",
    "no-data": "the node's data cannot be read",
}


class Refused(Exception):
    """A message that is refused. ``name`` is one of :data:`REFUSALS`."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text
