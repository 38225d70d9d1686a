"""NUT's variables to a Snapshot. Nothing that upsd can say makes these fail: what can't be read is None."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from drivers import dialects
from drivers.nut import outlets, words
from drivers.ups import Calibration, Cause, Flag, Snapshot, State, TestStatus

Variables = Mapping[str, str]
"""What LIST VAR tells, name to value."""


def tokens(variables: Variables) -> frozenset[str]:
    return frozenset(variables.get("ups.status", "").upper().split())


def not_live(variables: Variables) -> str | None:
    """Why these are no data yet; None if they are."""
    return "its driver has not read the unit yet (WAIT)" if words.WAITING in tokens(variables) else None


def state(variables: Variables) -> State | None:
    """OL and OB speak of the input, so OFF and BYPASS go before them; both at once say nothing."""
    status = tokens(variables)
    if words.OFF in status:
        return State.OFF
    if words.BYPASS in status:
        return State.BYPASS
    if (words.ON_LINE in status) == (words.ON_BATTERY in status):
        return None
    return State.ONLINE if words.ON_LINE in status else State.ON_BATTERY


def flags(variables: Variables) -> frozenset[Flag]:
    return frozenset(_flags(variables))


def _flags(variables: Variables) -> Iterator[Flag]:
    status = tokens(variables)
    yield from (flag for word, flag in words.STATUS_FLAGS.items() if word in status)
    if words.ALARM in status:
        alarm = variables.get("ups.alarm", "").lower()
        yield from (flag for part, flag in words.ALARM_FLAGS.items() if part in alarm)
    modes = (variables.get(name, "") for name in ("ups.mode.buzzwords", "experimental.ups.mode.buzzwords"))
    if any(words.HIGH_EFFICIENCY_WORD in mode.lower() for mode in modes):
        yield Flag.HIGH_EFFICIENCY
    if dialects.squashed(variables.get("ups.beeper.status")) == "muted":
        yield Flag.ALARM_MUTED
    if state(variables) is State.ON_BATTERY:
        yield from _on_battery_flags(status, variables)


def _on_battery_flags(status: frozenset[str], variables: Variables) -> Iterator[Flag]:
    """LB on mains is a battery that charges; on battery it is the low-battery signal of register 18 (S18).

    An input voltage outside the unit's own limits is a power failure, test or not (S19).
    """
    if words.LOW_BATTERY in status:
        yield Flag.SHUTDOWN_IMMINENT
    if _beyond(variables) is not None:
        yield Flag.POWER_FAILURE


def _beyond(variables: Variables) -> Cause | None:
    """Whether the input voltage is under or over the transfer points; None if neither, or not known."""
    found = {
        **dialects.numbers(words.READING_ROWS[:1], variables),
        **dialects.numbers(words.SETTING_ROWS[:2], variables),
    }
    return dialects.beyond(found["input_v"], found["transfer_low_v"], found["transfer_high_v"])


def cause(variables: Variables) -> Cause | None:
    """`input.transfer.reason`: of apc_modbus the last change, of others the last transfer to battery."""
    reason = variables.get("input.transfer.reason")
    if dialects.squashed(reason) == "inputvoltageoutofrange":  # usbhid-ups: there only while it is so
        return _beyond(variables)
    found = dialects.cause(reason)
    doubtful = variables.get("driver.name") not in words.FRESH_REASON and "TEST" not in tokens(variables)
    if found is Cause.AUTOMATIC_TEST and doubtful and state(variables) is State.ON_BATTERY:
        test = dialects.self_test(variables.get("ups.test.result"))
        return found if test is not None and test.status is TestStatus.IN_PROGRESS else None
    return found


def calibration(variables: Variables) -> Calibration | None:
    if words.CALIBRATING in tokens(variables):
        return Calibration(status=TestStatus.IN_PROGRESS)
    told = dialects.self_test(variables.get("experimental.ups.calibration.result"))
    if told is not None:
        return Calibration(status=told.status, source=told.source, reasons=told.reasons)
    says_so = variables.get("driver.name") in words.CALIBRATORS and "ups.status" in variables
    return Calibration(status=TestStatus.NONE) if says_so else None


def runtime_s(variables: Variables) -> int | None:
    found = dialects.whole(variables.get("battery.runtime"), 0, 10**7)
    return None if found == words.HOURS_18_S + 1 else found


def _apparent_load_pct(told: float | None, variables: Variables) -> float | None:
    """Apparent power in per cent of its rating, where a driver tells both in VA only."""
    power = dialects.number(variables.get("ups.power"), 0, 1e7)
    rating = dialects.number(variables.get("ups.power.nominal"), 1, 1e7)
    return 100 * power / rating if told is None and power is not None and rating is not None else told


def snapshot(variables: Variables, *, at: datetime, full_at: datetime | None, answer_ms: float | None) -> Snapshot:
    """Everything that the variables say about now."""
    found = dialects.numbers(words.READING_ROWS, variables)
    found["apparent_load_pct"] = _apparent_load_pct(found["apparent_load_pct"], variables)
    now = state(variables)
    groups = outlets.groups(variables, output_on=None if now is None else now is not State.OFF)
    return Snapshot(
        at=at,
        full_at=full_at,
        state=now,
        cause=cause(variables),
        flags=flags(variables),
        self_test=dialects.self_test(variables.get("ups.test.result")),
        calibration=calibration(variables),
        efficiency_reason=words.EFFICIENCIES.get(dialects.squashed(variables.get("ups.efficiency"))),
        runtime_s=runtime_s(variables),
        replace_battery_on=dialects.day(variables.get("battery.date.maintenance")),
        answer_ms=answer_ms,
        main_outlet=next((group for group in groups if group.index == 0), None),
        switched_outlets=tuple(group for group in groups if group.index > 0),
        **found,  # type: ignore[arg-type]  # named by READING_ROWS
    )
