"""What the uplink's rules have done: each is carried out by runtime/uplink.py."""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from gateway.entries import Entry, Kept, Shift, Want
from gateway.wire.messages import Lane, Message, Stamp
from gateway.wire.topics import Up


class Moment(msgspec.Struct, frozen=True):
    """Now, by the clock that deadlines go by and by those that records carry."""

    mono_s: float
    stamp: Stamp


class Connect(msgspec.Struct, frozen=True):
    """Make a connection of this name; its will is `Offline(conn=...)`."""

    conn: str


class Publish(msgspec.Struct, frozen=True):
    kind: Up
    message: Message
    qos: int = 1


class Load(msgspec.Struct, frozen=True):
    want: Want


class Save(msgspec.Struct, frozen=True):
    """Write these records to the file, then call `saved` (or `released`) of the lane."""

    lane: Lane
    stream: str
    entries: tuple[Entry, ...]


class Keep(msgspec.Struct, frozen=True):
    """Write how far the lane is; `soon`: now, else with the next write that is made anyhow."""

    lane: Lane
    kept: Kept
    soon: bool = False


class Move(msgspec.Struct, frozen=True):
    """Write the unsaved entries, change the file to the lane's new stream, then call `moved`."""

    entries: tuple[Entry, ...]
    shift: Shift
    kept: Kept


class Level(Enum):
    """How loudly something is told."""

    DEBUG = auto()
    INFO = auto()
    WARNING = auto()
    ERROR = auto()


class Tell(msgspec.Struct, frozen=True):
    level: Level
    text: str


Action = Connect | Publish | Load | Save | Keep | Move | Tell
