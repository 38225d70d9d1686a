"""What a unit shows of itself, and the history's account of each change in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from drivers.ups import Cause, Flag, State, TestResult
from simulator.flags import flags_of
from simulator.history import Kind, Value

if TYPE_CHECKING:
    from simulator.body import Body


class Shown(msgspec.Struct, frozen=True):
    """What the history follows."""

    state: State
    cause: Cause
    flags: frozenset[Flag]
    self_test: TestResult
    calibration: TestResult
    outlets: tuple[tuple[int, bool], ...]


def show(unit: Body) -> Shown:
    return Shown(
        unit.state,
        unit.cause,
        flags_of(unit),
        unit.self_test.result,
        unit.calibration.result,
        tuple((index, group.on) for index, group in unit.outlets.groups.items()),
    )


def changes(old: Shown, new: Shown) -> Iterator[tuple[Kind, str, Value, Value, Cause | None]]:
    """What is not as it was: kind, name, old and new value, and the cause of a new state."""
    if old == new:
        return
    if old.state is not new.state:
        yield Kind.STATE, "state", old.state, new.state, new.cause
    if old.cause is not new.cause:
        yield Kind.CAUSE, "cause", old.cause, new.cause, None
    for flag in sorted(old.flags ^ new.flags):
        yield Kind.FLAG, flag, flag in old.flags, flag in new.flags, None
    if old.self_test != new.self_test:
        yield Kind.SELF_TEST, "self_test", _plain(old.self_test), _plain(new.self_test), None
    if old.calibration != new.calibration:
        yield Kind.CALIBRATION, "calibration", _plain(old.calibration), _plain(new.calibration), None
    for (index, was), (_, now) in zip(old.outlets, new.outlets, strict=True):
        if was is not now:
            yield Kind.OUTLET, str(index), _switch(was), _switch(now), None


def _plain(result: TestResult) -> Value:
    return {
        "status": result.status.value,
        "source": result.source.value if result.source else None,
        "reasons": list(result.reasons),
    }


def _switch(on: bool) -> str:
    return "on" if on else "off"
