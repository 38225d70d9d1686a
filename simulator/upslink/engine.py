"""What a UPS-Link line needs of the unit behind it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from drivers.ups import Identity, Settings, Snapshot
from simulator.orders import Answer, Order


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """Something other than a question that came over the line: the record against which S1 is tested.

    `characters`: all that belongs to it, control characters as `^N` or `DEL`. `order`: what it asked of the unit;
    None if it did not come so far. `reply` is the text of the answer, `answered` False if that was swallowed.
    """

    characters: str
    order: Order | None
    reply: str
    answered: bool = True


class Unit(Protocol):
    """The running unit; every call gives the truth of that instant. `now_s` are its own seconds."""

    @property
    def now_s(self) -> float: ...
    def snapshot(self) -> Snapshot: ...
    def identity(self) -> Identity: ...
    def settings(self) -> Settings: ...
    def order(self, order: Order) -> Answer: ...
    def record_command(self, write: msgspec.Struct) -> None: ...
