"""Alerts and their reasons as the API shows them: what `--json` prints, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from cloud_bridge.alert_views import alert_line, reason_json
from cloud_bridge.alerts.conditions import meant_by
from cloud_bridge.alerts.model import Alert, Kind, Phase
from cloud_bridge.alerts.terms import Directory
from cloud_bridge.store.registry.reasons import Reason
from drivers.ups import CATALOGUE, Severity
from gateway.wire.messages import Scalar

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class SubjectShown(msgspec.Struct, frozen=True, kw_only=True):
    """`name`: of a unit GATEWAY/UNIT; `label`: as people know it."""

    kind: Kind
    name: str
    label: str


class AlertShown(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of one subject, from onset to end. `stage`: the event type at which it stands; `meaning` and
    `do_this`: what that says to a person. `number`: of its last change. `unstable`: it comes and goes. `covered_by`: id
    of the incident that lists it. `history`: it was in a gateway's backlog."""

    id: str
    subject: SubjectShown
    condition: str
    phase: Phase
    stage: str
    severity: Severity
    worst: Severity
    onset_at: Instant
    changed_at: Instant
    fired_at: Instant | None = None
    resolved_at: Instant | None = None
    acknowledged_at: Instant | None = None
    acknowledged_by: str = ""
    assigned_to: str = ""
    unstable: bool = False
    history: bool = False
    covered_by: str = ""
    number: int = 0
    meaning: str = ""
    do_this: str = ""
    details: Mapping[str, Scalar] = {}


class ReasonShown(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an alert, or one decision about it. `code`: stable, docs/alerts.md has them. `policy`, `channel`:
    names; empty: it was about none."""

    at: Instant
    number: int
    code: str
    reason: str
    by: str = ""
    policy: str = ""
    channel: str = ""


class Why(msgspec.Struct, frozen=True, kw_only=True):
    alert: AlertShown
    reasons: tuple[ReasonShown, ...]


def alert_shown(alert: Alert, directory: Directory) -> AlertShown:
    known = CATALOGUE.get(meant_by(alert)) or CATALOGUE.get(alert.condition)
    more = {
        "number": alert.number,
        "meaning": known.meaning if known else "",
        "do_this": known.do_this if known else "",
    }
    return msgspec.convert(alert_line(alert, directory) | more, AlertShown)


def why_shown(alert: Alert, reasons: list[Reason], directory: Directory) -> Why:
    shown = tuple(msgspec.json.decode(reason_json(one, directory), type=ReasonShown) for one in reasons)
    return Why(alert=alert_shown(alert, directory), reasons=shown)
