"""Self-test and runtime calibration: when they are refused, what stays latched (apc-modbus.md 7.8)."""

from __future__ import annotations

import msgspec

from drivers.ups import TestResult, TestSource, TestStatus

PENDING_S = 0.5
"""A test is pending for a moment before it takes the load to battery."""
TEST_MIN_CHARGE = 0.7
"""Our inference: AN176 names the reason (charge not acceptable) and no figure."""
CALIBRATION_MIN_CHARGE = 1.0
CALIBRATION_END_CHARGE = 0.25
"""A calibration discharges to a quarter."""
CALIBRATION_LOAD_SLACK_PCT = 10.0
"""A load that moves further than this spoils the measurement."""
WORN_OUT_HEALTH = 0.6
"""A battery with less of its capacity than this fails its test: it sags under the load."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit looks at before it starts a trial."""

    online: bool
    shutdown_pending: bool
    busy: bool
    input_ok: bool
    faulty: bool
    charge: float
    load_pct: float


class Trial:
    """One of the two. `result` latches; a refusal keeps the source it had."""

    def __init__(self) -> None:
        self.result = TestResult(status=TestStatus.NONE)

    @property
    def active(self) -> bool:
        return self.result.status in (TestStatus.PENDING, TestStatus.IN_PROGRESS)

    @property
    def running(self) -> bool:
        return self.result.status is TestStatus.IN_PROGRESS

    def begin(self, source: TestSource) -> None:
        self.result = TestResult(status=TestStatus.PENDING, source=source)

    def run(self) -> None:
        self.result = TestResult(status=TestStatus.IN_PROGRESS, source=self.result.source)

    def refuse(self, reasons: tuple[str, ...]) -> None:
        self.result = TestResult(status=TestStatus.REFUSED, source=self.result.source, reasons=reasons)

    def end(self, status: TestStatus, source: TestSource | None, reasons: tuple[str, ...]) -> None:
        self.result = TestResult(status=status, source=source or self.result.source, reasons=reasons)


def reasons_against_test(now: Conditions) -> tuple[str, ...]:
    """Why a self-test may not start now; none if it may."""
    return tuple(_common(now)) + (("charge_not_acceptable",) if now.charge < TEST_MIN_CHARGE else ())


def reasons_against_calibration(now: Conditions, minimum_load_pct: float) -> tuple[str, ...]:
    """Why a calibration may not start now; none if it may."""
    reasons = _common(now)
    if now.charge < CALIBRATION_MIN_CHARGE:
        reasons.append("charge_not_acceptable")
    if not now.input_ok:
        reasons.append("input_not_acceptable")
    if now.load_pct < minimum_load_pct:
        reasons.append("load_too_low")
    return tuple(reasons)


def _common(now: Conditions) -> list[str]:
    reasons = []
    if not now.online or now.shutdown_pending or now.busy or not now.input_ok:
        reasons.append("invalid_state")
    if now.faulty:
        reasons.append("internal_fault_or_overload")
    return reasons
