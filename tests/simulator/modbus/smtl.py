"""The SMTL1500RM3UC of apc-modbus.md 13.4, as values and as its words, and an engine holding it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import msgspec

from drivers.ups import (
    Cause,
    Flag,
    GroupDelays,
    Identity,
    OutletGroup,
    Settings,
    Snapshot,
    State,
)
from simulator.modbus.engine import Write
from simulator.modbus.values import Truth
from simulator.orders import Answer, Order

SNAPSHOT = Snapshot(
    at=datetime(2026, 11, 24, tzinfo=UTC),
    state=State.ONLINE,
    cause=Cause.ACCEPTABLE_INPUT,
    flags=frozenset({Flag.HIGH_EFFICIENCY, Flag.BATTERY_LIFE_OK, Flag.INPUT_ACCEPTABLE}),
    input_v=116.40625,
    efficiency_pct=98.2109375,
    output_v=116.40625,
    output_a=9.5,
    output_hz=60.0,
    load_pct=79.046875,
    apparent_load_pct=76.96875,
    energy_wh=128 << 16,
    charge_pct=100.0,
    runtime_s=376,
    battery_v=26.71875,
    battery_temp_c=22.234375,
    replace_battery_on=date(2029, 10, 28),
    main_outlet=OutletGroup(index=0, on=True),
    switched_outlets=(OutletGroup(index=1, on=True),),
)
IDENTITY = Identity(
    serial="AS0000000000",
    model="Smart-UPS 1500",
    sku="SMTL1500RM3UC",
    firmware="UPS 15.5",
    product_id=1026,
    name="APC UPS",
    manufactured_on=date(2018, 7, 29),
    battery_sku="APCRBC164-LI",
    battery_installed_on=date(2018, 10, 17),
    apparent_power_va=1440,
    real_power_w=1350,
    nominal_output_v=120,
    outlet_groups=((0, "Unswitched Group"), (1, "Outlet Group 1")),
)
SETTINGS = Settings(
    transfer_high_v=127,
    transfer_low_v=106,
    sensitivity="normal",
    battery_test_interval="start_up_7d_since_last",
    delays=(
        GroupDelays(index=0, turn_off_s=0, turn_on_s=0, stay_off_s=8, minimum_return_runtime_s=0),
        GroupDelays(index=1, turn_off_s=90, turn_on_s=0, stay_off_s=8, minimum_return_runtime_s=0),
    ),
)
TRUTH = Truth(SNAPSHOT, IDENTITY, SETTINGS)

STATUS_WORDS = (0, 8194, 8, 0, 1, 0, 0, 1, *[0] * 17, 1, 0)
DYNAMIC_WORDS = (
    *(0, 376, 51200, 855, 65535, 10893, 65535, 2846, 20236, 65535, 19704, 65535, 304, 65535, 7450, 65535),
    *(7680, 128, 0, 0, 65535, 65535, 1, 7450, 65535, 65535, 12571),
    *[65535] * 17,
)
DELAY_WORDS = (127, 106, 1, 0, 0, 0, 8, 0, 90, 0, 0, 8, 0, *[65535] * 9)


class HeldUnit:
    """A whole engine in memory whose unit stands still but for transfer points; it keeps what it was told.

    `answers` decides what an order gets; without it everything is taken.
    """

    def __init__(self, truth: Truth = TRUTH, answers: Callable[[Order], Answer] | None = None) -> None:
        self.truth = truth
        self.answers = answers
        self.orders: list[Order] = []
        self.writes: list[Write] = []

    def snapshot(self) -> Snapshot:
        return self.truth.snapshot

    def identity(self) -> Identity:
        return self.truth.identity

    def settings(self) -> Settings:
        return self.truth.settings

    def order(self, order: Order) -> Answer:
        answer = Answer.TAKEN if self.answers is None else self.answers(order)
        if answer is Answer.TAKEN:
            self.orders.append(order)
            if order.task in TRANSFER_FIELDS:
                changed = {TRANSFER_FIELDS[order.task]: order.value}
                settings = msgspec.structs.replace(self.truth.settings, **changed)
                self.truth = msgspec.structs.replace(self.truth, settings=settings)
        return answer

    def record_command(self, write: Write) -> None:
        self.writes.append(write)


TRANSFER_FIELDS = {"set_transfer_high": "transfer_high_v", "set_transfer_low": "transfer_low_v"}
