"""How one simulated UPS-Link line behaves; changed while it runs by `sim ctl wire`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from simulator.wire_faults import UPSLINK_FAULTS, WireFaults
from simulator.wire_settings import Milliseconds, Settable


class UpsLinkSettings(Settable, kw_only=True):
    """Settings of one line. Times are real time; sources: ups-link.md sections 4.3, 4.4 and 18.

    `answer_ms`: from the end of a character to the start of the answer. `character_ms`: from one character of an
    answer to the next; never less than the line needs. `baud`: speed of the line; 0 is as fast as can be, with
    each answer in one piece.
    `swallow`: that many answers to come are lost; what was asked for is done. `swallow_commands`: only answers to
    what is no question.
    `alerts`: whether alert characters are sent.
    `double_min_ms`, `double_max_ms`: when the second K, Z or ^N counts. `typing_max_ms`: how long an `@` or a text
    waits for its next character.
    """

    answer_ms: Milliseconds = 40
    character_ms: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 7.0
    baud: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 2400
    swallow: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    swallow_commands: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    alerts: bool = True
    double_min_ms: Milliseconds = 1400
    double_max_ms: Milliseconds = 6000
    typing_max_ms: Milliseconds = 10_000
    faults: WireFaults = msgspec.field(default_factory=lambda: WireFaults(UPSLINK_FAULTS))
