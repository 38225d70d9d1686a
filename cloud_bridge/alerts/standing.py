"""What routing decides by, and what it decides. Pure. Instants are UTC milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from cloud_bridge.alerts.model import Alert
from cloud_bridge.alerts.notice import Notification
from cloud_bridge.alerts.terms import Directory, Terms
from drivers.ups import Severity


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """Notifications of a device are off by the flood rule. `id` is in its re-enable link and dies with it (S23).
    `left_out`: steps of alerts that were not told since the last digest; `lost`: to whom; `digest_at`: when the next
    one is due. `noticed`: channels that know of it. It stays until its last digest was made (`flood.digests`)."""

    device: int
    id: str
    since: int
    until: int
    left_out: int = 0
    digest_at: int = 0
    lost: tuple[Lost, ...] = ()
    noticed: tuple[int, ...] = ()


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel did not get while a device was muted, since the last digest. `policy`: by which it would have."""

    channel: int
    policy: int | None
    count: int


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel heard of an alert, or is about to: a resolve follows each firing, to whomever it was sent.

    `number`: of the newest step that it heard; `at`: when the first notice left, or leaves."""

    worst: Severity
    number: int
    at: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How things are when a change is routed.

    `alerts`: open ones by id. `told`: by (alert id, channel id). `counted`: by device, instants of notifications that
    count for the flood rule, newest last, of its window at least. `grouped`: by group, when its last notice leaves.
    `unsubscribed`: (address in lower case, policy id). `planned`: by unit ("GATEWAY/UNIT"), why and until when alarms
    that a test or an upgrade causes are expected, and their conditions. `withheld`: by (alert id, channel id), number
    of the newest step that was withheld for a while (LATER) and not told since. `escalated`: (alert id, Change.by) of
    each escalation so far.
    """

    directory: Directory
    terms: Terms
    alerts: Mapping[str, Alert] = {}
    told: Mapping[tuple[str, int], Told] = {}
    counted: Mapping[int, tuple[int, ...]] = {}
    mutes: Mapping[int, Mute] = {}
    grouped: Mapping[str, int] = {}
    unsubscribed: frozenset[tuple[str, int]] = frozenset()
    planned: Mapping[str, Planned] = {}
    withheld: Mapping[tuple[str, int], int] = {}
    escalated: frozenset[tuple[str, str]] = frozenset()


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """Work on one unit that causes alarms: a test, a calibration, an upgrade. It covers those conditions alone."""

    why: str
    until: int
    conditions: frozenset[str]


class Verdict(StrEnum):
    """SENT: at its `due_at`. WITHHELD: not at all, for the reason."""

    SENT = "sent"
    WITHHELD = "withheld"


LATER = frozenset({"silenced", "maintenance", "planned", "covered", "muted"})
"""Codes of what withholds a step for a while only: what is still so afterwards is told then (`resumption`)."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Of one change to one channel. `code`: lower-case words, stable (docs/alerts.md has them all); `reason`: a
    sentence with names and figures, which `cloud why` prints. `notification`: None where nothing is to be sent."""

    alert: str
    number: int
    policy: int | None
    channel: int | None
    verdict: Verdict
    code: str
    reason: str
    notification: Notification | None = None


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one change, and of the standing by it. `counted`: the device whose flood rule counts it, before
    fan-out; `mute`: begun or changed by it. `told`, `withheld`: of its alert, by channel; a channel that is told is
    withheld no longer. `grouped`: when the last notice of a group leaves."""

    decisions: tuple[Decision, ...] = ()
    counted: int | None = None
    mute: Mute | None = None
    told: Mapping[int, Told] = {}
    withheld: Mapping[int, int] = {}
    grouped: Mapping[str, int] = {}
