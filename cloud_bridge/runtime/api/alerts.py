"""Alerts, why who was told, what people say to them; and how the service is."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from msgspec import Meta
from starlette.responses import Response

from cloud_bridge.alerts.model import Alert, Phase
from cloud_bridge.alerts.terms import NAME_LENGTH
from cloud_bridge.api_access import Caller
from cloud_bridge.errors import Mistake, Wrong
from cloud_bridge.runtime.administer import alerts as asked
from cloud_bridge.runtime.administer.office import Office
from cloud_bridge.runtime.api.admitted import Who
from cloud_bridge.runtime.api.operations import Body, Listed, Opened, Paged, answer, decoded, says
from cloud_bridge.runtime.api.shown import AlertShown, Instant, Why, alert_shown, why_shown
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.store.registry.pulse import pulse
from cloud_bridge.views import iso

alerts = APIRouter(tags=["alerts"])
health = APIRouter(tags=["health"])

Which = Annotated[Literal["open", "firing", "pending", "resolved", "all"], Query(description="Which phases.")]
Device = Annotated[str, Query(max_length=200, description="Only this device's: GATEWAY/UNIT, serial number or name.")]
By = Annotated[str, Meta(max_length=NAME_LENGTH, description="Who says so; else whoever asks.")]
_PHASES = {
    "open": asked.OPEN,
    "firing": (Phase.FIRING,),
    "pending": (Phase.PENDING,),
    "resolved": (Phase.RESOLVED,),
    "all": (),
}


class Acknowledgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    by: By = ""


class Assignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`to`: a person; empty: nobody."""

    to: Annotated[str, Meta(max_length=NAME_LENGTH)]
    by: By = ""


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    by: By = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`waiting_s`: how long the oldest notification whose time has come waits."""

    at: Instant
    pending: int
    firing: int
    muted: int
    waiting: int
    failed: int
    waiting_s: float


@alerts.get("/v1/alerts", **says(Listed[AlertShown]))
def list_alerts(_who: Who, office: Opened, part: Paged, phase: Which = "open", device: Device = "") -> Response:
    """Those that changed last first."""
    past = _past(part.after) if part.after is not None else None
    found = asked.list_alerts(office, device=device, phases=_PHASES[phase], count=part.limit + 1, past=past)
    directory = asked.directory_of(office)
    shown = tuple(alert_shown(one, directory) for one in found[: part.limit])
    last = found[part.limit - 1] if len(found) > part.limit else None
    return answer(Listed(shown, f"{last.changed_at}-{last.id}" if last else None))


@alerts.get("/v1/alerts/{alert}", **says(AlertShown))
def show_alert(_who: Who, office: Opened, alert: str) -> Response:
    """By its id, or the first digits of it, if no other begins so."""
    return answer(alert_shown(asked.find(office, alert), asked.directory_of(office)))


@alerts.get("/v1/alerts/{alert}/why", **says(Why))
def why(_who: Who, office: Opened, alert: str) -> Response:
    """Every step of it and every decision about it, in order."""
    found, reasons = asked.why(office, alert)
    return answer(why_shown(found, reasons, asked.directory_of(office)))


@alerts.post("/v1/alerts/{alert}/acknowledge", **says(AlertShown, takes=Acknowledgement, status=202, example={}))
def acknowledge(who: Who, office: Opened, alert: str, body: Body) -> Response:
    """Somebody looks after it: it does not escalate. It is done within a second; the answer is the alert before it."""
    said = decoded(body or b"{}", Acknowledgement)
    return _asked(office, asked.acknowledge(office, alert, _by(who, said.by)))


@alerts.post("/v1/alerts/{alert}/assign", **says(AlertShown, takes=Assignment, status=202, example={"to": "ben"}))
def assign(who: Who, office: Opened, alert: str, body: Body) -> Response:
    """As acknowledging."""
    said = decoded(body, Assignment)
    return _asked(office, asked.assign(office, alert, said.to, _by(who, said.by)))


@alerts.post("/v1/alerts/{alert}/note", **says(AlertShown, takes=Note, status=202, example={"text": "fuse 7"}))
def note(who: Who, office: Opened, alert: str, body: Body) -> Response:
    """A remark, which `why` shows. One that is over takes it, too."""
    said = decoded(body, Note)
    return _asked(office, asked.note(office, alert, said.text, _by(who, said.by)))


@health.get("/v1/health", **says(Health))
def show_health(_who: Who, office: Opened) -> Response:
    """Whether the registry can be used, and how much is open and on its way."""
    return answer(_health(office, now_ms()))


def _health(office: Office, now: int) -> Health:
    with office.registry.reading() as connection:
        found = pulse(connection, now)
    waiting_s = 0.0 if found.oldest_due_at is None else (now - found.oldest_due_at) / 1000
    return Health(
        at=iso(now),
        pending=found.pending,
        firing=found.firing,
        muted=found.muted,
        waiting=found.waiting,
        failed=found.failed,
        waiting_s=waiting_s,
    )


def _past(after: str) -> tuple[int, str]:
    """Raises Wrong."""
    found = re.fullmatch(r"(\d{1,15})-([0-9a-f]{1,32})", after, re.ASCII)
    if found is None:
        raise Wrong(Mistake("after", "expected the `next` of the part before"))
    return int(found[1]), found[2]


def _by(who: Caller, said: str) -> str:
    """A token speaks for others only beside its own name."""
    if not who.name:
        return said or "api"
    return f"{said} ({who.name})"[:NAME_LENGTH] if said else who.name


def _asked(office: Office, alert: Alert) -> Response:
    return answer(alert_shown(alert, asked.directory_of(office)), 202)
