"""An outage as the gateway's black box saw it: one record of the events lane (Kind.OUTAGE)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.wire import limits
from gateway.wire.messages import Instant, Message, ShortText

Point = tuple[int, float | None, float | None, float | None, float | None, bool]
"""Milliseconds since `began_at` (negative before), input_v, output_v, load_pct, charge_pct, on battery."""


class OutageBody(Message, frozen=True, kw_only=True, omit_defaults=True):
    """From the transfer to battery to the return; the trace from 60 s before to 60 s after.

    None is what the unit does not report. `lowest_input_v` is the lowest seen at this poll rate, no more (S21).
    `expected_runtime_s`: what the unit promised at the transfer; `delivered_s`: time on battery. `energy_wh`: drawn on
    battery, from the unit's own counter, else an `energy_estimated` from load and rating. `ended`: how: `restored`,
    `output_off`, `silent` (the unit or the gateway fell silent). `resumed`: the gateway was restarted in between.
    """

    id: ShortText
    began_at: Instant
    ended_at: Instant
    ended: ShortText
    cause: ShortText = ""
    test: bool = False
    delivered_s: float
    expected_runtime_s: float | None = None
    lowest_input_v: float | None = None
    lowest_charge_pct: float | None = None
    lowest_battery_v: float | None = None
    lowest_runtime_s: float | None = None
    highest_load_pct: float | None = None
    energy_wh: float | None = None
    energy_estimated: bool = False
    resumed: bool = False
    readings: int = 0
    trace: Annotated[list[Point], msgspec.Meta(max_length=limits.TRACE_POINTS)] = []
