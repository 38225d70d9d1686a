"""What time alone makes of an alert. Pure."""

from __future__ import annotations

import msgspec

from cloud_bridge.alerts.change import changed, milliseconds, span, words
from cloud_bridge.alerts.flapping import calm_at
from cloud_bridge.alerts.history import is_waiting, settled
from cloud_bridge.alerts.model import Alert, Change, Phase, What
from cloud_bridge.alerts.outage import critical_at, graded, has_grown, why_critical
from cloud_bridge.alerts.steps import fired, over
from cloud_bridge.alerts.terms import Terms

PATIENCE_S = 600.0
"""A backlog that says nothing more of a condition for so long, and does not end: it is told all the same."""

NO_END = f"and so as far as is known: the gateway's backlog said nothing for {span(PATIENCE_S)}"


def due_at(alert: Alert, terms: Terms) -> int | None:
    """When it is next changed by time; None: never."""
    if alert.phase is Phase.RESOLVED:
        return None
    if alert.phase is Phase.PENDING:
        return alert.changed_at + milliseconds(PATIENCE_S) if alert.fires_at is None else alert.fires_at
    times = (critical_at(alert, terms), alert.ends_at, calm_at(alert, terms) if alert.unstable else None)
    return min((at for at in times if at is not None), default=None)


def passed(alert: Alert, terms: Terms, now: int) -> list[Change]:
    """What became due of an alert until now, each at the instant at which it was due."""
    changes: list[Change] = []
    while (at := due_at(alert, terms)) is not None and at <= now:
        changes += _due(alert, terms, at)
        alert = changes[-1].alert
    return changes


def _due(alert: Alert, terms: Terms, at: int) -> list[Change]:
    if is_waiting(alert):
        return settled(alert, terms, at, NO_END)
    if alert.phase is Phase.PENDING:
        return [fired(alert, f"{words(alert.stage)} for {span((at - alert.since) / 1000)}", terms, at)]
    if alert.ends_at == at:
        lasted_s = (at - alert.since) / 1000 - terms.end_hold_s
        return [over(alert, What.RESOLVED, at, f"{words(alert.stage)} after {span(lasted_s)}")]
    if alert.unstable and calm_at(alert, terms) == at:
        return [_calm(alert, terms, at)]
    return [_critical(alert, terms, at)]


def _calm(alert: Alert, terms: Terms, at: int) -> Change:
    calm = f"calm for {span(terms.flap_window_s)}"
    if not alert.open:
        return over(alert, What.RESOLVED, at, f"{words(alert.stage)}, {calm}")
    grade = graded(alert, terms, at)
    return changed(alert, What.EASED, at, f"{calm}, but {words(str(grade['stage']))}", unstable=False, **grade)


def _critical(alert: Alert, terms: Terms, at: int) -> Change:
    then = msgspec.structs.replace(alert, **graded(alert, terms, at))
    what = What.GREW if has_grown(then, alert) else What.UPDATED
    return changed(then, what, at, why_critical(then, terms, at))
