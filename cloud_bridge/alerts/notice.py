"""What is said to people, and the row that makes sure that it is. Pure. Instants are UTC milliseconds.

A Notice is facts alone: mail, webhook and Apprise each make their own words of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from cloud_bridge.alerts.model import What
from drivers.ups import Severity
from gateway.wire.messages import Scalar


class About(StrEnum):
    """ALERT: of a device, gateway or site. MUTED: notifications are off by the flood rule. DIGEST: what was not said
    meanwhile. UNSUBSCRIBED: the confirmation. TEST: asked for by a person. REACHLESS: nobody is left to receive a
    critical (S22)."""

    ALERT = "alert"
    MUTED = "muted"
    DIGEST = "digest"
    UNSUBSCRIBED = "unsubscribed"
    TEST = "test"
    REACHLESS = "reachless"


TELLING = frozenset({About.ALERT, About.REACHLESS})
"""Whoever got one of these has heard of the alert, and will hear of its end."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one alert. `label`: of the device, gateway or site; `place`: its site's name; `stage`: event type;
    `happened`: a sentence; `meaning` and `do_this`: the catalogue's. `details`: readings, Snapshot's names and units.
    `lists`: labels of the devices that an incident has.
    """

    alert: str
    number: int
    what: What
    stage: str
    severity: Severity
    label: str
    place: str = ""
    at: int
    onset_at: int
    happened: str
    meaning: str
    do_this: str
    details: Mapping[str, Scalar] = {}
    lists: tuple[str, ...] = ()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Readings of the last hour for a chart: `points` of (UTC milliseconds, value), oldest first."""

    label: str
    unit: str
    points: tuple[tuple[int, float], ...]


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Each whole, made of `public_url`; empty: there is none."""

    unsubscribe: str = ""
    turn_on: str = ""
    """Of a muted device: notifications on again."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """`id`: the notification's, the same at every try. `title`: one line. `to`: the owner's name. `until`: of a mute;
    `mutes_critical`: mutes hold back criticals too. `policy`: its name, by which the recipient knows why this came.
    `on_battery`: from when to when in the hour of `series`; None: it lasts."""

    id: str
    about: About
    title: str
    severity: Severity
    at: int
    items: tuple[Item, ...] = ()
    to: str = ""
    policy: str = ""
    time_zone: str = "UTC"
    until: int | None = None
    left_out: int = 0
    links: Links = Links()
    series: tuple[Series, ...] = ()
    mutes_critical: bool = False
    on_battery: tuple[tuple[int, int | None], ...] = ()


class State(StrEnum):
    """WAITING: for its time, or the next try. SENT: somebody took it. FAILED: given up, which is an alert itself.
    WITHDRAWN: no longer wanted before it left."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the registry: one notice to one channel. It is marked SENT after it was sent, so a kill in between
    repeats it, under the same id. `alerts`: (alert id, number) of each step that it tells; `group`: what it may be
    joined with while it waits. `device`: whose flood rule counted it. `failing_since`: when a try failed first."""

    id: str
    channel: int
    policy: int | None
    device: int | None
    about: About
    severity: Severity
    alerts: tuple[tuple[str, int], ...]
    group: str
    created_at: int
    due_at: int
    state: State = State.WAITING
    attempts: int = 0
    last_error: str = ""
    failing_since: int | None = None
    sent_at: int | None = None
    until: int | None = None
    left_out: int = 0
    """Of a digest, as Notice's."""
