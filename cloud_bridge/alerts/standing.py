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
    `left_out`: notifications that were not made since the last digest; `digest_at`: when the next one is due."""

    device: int
    id: str
    since: int
    until: int
    left_out: int = 0
    digest_at: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel heard of an alert, or is about to: a resolve follows each firing, to whomever it was sent."""

    worst: Severity
    number: int
    at: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How things are when a change is routed.

    `alerts`: open ones by id. `told`: by (alert id, channel id). `counted`: by device, instants of notifications that
    count for the flood rule, newest last, of its window at least. `grouped`: by group, when its last notice leaves.
    `unsubscribed`: (address in lower case, policy id). `planned`: by unit ("GATEWAY/UNIT"), why and until when alarms
    that a test or an upgrade causes are expected, and their conditions.
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


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """Work on one unit that causes alarms: a test, a calibration, an upgrade. It covers those conditions alone."""

    why: str
    until: int
    conditions: frozenset[str]


class Verdict(StrEnum):
    """SENT: at its `due_at`. WITHHELD: not at all, for the reason."""

    SENT = "sent"
    WITHHELD = "withheld"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Of one change to one channel. `code`: lower-case words, stable (no_policy, below_least, silenced, planned,
    covered, muted, quiet_hours, grouped, unsubscribed, not_told_before, at_once, escalated); `reason`: a sentence with
    names and figures, which `cloud why` prints. `notification`: None where nothing is to be sent."""

    alert: str
    number: int
    policy: int | None
    channel: int | None
    verdict: Verdict
    code: str
    reason: str
    notification: Notification | None = None


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one change. `counted`: the device whose flood rule counts it, before fan-out; `mute`: begun or
    changed by it."""

    decisions: tuple[Decision, ...] = ()
    counted: int | None = None
    mute: Mute | None = None
