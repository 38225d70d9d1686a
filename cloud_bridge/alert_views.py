"""Alerts and their reasons, as JSON lines, as cells of a table, and as lines for a terminal. Pure.

Texts came from outside: they go into rich's Text, never into its markup (S6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec
from rich.text import Text

from cloud_bridge.alerts.conditions import meant_by
from cloud_bridge.alerts.model import Alert, Kind, Phase, Subject, What
from cloud_bridge.alerts.terms import Directory
from cloud_bridge.alerts.wording import name_text, value_text
from cloud_bridge.views import SEVERITY_STYLE, iso, iso_or_none
from config.text import one_line
from drivers.ups import CATALOGUE

SHORT_ID = 8
"""Digits of an id that a terminal is shown; they are enough to name it by."""
HEADINGS = ("alert", "severity", "since", "what", "of", "stage", "state", "assigned to")
TEXT_CHARS = 200
REASON_CHARS = 500

_json = msgspec.json.Encoder()


class Said(Protocol):
    """A line of an alert's way, as the registry keeps it."""

    @property
    def at(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def code(self) -> str: ...
    @property
    def policy(self) -> int | None: ...
    @property
    def channel(self) -> int | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def by_name(self) -> str: ...


def label(subject: Subject, directory: Directory) -> str:
    """As people know it."""
    number = int(subject.name) if subject.name.isdecimal() else -1
    match subject.kind:
        case Kind.UNIT:
            named = (each for each in directory.devices.values() if f"{each.gateway}/{each.unit}" == subject.name)
            device = next(named, None)
            return device.label if device else subject.name
        case Kind.GATEWAY:
            return f"gateway {subject.name}"
        case Kind.SITE if number in directory.sites:
            return f"site {directory.sites[number].name}"
        case Kind.CHANNEL if number in directory.channels:
            return f"channel {directory.channels[number].name}"
        case Kind.CLOUD:
            return "the cloud"
    return str(subject)


def alert_line(alert: Alert, directory: Directory) -> dict[str, object]:
    """What JSON has of it."""
    return {
        "id": alert.id,
        "subject": {"kind": alert.subject.kind, "name": alert.subject.name, "label": label(alert.subject, directory)},
        "condition": alert.condition,
        "stage": alert.stage,
        "severity": alert.severity,
        "worst": alert.worst,
        "phase": alert.phase,
        "unstable": alert.unstable,
        "history": alert.history,
        "onset_at": iso(alert.onset_at),
        "fired_at": iso_or_none(alert.fired_at),
        "changed_at": iso(alert.changed_at),
        "resolved_at": iso_or_none(alert.resolved_at),
        "acknowledged_at": iso_or_none(alert.acknowledged_at),
        "acknowledged_by": alert.acknowledged_by,
        "assigned_to": alert.assigned_to,
        "covered_by": alert.covered_by,
        "details": alert.details,
    }


def alert_json(alert: Alert, directory: Directory) -> str:
    return _json.encode(alert_line(alert, directory)).decode()


def alert_cells(alert: Alert, directory: Directory) -> list[Text]:
    """As HEADINGS has them."""
    return [
        Text(alert.id[:SHORT_ID]),
        Text(alert.severity, SEVERITY_STYLE[alert.severity]),
        Text(iso(alert.onset_at)),
        Text(one_line(alert.condition, TEXT_CHARS)),
        Text(one_line(label(alert.subject, directory), TEXT_CHARS), "bold"),
        Text(one_line(alert.stage, TEXT_CHARS)),
        Text(state(alert)),
        Text(one_line(alert.assigned_to, TEXT_CHARS)),
    ]


def state(alert: Alert) -> str:
    """In a few words."""
    if alert.phase is Phase.RESOLVED:
        return f"over since {iso(alert.resolved_at or alert.changed_at)}"
    said = [alert.phase.value, "unstable" if alert.unstable else "", "covered" if alert.covered_by else ""]
    said.append(f"acknowledged by {one_line(alert.acknowledged_by, TEXT_CHARS)}" if alert.acknowledged_at else "")
    return ", ".join(filter(None, said))


def alert_text(alert: Alert, directory: Directory) -> Iterator[tuple[str, str]]:
    """Names and values of one, with what it means and what to do."""
    known = CATALOGUE.get(meant_by(alert))
    yield "alert", alert.id
    yield "of", label(alert.subject, directory)
    yield "what", f"{alert.condition} ({alert.stage})" if alert.stage != alert.condition else alert.condition
    yield "severity", f"{alert.severity}, at worst {alert.worst}"
    yield "state", state(alert)
    yield "since", iso(alert.onset_at)
    if alert.assigned_to:
        yield "assigned to", alert.assigned_to
    if alert.covered_by:
        yield "listed by", alert.covered_by
    if known:
        yield "it means", known.meaning
        yield "do this", known.do_this
    yield from ((name_text(name), value_text(name, value)) for name, value in alert.details.items())


def reason_json(said: Said, directory: Directory) -> str:
    line = {
        "at": iso(said.at),
        "number": said.number,
        "code": said.code,
        "policy": _named(said.policy, directory.policies),
        "channel": _named(said.channel, directory.channels),
        "by": said.by_name,
        "reason": said.reason,
    }
    return _json.encode(line).decode()


def reason_text(said: Said, directory: Directory) -> Text:
    """Time, code, sentence, by which policy and channel, and by whom where the sentence does not say it."""
    named = "" if said.code == What.ESCALATED or said.by_name in said.reason else said.by_name
    text = Text(iso(said.at))
    text.append(f"  {one_line(said.code, TEXT_CHARS):16}", "bold")
    text.append(f"  {one_line(said.reason, REASON_CHARS)}")
    ways = [
        f"{kind} {name}"
        for kind, name in (
            ("policy", _named(said.policy, directory.policies)),
            ("channel", _named(said.channel, directory.channels)),
            ("by", named),
        )
        if name
    ]
    return text.append(f"  ({one_line(', '.join(ways), TEXT_CHARS)})" if ways else "", "dim")


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def _named(number: int | None, among: Mapping[int, _Named]) -> str:
    """Its name; of one that is gone its number."""
    if number is None:
        return ""
    return among[number].name if number in among else f"#{number}"
