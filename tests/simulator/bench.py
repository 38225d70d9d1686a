"""A unit on a bench, and words for what tests do to it and see of it."""

from __future__ import annotations

from drivers.smartups.bits import FLAG_BITS, STATES, TEST_REASON_BITS, TEST_SOURCE_BITS, TEST_STATUS_BITS
from drivers.ups import Flag, Snapshot, State, TestResult
from simulator.body import EPOCH
from simulator.history import Change, Kind
from simulator.mains import Mains
from simulator.models import find_model
from simulator.orders import Answer, Order, Task
from simulator.unit import Unit


def unit_of(model: str = "SMT1500RM2UC", *, load_pct: float = 50.0, charge_pct: float = 100.0) -> Unit:
    return Unit(find_model(model), load_pct=load_pct, charge_pct=charge_pct)


def mains(unit: Unit, volts: float | None = None, *, hertz: float | None = None, distortion_pct: float = 0.0) -> None:
    """Set the input; what is not named is normal."""
    normal = unit.model.normal_mains()
    unit.set_mains(
        Mains(
            voltage_v=normal.voltage_v if volts is None else volts,
            frequency_hz=normal.frequency_hz if hertz is None else hertz,
            distortion_pct=distortion_pct,
        )
    )


def wait(unit: Unit, seconds: float) -> Snapshot:
    unit.advance(unit.now_s + seconds)
    return look(unit)


def look(unit: Unit) -> Snapshot:
    return unit.snapshot(EPOCH)


def tell(unit: Unit, task: Task, *groups: int, value: str | int | None = None, **modifiers: bool) -> Answer:
    return unit.order(Order(task=task, groups=groups, value=value, **modifiers))


def status_word(snapshot: Snapshot) -> int:
    """UPSStatus_BF, registers 0 and 1, as the unit would show it (apc-modbus.md 7.1)."""
    state_bit = next(bit for bit, state in STATES.items() if state is snapshot.state)
    return 1 << state_bit | bits("ups_status", snapshot.flags)


def bits(register: str, flags: frozenset[Flag]) -> int:
    return sum(1 << bit for bit, flag in FLAG_BITS[register].items() if flag in flags)


def result_word(result: TestResult | None) -> int:
    """Register 23 or 24 (apc-modbus.md 7.8)."""
    assert result is not None
    word = sum(1 << bit for bit, status in TEST_STATUS_BITS.items() if status is result.status)
    word |= sum(1 << bit for bit, source in TEST_SOURCE_BITS.items() if source is result.source)
    return word | sum(1 << bit for bit, reason in TEST_REASON_BITS.items() if reason in result.reasons)


def states(unit: Unit) -> list[tuple[float, str, str | None]]:
    """Every change of state: simulated second, new state, cause."""
    return [(second(c), str(c.new), c.cause) for c in unit.history.since() if c.kind is Kind.STATE]


def second(change: Change) -> float:
    return round((change.at - EPOCH).total_seconds(), 4)


def is_on(unit: Unit, index: int) -> bool:
    return unit.outlets.groups[index].on


ONLINE, ON_BATTERY, OFF, BYPASS = State.ONLINE, State.ON_BATTERY, State.OFF, State.BYPASS
