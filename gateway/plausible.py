"""Whether a reading can be believed, or has to be confirmed by a second one first.

Modbus TCP has no check sum and UPS-Link none either: a damaged byte can pass for a reading. So whatever would become
an event, a change of state, or a jump is doubted until another reading shows it too. A transfer is believed at once
if the parts of the reading agree about it, so that no outage is told later for this. What is confirmed is never
dropped, however odd: a real event is still there in the second reading, or in the next poll.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from drivers.ups import Cause, Event, Flag, Snapshot, State
from gateway.unit_state import UnitState

RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        **dict.fromkeys(("input_v", "input_2_v", "input_3_v", "input_max_v", "input_min_v", "bypass_v"), (0, 1000)),
        **dict.fromkeys(("output_v", "output_2_v", "battery_v"), (0, 1000)),
        "battery_negative_v": (-1000, 1000),
        **dict.fromkeys(("output_a", "output_2_a"), (0, 2000)),
        **dict.fromkeys(("input_hz", "bypass_hz", "output_hz"), (0, 100)),
        **dict.fromkeys(("load_pct", "load_2_pct", "apparent_load_pct", "apparent_load_2_pct"), (0, 400)),
        "efficiency_pct": (0, 110),
        "energy_wh": (0, float(1 << 32)),
        "charge_pct": (0, 101),
        "runtime_s": (0, 60 * 86_400),
        **dict.fromkeys(("battery_temp_c", "ambient_temp_c"), (-50, 150)),
        "ambient_humidity_pct": (0, 101),
    }
)
"""What any Smart-UPS can read: wide, since a reading outside counts as none. A runtime with its words exchanged is
at least 18 h for each second of it."""

INPUT_CAUSES = frozenset(
    {
        Cause.HIGH_INPUT_VOLTAGE,
        Cause.LOW_INPUT_VOLTAGE,
        Cause.DISTORTED_INPUT,
        Cause.RAPID_INPUT_VOLTAGE_CHANGE,
        Cause.HIGH_INPUT_FREQUENCY,
        Cause.LOW_INPUT_FREQUENCY,
        Cause.FREQUENCY_OR_PHASE_DIFFERENCE,
    }
)
"""Why a unit leaves its mains (apc-modbus.md 7.2)."""
RETURN_CAUSES = frozenset({Cause.ACCEPTABLE_INPUT, Cause.AUTOMATIC_RESTART})
_OF_A_TRANSFER = frozenset({"on_battery", "mains_restored", "state", "cause"})
_NOT_READ = frozenset({"communication_restored"})
"""Events that no reading has to show: that one came at all is enough."""

STEADY_LOAD_PCT = 5.0
"""A smaller change of load does not explain another runtime."""


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """What one reading alone does not prove: events, changes of state, readings that jumped. Empty is believed."""

    snapshot: Snapshot
    changes: frozenset[str] = frozenset()
    jumps: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.changes or self.jumps)

    def __str__(self) -> str:
        return ", ".join(sorted(self.changes | self.jumps))


def within_range(snapshot: Snapshot) -> Snapshot:
    """The same without readings that no unit can have."""
    wrong = [name for name, (low, high) in RANGES.items() if not _inside(getattr(snapshot, name), low, high)]
    return msgspec.structs.replace(snapshot, **dict.fromkeys(wrong)) if wrong else snapshot


def _inside(value: float | None, low: float, high: float) -> bool:
    return value is None or low <= value <= high


def weigh(state: UnitState, last: Snapshot | None, snapshot: Snapshot, events: Iterable[Event]) -> Doubt:
    """What is doubtful about `snapshot`, if it led to these events from `state`. `last`: the last that was believed
    since the start; without one all that the snapshot says is new.
    """
    changes = frozenset(event.type for event in events) | _changed(last, snapshot)
    if transfer(state, last, snapshot) is not None:
        changes = frozenset(change for change in changes if change.partition("=")[0] not in _OF_A_TRANSFER)
    changes -= _NOT_READ
    return Doubt(snapshot=snapshot, changes=changes, jumps=frozenset() if last is None else jumps(last, snapshot))


def settled(doubt: Doubt, earlier: Doubt | None) -> bool:
    """Whether the reading is to be taken: nothing about it is doubtful that an earlier one, which was not taken, does
    not show too.
    """
    if not doubt or earlier is None:
        return not doubt
    return doubt.changes <= earlier.changes and not (doubt.jumps & jumps(earlier.snapshot, doubt.snapshot))


def confirms(doubt: Doubt, earlier: Doubt) -> bool:
    """Whether the later reading bears out all that was doubted in the earlier one."""
    return earlier.changes <= doubt.changes and not (earlier.jumps & jumps(earlier.snapshot, doubt.snapshot))


def transfer(
    state: UnitState, last: Snapshot | None, snapshot: Snapshot, earlier: Snapshot | None = None
) -> Snapshot | None:
    """The last reading with nothing new but a transfer, if this one shows one whose parts agree, or one that an
    earlier, not taken, showed too; else None.

    It is as true as a whole reading, and can be told before the rest of `snapshot` has been confirmed.
    """
    if snapshot.state is None:
        return None
    shown_twice = earlier is not None and earlier.state is snapshot.state is not state.power
    if not shown_twice and not _transfer_agrees(state, snapshot):
        return None
    last = last or Snapshot(at=snapshot.at)
    flags = (last.flags - {Flag.INPUT_NOT_ACCEPTABLE}) | (snapshot.flags & {Flag.INPUT_NOT_ACCEPTABLE})
    return msgspec.structs.replace(last, at=snapshot.at, state=snapshot.state, cause=snapshot.cause, flags=flags)


def _transfer_agrees(state: UnitState, snapshot: Snapshot) -> bool:
    """State, cause and what is said of the input, each of which the unit says by itself, tell one story."""
    refused = Flag.INPUT_NOT_ACCEPTABLE in snapshot.flags
    if snapshot.state is State.ON_BATTERY and state.power in (None, State.ONLINE, State.BYPASS):
        return refused and snapshot.cause in INPUT_CAUSES
    if snapshot.state is State.ONLINE and state.power is State.ON_BATTERY:
        return not refused and snapshot.cause in RETURN_CAUSES and snapshot.cause is not state.cause
    return False


def _changed(last: Snapshot | None, snapshot: Snapshot) -> frozenset[str]:
    """Each change of what detection remembers, with what it changed to."""
    before, after = {} if last is None else _facts(last), _facts(snapshot)
    return frozenset(f"{name}={value}" for name, value in after.items() if before.get(name) != value)


def _facts(snapshot: Snapshot) -> dict[str, str]:
    groups = (snapshot.main_outlet, *snapshot.switched_outlets)
    test, calibration = snapshot.self_test, snapshot.calibration
    facts = {
        "state": snapshot.state,
        "cause": snapshot.cause,
        "self_test": None if test is None else test.status,
        "calibration": None if calibration is None else calibration.status,
        **{f"outlet_{group.index}_on": group.on for group in groups if group is not None},
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def jumps(last: Snapshot, snapshot: Snapshot) -> frozenset[str]:
    """Readings that went further than they can in the time between the two."""
    passed_s = abs((_read_at(snapshot) - _read_at(last)).total_seconds())
    found = {name for name, (step, rate) in _PACES.items() if _moved(name, last, snapshot) > step + rate * passed_s}
    if _moved("energy_wh", last, snapshot, signed=True) < 0:
        found.add("energy_wh")
    if last.state is snapshot.state and _runtime_jumped(last, snapshot):
        found.add("runtime_s")
    return frozenset(found)


def _read_at(snapshot: Snapshot) -> datetime:
    return snapshot.full_at or snapshot.at


_PACES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "charge_pct": (3.0, 0.5),
        "energy_wh": (200.0, 10.0),
        "battery_temp_c": (3.0, 0.1),
        "ambient_temp_c": (5.0, 0.1),
        "output_hz": (10.0, 0.0),
    }
)
"""A step that needs no time, and how much more each second explains: a charge lasts minutes at least, 36 kW is more
than any Smart-UPS delivers, a battery is a heavy thing to warm."""


def _moved(name: str, last: Snapshot, snapshot: Snapshot, *, signed: bool = False) -> float:
    before, after = getattr(last, name), getattr(snapshot, name)
    if before is None or after is None:
        return 0.0
    return float(after - before) if signed else abs(float(after - before))


def _runtime_jumped(last: Snapshot, snapshot: Snapshot) -> bool:
    before, after = last.runtime_s, snapshot.runtime_s
    if before is None or after is None or _moved("load_pct", last, snapshot) >= STEADY_LOAD_PCT:
        return False
    return abs(after - before) > 300 and not before / 3 <= after <= before * 3
