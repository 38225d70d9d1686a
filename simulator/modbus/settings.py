"""How one simulated Modbus port behaves on its wire; changed while it runs by `sim ctl wire`."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import msgspec

from simulator.wire_faults import WireFaults
from simulator.wire_settings import Milliseconds, Settable


class Personality(StrEnum):
    """Whose Modbus server answers: the UPS itself (AN176) or a management card (apc-modbus.md 5.3)."""

    UPS = "ups"
    NMC = "nmc"


ExceptionCode = Annotated[int, msgspec.Meta(ge=1, le=0x0B)]


class WireSettings(Settable, kw_only=True):
    """Settings of one listener. Times are real time: a wire does not run faster when the physics do.

    `unit_id`: requests to any other are not answered, nor is a broadcast (AN176 4.3).
    `answer_ms`: from the end of a request to the start of its reply; 500 is usual on a SmartConnect port.
    `swallow`: that many requests to come are carried out but not answered; `swallow_writes`: only writes.
    `read_only`: writes are refused with `read_only_code` (which code a real unit sends is unknown, 17.4).
    `bad_value_code`: exception for a value out of range; 4 on SMT 04.1 and SRT 16.5, 3 on others (5.2); 0 is
    AN176 3.3: no exception, the old value stays and FC 06 is answered with it.
    `settle_ms`: a setting that was written reads as before for so long (5.2).
    `swap_1538`: the outlet command is understood only with its two words exchanged (8.4).
    `reset_on_fast_writes`: settings written under 200 ms apart upset the control processor (5.2).
    TCP: `max_sessions` at once, 1 on a SmartConnect port; further clients are refused, as is everyone for
    `refuse_s` after a session closed (9.1), and while `refuse` (the menu's "TCP Protocols: Disable").
    RTU: `baud` paces the pty as a line of 8N1 would, 0 is as fast as can be. `require_gap_ms`: a request that
    starts sooner after the last reply is not understood; AN176 4.2.2 says 35, but NUT keeps no gap before its
    writes and is obeyed (10), hence 0.
    `faults`: what goes wrong with the replies by order; no setting.
    """

    personality: Personality = Personality.UPS
    unit_id: Annotated[int, msgspec.Meta(ge=1, le=247)] = 1
    answer_ms: Milliseconds = 0
    swallow: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    swallow_writes: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    read_only: bool = False
    read_only_code: ExceptionCode = 1
    bad_value_code: Annotated[int, msgspec.Meta(ge=0, le=0x0B)] = 4
    settle_ms: Milliseconds = 100
    swap_1538: bool = False
    reset_on_fast_writes: bool = False
    max_sessions: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    refuse_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0.0
    refuse: bool = False
    baud: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 9600
    require_gap_ms: Milliseconds = 0
    watchers: list[Callable[[], None]] = []
    faults: WireFaults = msgspec.field(default_factory=WireFaults)

    def change(self, name: str, text: str) -> None:
        """Set one setting from text, and tell the watchers."""
        super().change(name, text)
        for tell in self.watchers:
            tell()
