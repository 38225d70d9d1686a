"""What a Modbus server needs of the unit behind it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from drivers.ups import Identity, Settings, Snapshot
from simulator.orders import Answer, Order


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One write that a wire took in, whatever became of it: the record against which S1 is tested.

    `exception` is the Modbus exception code it got, None if it was carried out; `answered` is False if the
    reply was swallowed.
    """

    function: int
    address: int
    words: tuple[int, ...]
    order: Order | None
    exception: int | None
    answered: bool


class Engine(Protocol):
    """The running unit; every call gives the truth of that instant."""

    def snapshot(self) -> Snapshot: ...
    def identity(self) -> Identity: ...
    def settings(self) -> Settings: ...
    def order(self, order: Order) -> Answer: ...
    def record_command(self, write: Write) -> None: ...
