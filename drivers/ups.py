"""The words every room uses for a UPS: who it is, what it says, what it can be told.

Names carry their unit. `None` means "this unit does not report it"; 0 is a reading. The whole vocabulary is
imported from here; its long tables stand in `flags`, `faults`, `events` and `catalogue`.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import msgspec

from drivers.catalogue import CATALOGUE, FROM_THE_CLOUD, NOTHING
from drivers.events import Event, EventType, Severity
from drivers.faults import BEGUN_BY, KEPT_BY
from drivers.flags import Cause, Flag, State

__all__ = [
    "BEGUN_BY",
    "CATALOGUE",
    "FROM_THE_CLOUD",
    "KEPT_BY",
    "NOTHING",
    "READINGS",
    "Calibration",
    "Cause",
    "Command",
    "Event",
    "EventType",
    "Flag",
    "Group",
    "GroupDelays",
    "Identity",
    "Outcome",
    "OutletGroup",
    "Reading",
    "Settings",
    "Severity",
    "Snapshot",
    "State",
    "TestResult",
    "TestSource",
    "TestStatus",
    "Verb",
    "clean_text",
]

TEXT_LIMIT = 64
"""Most characters of a text that a unit says which are kept (safety rule S6)."""


def clean_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """Cut a text from outside to its printable characters, `limit` of them at most (S6)."""
    return "".join(c for c in text if c.isprintable())[:limit].strip()


class TestStatus(StrEnum):
    """Result group of registers 23 and 24 (apc-modbus.md 7.8); NONE where no bit is set."""

    __test__ = False
    NONE = "none"
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    PASSED = "passed"
    FAILED = "failed"
    REFUSED = "refused"
    ABORTED = "aborted"


class TestSource(StrEnum):
    """Who started or aborted a test or calibration (bits 6 to 8 of registers 23 and 24)."""

    __test__ = False
    PROTOCOL = "protocol"
    LOCAL = "local"
    INTERNAL = "internal"


class TestResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The battery test as register 23 tells it; it latches the last result.

    `reasons` are the modifiers: invalid_state, internal_fault_or_overload, charge_not_acceptable,
    load_changed, input_not_acceptable, load_too_low, overcharge; of UPS-Link's `X` also capacity_too_low.
    """

    __test__ = False
    status: TestStatus
    source: TestSource | None = None
    reasons: tuple[str, ...] = ()


class Calibration(TestResult, frozen=True, kw_only=True, omit_defaults=True):
    """The runtime calibration as register 24 tells it."""


class OutletGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One outlet group now. `index` 0 is the main (unswitched) group, 1 to 4 the switched ones.

    Only bits 0 to 4 of OutletStatus_BF are used: two documents disagree on the rest (7.3).
    Countdowns in seconds; None is idle or not reported, 0 is expired.
    """

    index: int
    on: bool | None = None
    rebooting: bool = False
    shutting_down: bool = False
    sleeping: bool = False
    turn_off_s: int | None = None
    turn_on_s: int | None = None
    stay_off_s: int | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything one UPS said at one moment. Groups, units and labels of the numbers: READINGS.

    `at` is when the newest part was read; a fast read renews the state and keeps the rest, read at `full_at`.
    """

    at: datetime
    full_at: datetime | None = None
    state: State | None = None
    cause: Cause | None = None
    flags: frozenset[Flag] = frozenset()
    self_test: TestResult | None = None
    calibration: Calibration | None = None
    # input
    input_v: float | None = None
    input_2_v: float | None = None
    input_3_v: float | None = None
    input_hz: float | None = None
    input_max_v: float | None = None
    input_min_v: float | None = None
    bypass_v: float | None = None
    bypass_hz: float | None = None
    efficiency_pct: float | None = None
    efficiency_reason: str | None = None
    # output
    output_v: float | None = None
    output_2_v: float | None = None
    output_a: float | None = None
    output_2_a: float | None = None
    output_hz: float | None = None
    load_pct: float | None = None
    load_2_pct: float | None = None
    apparent_load_pct: float | None = None
    apparent_load_2_pct: float | None = None
    energy_wh: int | None = None
    # battery
    charge_pct: float | None = None
    runtime_s: int | None = None
    battery_v: float | None = None
    battery_negative_v: float | None = None
    battery_temp_c: float | None = None
    replace_battery_on: date | None = None
    ambient_temp_c: float | None = None
    ambient_humidity_pct: float | None = None
    # network or link
    answer_ms: float | None = None
    # main outlet, switched outlets
    main_outlet: OutletGroup | None = None
    switched_outlets: tuple[OutletGroup, ...] = ()


class Group(StrEnum):
    """The six groups in which SmartConnect shows a unit's data."""

    INPUT = "input"
    OUTPUT = "output"
    BATTERY = "battery"
    LINK = "link"
    MAIN_OUTLET = "main_outlet"
    SWITCHED_OUTLETS = "switched_outlets"


class Reading(msgspec.Struct, frozen=True):
    """One number of a Snapshot: field name, its group, unit, label, digits shown, default deadband.

    The deadband is the change, in the reading's unit, below which nothing is reported.
    """

    name: str
    group: Group
    unit: str
    label: str
    digits: int
    deadband: float


READINGS: tuple[Reading, ...] = (
    Reading("input_v", Group.INPUT, "V", "input voltage", 1, 2.0),
    Reading("input_2_v", Group.INPUT, "V", "input voltage, phase 2", 1, 2.0),
    Reading("input_3_v", Group.INPUT, "V", "input voltage, phase 3", 1, 2.0),
    Reading("input_hz", Group.INPUT, "Hz", "input frequency", 2, 0.2),
    Reading("input_max_v", Group.INPUT, "V", "highest input voltage", 1, 2.0),
    Reading("input_min_v", Group.INPUT, "V", "lowest input voltage", 1, 2.0),
    Reading("bypass_v", Group.INPUT, "V", "bypass voltage", 1, 2.0),
    Reading("bypass_hz", Group.INPUT, "Hz", "bypass frequency", 2, 0.2),
    Reading("efficiency_pct", Group.INPUT, "%", "efficiency", 1, 1.0),
    Reading("output_v", Group.OUTPUT, "V", "output voltage", 1, 2.0),
    Reading("output_2_v", Group.OUTPUT, "V", "output voltage, phase 2", 1, 2.0),
    Reading("output_a", Group.OUTPUT, "A", "output current", 2, 0.25),
    Reading("output_2_a", Group.OUTPUT, "A", "output current, phase 2", 2, 0.25),
    Reading("output_hz", Group.OUTPUT, "Hz", "output frequency", 2, 0.2),
    Reading("load_pct", Group.OUTPUT, "%", "load (real power)", 1, 2.0),
    Reading("load_2_pct", Group.OUTPUT, "%", "load (real power), phase 2", 1, 2.0),
    Reading("apparent_load_pct", Group.OUTPUT, "%", "load (apparent power)", 1, 2.0),
    Reading("apparent_load_2_pct", Group.OUTPUT, "%", "load (apparent power), phase 2", 1, 2.0),
    Reading("energy_wh", Group.OUTPUT, "Wh", "energy delivered", 0, 100.0),
    Reading("charge_pct", Group.BATTERY, "%", "battery charge", 1, 1.0),
    Reading("runtime_s", Group.BATTERY, "s", "runtime remaining", 0, 30.0),
    Reading("battery_v", Group.BATTERY, "V", "battery voltage", 2, 0.25),
    Reading("battery_negative_v", Group.BATTERY, "V", "battery voltage, negative string", 2, 0.25),
    Reading("battery_temp_c", Group.BATTERY, "°C", "battery temperature", 1, 1.0),
    Reading("ambient_temp_c", Group.BATTERY, "°C", "ambient temperature", 1, 1.0),
    Reading("ambient_humidity_pct", Group.BATTERY, "%", "ambient humidity", 1, 2.0),
    Reading("answer_ms", Group.LINK, "ms", "answer time", 0, 250.0),
)


class Identity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who a unit is and what does not change from poll to poll (inventory registers 512 to 645).

    `serial` is what commands and the gateway's pin name (S3). `outlet_groups`: (index, name) of each it has.
    `reported_flags`: those its protocol can report; one that is neither there nor set is unknown.
    """

    serial: str | None = None
    model: str | None = None
    sku: str | None = None
    firmware: str | None = None
    product_id: int | None = None
    name: str | None = None
    manufactured_on: date | None = None
    battery_sku: str | None = None
    external_battery_sku: str | None = None
    battery_installed_on: date | None = None
    battery_nominal_v: float | None = None
    battery_packs: int | None = None
    bad_battery_packs: int | None = None
    apparent_power_va: int | None = None
    real_power_w: int | None = None
    nominal_output_v: int | None = None
    outlet_groups: tuple[tuple[int, str], ...] = ()
    reported_flags: frozenset[Flag] = frozenset()


class GroupDelays(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Delay settings of one outlet group in seconds (registers 1029 to 1048)."""

    index: int
    turn_off_s: int | None = None
    turn_on_s: int | None = None
    stay_off_s: int | None = None
    minimum_return_runtime_s: int | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the owner has set in the unit (registers 593, 1024 to 1073).

    `battery_test_interval`: never, start_up, and start_up with _7d, _14d, _7d_since_last or _14d_since_last.
    `sensitivity`: normal, reduced, low, auto. `alarm_delay`: 5s, 30s, low_battery, never.
    """

    transfer_high_v: int | None = None
    transfer_low_v: int | None = None
    sensitivity: str | None = None
    battery_test_interval: str | None = None
    output_frequency: str | None = None
    output_v: int | None = None
    low_battery_runtime_s: int | None = None
    minimum_return_charge_pct: int | None = None
    alarm_delay: str | None = None
    delays: tuple[GroupDelays, ...] = ()


class Verb(StrEnum):
    """What a unit can be told. Classes (quiet, to battery, cuts output): safety rule S7."""

    BEEP = "beep"
    MUTE = "mute"
    UNMUTE = "unmute"
    SELF_TEST = "self_test"
    SELF_TEST_ABORT = "self_test_abort"
    SIMULATE_POWER_FAILURE = "simulate_power_failure"
    CALIBRATION = "calibration"
    CALIBRATION_ABORT = "calibration_abort"
    OUTLET_ON = "outlet_on"
    OUTLET_OFF = "outlet_off"
    OUTLET_REBOOT = "outlet_reboot"
    OUTLET_SHUTDOWN = "outlet_shutdown"
    OUTLET_CANCEL = "outlet_cancel"
    SHUTDOWN = "shutdown"
    BYPASS_ON = "bypass_on"
    BYPASS_OFF = "bypass_off"
    CLEAR_FAULTS = "clear_faults"
    SET_NAME = "set_name"
    SET_GROUP_NAME = "set_group_name"
    SET_BATTERY_DATE = "set_battery_date"
    SET_TRANSFER_HIGH = "set_transfer_high"
    SET_TRANSFER_LOW = "set_transfer_low"
    SET_SENSITIVITY = "set_sensitivity"
    SET_TURN_OFF_DELAY = "set_turn_off_delay"
    SET_TURN_ON_DELAY = "set_turn_on_delay"
    SET_STAY_OFF_DELAY = "set_stay_off_delay"
    SET_MINIMUM_RETURN_RUNTIME = "set_minimum_return_runtime"
    SET_OUTPUT_VOLTAGE = "set_output_voltage"
    SET_LOW_BATTERY_RUNTIME = "set_low_battery_runtime"
    SET_MINIMUM_RETURN_CHARGE = "set_minimum_return_charge"
    SET_ALARM_DELAY = "set_alarm_delay"
    SET_BATTERY_TEST_INTERVAL = "set_battery_test_interval"


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order to one unit, named by its serial number (S3).

    `groups`: outlet group indices for outlet verbs and per-group settings (0 is the main group).
    `use_off_delay`, `use_on_delay`, `cold_boot`: modifiers of outlet verbs (AN177 2.3).
    `value`: the new value of a setting: text, whole volts or seconds, or a date.
    """

    verb: Verb
    serial: str
    groups: tuple[int, ...] = ()
    use_off_delay: bool = False
    use_on_delay: bool = False
    cold_boot: bool = False
    value: str | int | date | None = None


class Outcome(StrEnum):
    """What became of a command (S1, S2).

    `UNKNOWN`: no answer, and the status read afterwards did not decide it. `NOT_TAKEN`: reads as before.
    """

    DONE = "done"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    NOT_TAKEN = "not_taken"
    UNKNOWN = "unknown"
