"""How one simulated Modbus port behaves on its wire; changed while it runs by `sim ctl wire`."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, get_type_hints

import msgspec


class Personality(StrEnum):
    """Whose Modbus server answers: the UPS itself (AN176) or a management card (apc-modbus.md 5.3)."""

    UPS = "ups"
    NMC = "nmc"


class WireSettingError(ValueError):
    """A wire setting that does not exist or cannot have that value; the text names both."""

    def __init__(self, name: str, value: str, reason: str) -> None:
        super().__init__(f"wire setting {name!r} cannot be {value!r}: {reason}")
        self.name, self.value, self.reason = name, value, reason


ExceptionCode = Annotated[int, msgspec.Meta(ge=1, le=0x0B)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=60_000)]

_WORDS = {"on": "true", "off": "false", "yes": "true", "no": "false"}


class WireSettings(msgspec.Struct, kw_only=True):
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

    def values(self) -> dict[str, str | int | float | bool]:
        """Every setting by its name, as plain values."""
        return {name: getattr(self, name) for name in _TYPES}

    def change(self, name: str, text: str) -> None:
        """Set one setting from text ("answer-ms", "500"; yes-or-no as on and off) and tell the watchers.

        WireSettingError says what is wrong; nothing has changed then.
        """
        field = name.replace("-", "_")
        if field not in _TYPES:
            raise WireSettingError(name, text, "there is no such setting; there are " + ", ".join(_TYPES))
        plain = _WORDS.get(text.lower(), text)
        try:
            value = msgspec.convert(plain, _TYPES[field], strict=False)
        except msgspec.ValidationError as error:
            raise WireSettingError(name, text, str(error)) from error
        setattr(self, field, value)
        for tell in self.watchers:
            tell()


_TYPES = {name: kind for name, kind in get_type_hints(WireSettings, include_extras=True).items() if name != "watchers"}
