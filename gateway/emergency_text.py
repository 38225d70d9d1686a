"""The words of an emergency message: what happened, what it means, what to do now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from drivers.ups import CATALOGUE, READINGS, Severity
from gateway.emergency import Heard
from gateway.settings import EmergencySettings, MailRoute, NtfyRoute
from gateway.view import instant, span
from gateway.wire.messages import Clock, Scalar, Stamp

LISTED = 20
"""Events that a message describes; of further ones it says how many they are."""
DETAILS = 6
SUBJECT_CHARS = 120

_RANK = {severity: rank for rank, severity in enumerate(Severity)}
_KNOWN = {reading.name: reading for reading in READINGS}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`id`: the same for the same events, so that a repeat can be told from news. `severity`: the highest in it."""

    id: str
    subject: str
    text: str
    severity: Severity = Severity.INFORMATIONAL


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What the process that sends is told: which message, and by which ways."""

    message: Message
    mail: MailRoute | None = None
    ntfy: NtfyRoute | None = None
    clock_is_right: bool = True

    @property
    def routes(self) -> tuple[MailRoute | NtfyRoute, ...]:
        return tuple(route for route in (self.mail, self.ntfy) if route is not None)


class Outcome(msgspec.Struct, frozen=True):
    """`taken`: a route took it. `trouble`: what was in the way of any. `unclear`: one that failed may have taken it."""

    taken: bool
    trouble: str = ""
    unclear: bool = False


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who speaks: the gateway, the stream of its events, why it can't reach the cloud, as far as it knows."""

    gateway: str
    stream: str = ""
    trouble: str = ""


def message(
    events: Sequence[Heard], sender: Sender, settings: EmergencySettings, stamp: Stamp, overlooked: int = 0
) -> Message:
    """Of one event or more, in their order; `overlooked`: how many more happened that none is told of."""
    more = max(0, len(events) - LISTED) + overlooked
    parts = [_introduction(sender, settings), *(_paragraph(event) for event in events[:LISTED])]
    if more:
        parts.append(f"And {more} more; the cloud tells of them once it is reached.")
    parts.append(_end(settings, stamp))
    first = max(events, key=lambda event: _RANK[event.severity])
    others = f" (+{len(events) + overlooked - 1})" if len(events) + overlooked > 1 else ""
    return Message(
        id=_id(events, sender),
        subject=f"[{sender.gateway}] {_name(first)}{others}, cloud unreachable"[:SUBJECT_CHARS],
        text="\n\n".join(parts) + "\n",
        severity=first.severity,
    )


def trial(sender: Sender, at: int) -> Message:
    """A message that says that it is none. `at`: UTC milliseconds."""
    text = f"The gateway {sender.gateway} was asked to try its emergency route at {_time(at)}. Nothing has happened.\n"
    return Message(id=f"{at}.{sender.gateway}", subject=f"[{sender.gateway}] test of the emergency route", text=text)


def _introduction(sender: Sender, settings: EmergencySettings) -> str:
    why = f" ({sender.trouble})" if sender.trouble else ""
    waited = span(settings.after_s)
    return f"The gateway {sender.gateway} says this itself: its cloud has not confirmed it for {waited}{why}."


def _paragraph(event: Heard) -> str:
    afterwards = ", found afterwards" if event.found_afterwards else ""
    lines = [f"{_time(event.stamp.at)}  {_name(event)} ({event.severity}{afterwards})", *_explained(event)]
    return "\n    ".join(lines)


def _explained(event: Heard) -> Iterator[str]:
    if (kind := CATALOGUE.get(event.type)) is not None:
        yield kind.meaning
        yield f"What to do: {kind.do_this}"
    readings = [_reading(name, value) for name, value in event.details.items() if value is not None][:DETAILS]
    if readings:
        yield ", ".join(readings)


def _reading(name: str, value: Scalar) -> str:
    """As people say it: `battery charge 31.5 %`."""
    known = _KNOWN.get(name)
    if isinstance(value, str | bool) or value is None:
        return f"{name} {value}".replace("_", " ")
    if known is None and name.endswith("_s"):
        return f"{name.removesuffix('_s')} {span(value)}".replace("_", " ")
    if known is None:
        return f"{name} {value}".replace("_", " ")
    said = span(value) if known.unit == "s" else f"{value:.{known.digits}f} {known.unit}"
    return f"{known.label} {said}"


def _end(settings: EmergencySettings, stamp: Stamp) -> str:
    unset = "" if stamp.clock == Clock.SYNCHRONISED else " This machine's clock is not set: times may be wrong."
    return (
        f"Each event is told once by this way, in at most {settings.an_hour} messages an hour. What happens next is"
        f" told here only if the cloud stays away.{unset}"
    )


def _id(events: Sequence[Heard], sender: Sender) -> str:
    named = " ".join(str(event.number) for event in events)
    digest = hashlib.sha256(f"{sender.gateway} {sender.stream} {named}".encode()).hexdigest()[:24]
    return f"{digest}.{sender.gateway}"


def _name(event: Heard) -> str:
    return f"{event.unit}: {_words(event)}" if event.unit else _words(event)


def _words(event: Heard) -> str:
    return event.type.replace("_", " ")


def _time(at: int) -> str:
    return f"{instant(at):%Y-%m-%d %H:%M:%S} UTC"
