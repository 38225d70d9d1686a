"""What can happen to a UPS or its gateway, and one happening of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """Safety rule S20 says which event is which."""

    INFORMATIONAL = "informational"
    WARNING = "warning"
    CRITICAL = "critical"


class EventType(msgspec.Struct, frozen=True):
    """One kind of event. `name` is stable for ever; `clears` names the kind whose condition this one ends."""

    name: str
    severity: Severity
    meaning: str
    do_this: str
    clears: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One happening, as the gateway saw it.

    `at` is when the reading that showed it was complete; `after` is the last reading that did not show it.
    `found_afterwards`: it happened while the gateway was not watching.
    `severity` may be above the catalogue's (S20).
    `details` are readings and names that belong to it (Snapshot's names and units).
    """

    type: str
    severity: Severity
    at: datetime
    after: datetime | None = None
    found_afterwards: bool = False
    details: dict[str, str | int | float | bool] = {}
