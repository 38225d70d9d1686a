"""Who would be told of something that might happen to a device, as things are now."""

from __future__ import annotations

import msgspec

from cloud_bridge.administration.checks import condition_mistakes, demand
from cloud_bridge.administration.names import address, find_device
from cloud_bridge.alerts.conditions import OUTAGE, condition_of, kind_of
from cloud_bridge.alerts.model import Alert, Change, Phase, What, alert_id, unit_of
from cloud_bridge.alerts.routing import route
from cloud_bridge.alerts.standing import Decision, Standing, Verdict
from cloud_bridge.alerts.terms import Directory
from cloud_bridge.runtime.administer.office import Desk, Office
from cloud_bridge.store.registry import heard
from drivers.ups import CATALOGUE, Severity

_FIRST_STAGE = "on_battery"


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """`policy`, `channel`: OWNER/NAME, empty where the routing tree decided, or where there is none."""

    policy: str
    channel: str
    told: bool
    code: str
    reason: str


def who_hears(office: Office, device: str, condition: str, severity: str | None = None) -> list[Reached]:
    """Of each policy and route what it would do. `condition`: an event type, or `outage`; `severity`: by default the
    catalogue's. Raises Wrong, NotThere, Ambiguous."""
    demand(condition_mistakes("condition", [condition]))
    terms = office.settings.alerts
    with office.reading() as desk:
        change = _change(desk, device, condition, severity)
        standing = Standing(
            directory=desk.directory,
            terms=terms,
            alerts={change.alert.id: change.alert},
            counted=heard.counted_since(desk.connection, desk.now - round(terms.flood_window_s * 1000)),
            mutes=heard.all_mutes(desk.connection),
            unsubscribed=heard.all_unsubscribed(desk.connection),
        )
        return [_reached(desk.directory, each) for each in route(change, standing, desk.now).decisions]


def _change(desk: Desk, device: str, condition: str, severity: str | None) -> Change:
    it = find_device(desk.directory, device)
    stage = _FIRST_STAGE if condition == OUTAGE else kind_of(condition)
    subject, mark = unit_of(it.gateway, it.unit), f"a trial at {desk.now}"
    how_bad = Severity(severity) if severity else CATALOGUE[stage].severity
    name = condition if ":" in condition else condition_of(stage) or condition
    alert = Alert(
        id=alert_id(subject, name, mark),
        subject=subject,
        condition=name,
        mark=mark,
        number=1,
        phase=Phase.FIRING,
        stage=stage,
        severity=how_bad,
        worst=how_bad,
        onset_at=desk.now,
        changed_at=desk.now,
        fired_at=desk.now,
    )
    return Change(alert=alert, what=What.FIRED, at=desk.now, reason="it is tried out")


def _reached(directory: Directory, decision: Decision) -> Reached:
    policy = directory.policies.get(decision.policy) if decision.policy is not None else None
    channel = directory.channels.get(decision.channel) if decision.channel is not None else None
    return Reached(
        policy=address(directory, policy) if policy else "",
        channel=address(directory, channel) if channel else "",
        told=decision.verdict is Verdict.SENT,
        code=decision.code,
        reason=decision.reason,
    )
