"""What every driver offers, whatever its protocol. The gateway knows no more than this."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from drivers.ups import Command, Identity, Outcome, Settings, Snapshot


class Transport(StrEnum):
    SERIAL = "serial"
    TCP = "tcp"


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often to ask (S4), in seconds. The driver keeps `reconnect_s` and `request_gap_s` by itself.

    `fast_s`, `full_s`: from one `fast` (or `full`) to the next. `reconnect_s`: least time between two tries
    to connect. `request_gap_s`: from the end of one exchange to the next request.
    """

    fast_s: float
    full_s: float
    reconnect_s: float
    request_gap_s: float = 0.0


class LineCounters(msgspec.Struct, kw_only=True):
    """What the line did since the driver was opened; each only grows.

    `discarded`: late, repeated and foreign answers, and bytes nobody asked for. `reopens`: times a lost line
    came back.
    """

    requests: int = 0
    answers: int = 0
    timeouts: int = 0
    bad_crc: int = 0
    discarded: int = 0
    exceptions: int = 0
    reopens: int = 0
    last_answer_at: datetime | None = None
    last_answer_ms: float | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command: `detail` is one sentence for a person."""

    outcome: Outcome
    detail: str


class Driver(Protocol):
    """One unit at the end of one line. Calls are served one after the other.

    Every method may raise an error of drivers.errors: `LineDown` at once while the line is lost and the next
    try is not due, `IdentityChanged` until `accept` or until the pinned unit is back (S3). `pinned` is the
    serial number that must answer; None is pinned at first contact.
    """

    @property
    def url(self) -> str: ...

    @property
    def transport(self) -> Transport: ...

    @property
    def pace(self) -> Pace: ...

    @property
    def counters(self) -> LineCounters: ...

    @property
    def pinned(self) -> str | None: ...

    async def connect(self) -> Identity:
        """Open the line if it is not open, prove word order and identity, and say who answers."""
        ...

    async def fast(self) -> Snapshot:
        """The cheapest reading that shows a transfer; the rest is that of the last full one (`full_at`)."""
        ...

    async def full(self) -> Snapshot:
        """Status and measurements."""
        ...

    async def identify(self) -> Identity:
        """Read the inventory again."""
        ...

    async def settings(self) -> Settings: ...

    async def execute(self, command: Command) -> Report:
        """Send the command once (S1) if it is allowed (S2) and meant for this unit (S3), then look what it
        did.

        Raises only if nothing was written.
        """
        ...

    def accept(self, serial: str) -> None:
        """Pin this serial number from now on (S3)."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Alerting(Protocol):
    """A driver whose unit can ring between two polls. Nothing is read for it: the next `fast` is due at once."""

    async def alerted(self) -> None:
        """Come back once the unit has rung and no reading has followed yet, or the line is lost; never while no
        line is open. Raises nothing.
        """
        ...
