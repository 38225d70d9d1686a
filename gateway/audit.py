"""The audit log: what was asked, taken, refused and changed here, each line chained to the one before it.

A line's digest is SHA-256 over the digest before it and the line's own text, so that who knows the last digest and how
many lines there are (the cloud, each minute) knows whether one of them was changed, added or taken away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from drivers.ups import clean_text
from gateway.wire.messages import Stamp
from gateway.wire.orders import CommandBody

BEGINNING = "0" * 64
"""What stands for the digest before the first line."""


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`what`: `command`, `envelope` (one that was not from the cloud), `policy`, `unit`. `by`: role and name."""

    at: int
    clock: str
    what: str
    id: str = ""
    verb: str = ""
    unit: str = ""
    serial: str = ""
    by: str = ""
    stage: str = ""
    reason: str = ""
    outcome: str = ""
    detail: str = ""


class Entry(Act, frozen=True, kw_only=True, omit_defaults=True):
    """An act as its line has it; lines count from 1."""

    number: int
    previous: str


class Line(msgspec.Struct, frozen=True):
    number: int
    text: str
    digest: str


class Head(msgspec.Struct, frozen=True):
    """The last line's digest, and how many lines there are."""

    digest: str = BEGINNING
    length: int = 0


class Broken(msgspec.Struct, frozen=True):
    """The first line that does not fit; those before it do."""

    number: int
    why: str


def of_command(stamp: Stamp, unit: str, body: CommandBody) -> Act:
    return Act(
        at=stamp.at,
        clock=stamp.clock,
        what="command",
        id=body.id,
        verb=body.verb,
        unit=clean_text(unit),
        serial=body.serial,
        by=f"{body.by.role} {body.by.name}" if body.by else "",
        stage=body.stage.value,
        reason=body.reason,
        outcome=body.outcome.value if body.outcome else "",
        detail=body.detail,
    )


def appended(head: Head, act: Act) -> Line:
    """The line of `act` behind `head`."""
    fields = {name: getattr(act, name) for name in Act.__struct_fields__}
    entry = Entry(number=head.length + 1, previous=head.digest, **fields)
    text = msgspec.json.encode(entry).decode()
    return Line(entry.number, text, digest(head.digest, text))


def after(line: Line) -> Head:
    return Head(line.digest, line.number)


def digest(previous: str, text: str) -> str:
    return hashlib.sha256(previous.encode() + text.encode()).hexdigest()


def entry(line: Line) -> Entry:
    """Raises msgspec.MsgspecError if the line was damaged."""
    return msgspec.json.decode(line.text, type=Entry)


def verify(lines: Iterable[Line]) -> Broken | Head:
    """The first line that is not as it was written, else the head of all of them."""
    head = Head()
    for line in lines:
        if line.number != head.length + 1:
            return Broken(head.length + 1, f"is missing: line {line.number} comes after line {head.length}")
        if line.digest != digest(head.digest, line.text):
            return Broken(line.number, "is not what its digest was made of")
        try:
            said = entry(line)
        except msgspec.MsgspecError:
            return Broken(line.number, "is no line of an audit log")
        if (said.number, said.previous) != (line.number, head.digest):
            return Broken(line.number, "belongs in another place")
        head = after(line)
    return head
