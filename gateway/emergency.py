"""When the gateway tells of an event itself, because the cloud does not acknowledge it: values in, values out.

Events are taken in their order, each once; what is remembered of them outlives the process (`encode`, `resumed`). Times
in `_s` are monotonic seconds of this process: an event of an earlier one has been waiting since the start of this, so
that the cloud gets its chance to acknowledge first.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from drivers.ups import CATALOGUE, Severity, clean_text
from gateway.entries import Entry
from gateway.settings import EmergencySettings
from gateway.wire.codec import decode_body, decode_record
from gateway.wire.errors import WireError
from gateway.wire.messages import EventBody, Kind, Scalar, Stamp

HELD = "on_battery"
"""Told whatever its severity, but only once it has lasted for `on_battery_s`."""
WAITING_AT_MOST = 200
"""Events that wait to be told; beyond them the oldest is only counted."""
OPEN_AT_MOST = 200
HOUR_MS = 3_600_000
RETRY_FIRST_S, RETRY_LAST_S = 30.0, 900.0

_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Heard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event as it waits to be told: its number in the events lane, and of its record what people are told."""

    number: int
    unit: str
    type: str
    severity: Severity
    stamp: Stamp
    found_afterwards: bool = False
    details: dict[str, Scalar] = {}
    since_s: float = 0.0
    """Since when this process knows that the cloud has not acknowledged it."""


class Sent(msgspec.Struct, frozen=True):
    """When a message left, by the clock that nothing sets."""

    boot: str
    mono: int


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of the events up to number `through` of `stream`. `open`: unit and type of what was told, or is to
    be, and whose end is therefore told too. `overlooked`: how many no message will name."""

    stream: str = ""
    through: int = 0
    waiting: tuple[Heard, ...] = ()
    open: tuple[tuple[str, str], ...] = ()
    sent: tuple[Sent, ...] = ()
    overlooked: int = 0


_decoder = msgspec.json.Decoder(Memory)


def encode(memory: Memory) -> bytes:
    return msgspec.json.encode(memory)


def resumed(raw: bytes | None, now_s: float) -> Memory:
    """What an earlier process left; it may be of another stream."""
    try:
        memory = _decoder.decode(raw or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Memory()
    waiting = tuple(msgspec.structs.replace(each, since_s=now_s) for each in memory.waiting)
    return msgspec.structs.replace(memory, waiting=waiting)


def renumbered(memory: Memory, stream: str, by: int | None) -> Memory:
    """After the lane's change to another stream (S16), in which what moved stands `by` lower; None: nothing moved."""
    if by is None:
        return msgspec.structs.replace(memory, stream=stream, through=0, waiting=())
    waiting = tuple(
        msgspec.structs.replace(each, number=each.number - by) for each in memory.waiting if each.number > by
    )
    return msgspec.structs.replace(memory, stream=stream, through=max(0, memory.through - by), waiting=waiting)


def within(memory: Memory, last: int) -> Memory:
    """Without what lies above number `last`, which a process that was killed had not on the disk: it is given anew."""
    waiting = tuple(each for each in memory.waiting if each.number <= last)
    return msgspec.structs.replace(memory, through=min(memory.through, last), waiting=waiting)


def heard(entry: Entry, now_s: float) -> Heard | None:
    """The event that an entry of the outbox holds; None if it holds none. Texts are cleaned once more (S6)."""
    try:
        record = decode_record(entry.raw)
        if record.kind != Kind.EVENT:
            return None
        body = decode_body(record, EventBody)
    except WireError:
        return None
    return Heard(
        number=entry.first,
        unit=clean_text(record.unit),
        type=clean_text(body.type),
        severity=body.severity,
        stamp=record.stamp,
        found_afterwards=body.found_afterwards,
        details={clean_text(name): _clean(value) for name, value in body.details.items()},
        since_s=now_s,
    )


def took(memory: Memory, entries: Iterable[Entry], settings: EmergencySettings, now_s: float) -> Memory:
    """With further events, in their order; those known already change nothing."""
    for entry in entries:
        if entry.end <= memory.through:
            continue
        memory = msgspec.structs.replace(memory, through=entry.end)
        if (event := heard(entry, now_s)) is not None:
            memory = _took(memory, event, settings)
    return memory


def acknowledged(memory: Memory, through: int) -> Memory:
    """The cloud has everything up to number `through`, and tells of it itself."""
    if not memory.waiting or memory.waiting[0].number > through:
        return memory
    known = {(each.unit, each.type) for each in memory.waiting if each.number <= through}
    waiting = tuple(each for each in memory.waiting if each.number > through)
    return msgspec.structs.replace(
        memory,
        waiting=waiting,
        open=tuple(each for each in memory.open if each not in known),
        overlooked=memory.overlooked if waiting else 0,
    )


def due(memory: Memory, settings: EmergencySettings, now_s: float, stamp: Stamp) -> tuple[Heard, ...]:
    """What the next message is to say now; nothing while the hour has had its messages. An outage of which worse is
    told is told with it, and not after it when its own time comes."""
    if len(_lately(memory.sent, stamp)) >= settings.an_hour:
        return ()
    numbers = {each.number for each in memory.waiting if now_s - each.since_s >= _patience_s(each, settings)}
    units = {each.unit for each in memory.waiting if each.number in numbers}
    return tuple(
        each for each in memory.waiting if each.number in numbers or (each.type == HELD and each.unit in units)
    )


def told(memory: Memory, events: Iterable[Heard], stamp: Stamp) -> Memory:
    """A message with these events has left at `stamp`."""
    numbers = {event.number for event in events}
    waiting = tuple(each for each in memory.waiting if each.number not in numbers)
    return msgspec.structs.replace(tried(memory, stamp), waiting=waiting, overlooked=0)


def tried(memory: Memory, stamp: Stamp) -> Memory:
    """A message may have left at `stamp`: it counts as one of its hour."""
    return msgspec.structs.replace(memory, sent=(*_lately(memory.sent, stamp), Sent(stamp.boot, stamp.mono)))


def retry_s(failures: int) -> float:
    """Until the next try after so many failures in a row, 1 or more."""
    return min(RETRY_FIRST_S * 2.0 ** min(failures - 1, 10), RETRY_LAST_S)


def _took(memory: Memory, event: Heard, settings: EmergencySettings) -> Memory:
    kind = CATALOGUE.get(event.type)
    onset = (event.unit, kind.clears) if kind is not None and kind.clears is not None else None
    if onset is not None and onset in memory.open:
        rest = tuple(each for each in memory.open if each != onset)
        memory = msgspec.structs.replace(memory, open=rest)
        begun = next((each for each in memory.waiting if (each.unit, each.type) == onset), None)
        if begun is not None and begun.type == HELD and _lasted_s(begun, event) < settings.on_battery_s:
            waiting = tuple(each for each in memory.waiting if each is not begun)
            return msgspec.structs.replace(memory, waiting=waiting)
        return _waits(memory, event)
    if event.type != HELD and _RANK[event.severity] < _RANK[settings.least]:
        return memory
    opened = tuple(each for each in memory.open if each != (event.unit, event.type))
    memory = msgspec.structs.replace(memory, open=(*opened, (event.unit, event.type))[-OPEN_AT_MOST:])
    return _waits(memory, event)


def _waits(memory: Memory, event: Heard) -> Memory:
    waiting = (*memory.waiting, event)
    beyond = max(0, len(waiting) - WAITING_AT_MOST)
    return msgspec.structs.replace(memory, waiting=waiting[beyond:], overlooked=memory.overlooked + beyond)


def _patience_s(event: Heard, settings: EmergencySettings) -> float:
    return max(settings.after_s, settings.on_battery_s) if event.type == HELD else settings.after_s


def _lasted_s(begun: Heard, ended: Heard) -> float:
    """By the clock that nothing sets; across a boot, since which nobody can say, by the other one."""
    if begun.stamp.boot == ended.stamp.boot:
        return (ended.stamp.mono - begun.stamp.mono) / 1000
    return (ended.stamp.at - begun.stamp.at) / 1000


def _lately(sent: Iterable[Sent], stamp: Stamp) -> tuple[Sent, ...]:
    """Those that left within the last hour. One of an earlier boot may have left just before this one."""
    return tuple(each for each in sent if stamp.mono - (each.mono if each.boot == stamp.boot else 0) < HOUR_MS)


def _clean(value: Scalar) -> Scalar:
    return clean_text(value) if isinstance(value, str) else value
