"""Alerts: what is wrong, why who was told, and what people say to it. The alerts role does what is asked here."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from cloud_bridge.administration.checks import demand, text_mistakes
from cloud_bridge.administration.names import find_device
from cloud_bridge.alerts.model import ID_LENGTH, Alert, Phase, unit_of
from cloud_bridge.alerts.terms import Directory
from cloud_bridge.errors import AdministrationError, Ambiguous, Mistake, NotThere, Wrong
from cloud_bridge.runtime.administer.office import Office
from cloud_bridge.store.registry import alerting, reasons
from cloud_bridge.store.registry.alerting import TEXT_AT_MOST, Verb
from cloud_bridge.store.registry.reasons import Reason

OPEN = (Phase.PENDING, Phase.FIRING)
WAITING_AT_MOST = 1000
"""Of what people asked for and the alerts role has not done."""
SAID_AT_MOST = 500
"""Of what people did about one alert: it is kept as long as the alert is."""
SHORTEST_ID = 4
"""Of an id that is cut short: so many of its digits at least."""


def list_alerts(
    office: Office,
    *,
    device: str = "",
    phases: Sequence[Phase] = OPEN,
    count: int = 100,
    before: int | None = None,
    past: tuple[int, str] | None = None,
) -> list[Alert]:
    """Those that changed last first. `device`: as people name it; `before`: changed before that instant; `past`: as
    alerting.listed has it."""
    with office.reading() as desk:
        subject = ""
        if device:
            it = find_device(desk.directory, device)
            subject = str(unit_of(it.gateway, it.unit))
        return alerting.listed(desk.connection, phases=phases, subject=subject, count=count, before=before, past=past)


def directory_of(office: Office) -> Directory:
    """For the names of what alerts and reasons are about."""
    with office.reading() as desk:
        return desk.directory


def find(office: Office, text: str) -> Alert:
    """By its id, or the beginning of it. Raises NotThere, Ambiguous."""
    hint = f"expected its id, or {SHORTEST_ID} and more of its first digits; `ridethrough cloud alert list --all`"
    start = text.lower()
    if not SHORTEST_ID <= len(start) <= ID_LENGTH or not set(start) <= set("0123456789abcdef"):
        raise NotThere("alert", text, hint)
    with office.registry.reading() as connection:
        found = alerting.like(connection, start)
    if not found:
        raise NotThere("alert", text, hint)
    if len(found) > 1:
        raise Ambiguous("alert", text, [f"{each.id[:12]} ({each.condition} of {each.subject.name})" for each in found])
    return found[0]


def why(office: Office, text: str) -> tuple[Alert, list[Reason]]:
    """The alert, and everything that happened to it and was decided about it, in order."""
    alert = find(office, text)
    with office.registry.reading() as connection:
        return alert, reasons.why(connection, alert.id)


def acknowledge(office: Office, text: str, by: str) -> Alert:
    """Whoever acknowledges looks after it: it does not escalate."""
    return _ask(office, text, Verb.ACKNOWLEDGE, "", by)


def assign(office: Office, text: str, to: str, by: str) -> Alert:
    """Empty: to nobody."""
    return _ask(office, text, Verb.ASSIGN, to, by)


def note(office: Office, text: str, said: str, by: str) -> Alert:
    if not said.strip():
        raise Wrong(Mistake("text", "expected a note"))
    return _ask(office, text, Verb.NOTE, said, by)


def _ask(office: Office, text: str, verb: Verb, said: str, by: str) -> Alert:
    """The alert as it was when it was asked for. Raises Wrong where it is over, but for a note."""
    demand((*text_mistakes("text", said), *text_mistakes("by", by)))
    if len(said) > TEXT_AT_MOST:
        raise Wrong(Mistake("text", f"expected at most {TEXT_AT_MOST} characters, got {len(said)}"))
    alert = find(office, text)
    if alert.phase is Phase.RESOLVED and verb is not Verb.NOTE:
        raise Wrong(Mistake("alert", f"{alert.id[:12]} is over: only a note can be added"))
    with office.writing() as desk:
        _check_room(desk.connection, alert)
        alerting.ask(desk.connection, alert.id, verb, said, by, desk.now)
    return alert


def _check_room(connection: Connection, alert: Alert) -> None:
    """Raises AdministrationError."""
    if alerting.asked_count(connection) >= WAITING_AT_MOST:
        raise AdministrationError(f"{WAITING_AT_MOST} requests wait for the alerts role, which does not seem to run")
    if alerting.asked_count(connection, alert.id) + reasons.said_count(connection, alert.id) >= SAID_AT_MOST:
        raise AdministrationError(f"people did {SAID_AT_MOST} things about this alert, the most that is kept")
