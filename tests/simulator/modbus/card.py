"""The unit behind a network card of apc-modbus.md 13.2: three switched groups, no main one, 120 V."""

from __future__ import annotations

from datetime import UTC, date, datetime

from drivers.ups import (
    Calibration,
    Cause,
    Flag,
    Identity,
    OutletGroup,
    Settings,
    Snapshot,
    State,
    TestResult,
    TestSource,
    TestStatus,
)
from simulator.modbus.values import Truth

TRUTH = Truth(
    Snapshot(
        at=datetime(2026, 11, 24, tzinfo=UTC),
        state=State.ONLINE,
        cause=Cause.ACCEPTABLE_INPUT,
        flags=frozenset({Flag.HIGH_EFFICIENCY, Flag.BATTERY_LIFE_OK, Flag.INPUT_ACCEPTABLE}),
        self_test=TestResult(status=TestStatus.PASSED, source=TestSource.PROTOCOL),
        calibration=Calibration(status=TestStatus.FAILED, source=TestSource.PROTOCOL),
        input_v=122.09,
        efficiency_pct=91.25,
        output_v=122.09,
        output_a=1.41,
        output_hz=60.02,
        load_pct=14.29,
        apparent_load_pct=12.21,
        energy_wh=3305311,
        charge_pct=100.0,
        runtime_s=17148,
        battery_v=54.38,
        battery_temp_c=30.75,
        replace_battery_on=date(2028, 1, 28),
        switched_outlets=tuple(OutletGroup(index=index, on=True) for index in (1, 2, 3)),
    ),
    Identity(outlet_groups=((1, "One"), (2, "Two"), (3, "Three"))),
    Settings(),
)

STATUS_WORDS = (
    *(0x0000, 0x2002, 0x0008, 0x0000, 0x0000, 0x0000),
    *(0x0000, 0x0001, 0x0000, 0x0000, 0x0001, 0x0000, 0x0000, 0x0001, 0x0000),
    *[0] * 8,
    *(0x0044, 0x0048, 0x0001, 0x0000),
)
DYNAMIC_WORDS = (
    *(0x0000, 0x42FC, 0xC800, 0x06CC, 0x0000, 0x280E),
    *(0x0001, 0x0F60, 0x0E4A, 0x0000, 0x0C36, 0x0000, 0x002D, 0x0000, 0x1E86, 0x0000, 0x1E03),
    *(0x0032, 0x6F5F, 0x0000, 0x0000, 0x0000, 0x0001, 0x1E86),
)
UNDEFINED = 134
"""Read 1 in this trace, for no known reason (6.2)."""
