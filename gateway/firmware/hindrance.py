"""Why an upgrade can't go on now, or ever (gateway-ota.md A2: show the blocked update and the reason)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import msgspec

from gateway.wire.firmware_rules import Reason
from gateway.wire.messages import Scalar

FINAL = frozenset({"serial_wrong", "already_installed", "output_not_of_model"}) | (
    frozenset(reason.value for reason in Reason) - {Reason.UNIT_UNKNOWN.value}
)
"""Reasons that waiting does not mend: the order is rejected. Any other is "not now"."""


class Hindrance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check that fails. `reason`: stable, lower-case with underscores. `detail`: a sentence for a person.

    `value` is what was found, `threshold` what is wanted, neither is ever empty. `overridable`: whether somebody may
    answer for going on all the same (A5); most are not.
    """

    reason: str
    detail: str
    value: Scalar
    threshold: Scalar
    overridable: bool = False

    @property
    def final(self) -> bool:
        return self.reason in FINAL


Hindrances = Iterator[Hindrance]


def failing(reason: str, what: str, value: Scalar, threshold: Scalar, *, overridable: bool = False) -> Hindrance:
    """`what`: of which thing the value is, for the sentence."""
    told = _told(value)
    return Hindrance(
        reason=reason,
        detail=f"{what}: {told}, wanted: {threshold}",
        value=told,
        threshold=threshold,
        overridable=overridable,
    )


def number(
    name: str, value: float | None, holds: Callable[[float], bool], threshold: str, *, overridable: bool = False
) -> Hindrances:
    """Nothing where `value` is a finite number that `holds`; else NAME_unknown, or NAME_out_of_bounds."""
    if value is None or not math.isfinite(value):
        yield failing(f"{name}_unknown", name, value, threshold, overridable=False)
    elif not holds(value):
        yield failing(f"{name}_out_of_bounds", name, value, threshold, overridable=overridable)


def _told(value: Scalar) -> Scalar:
    """JSON has no word for what is no number."""
    if value is None or value == "":
        return "unknown"
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else str(value)
    return value
