"""What is wrong with a gateway itself, or with the cloud that hears it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from cloud_bridge.alerts.model import Kind, Sighting, Subject
from cloud_bridge.alerts.watch.world import World, began, ended, marked
from cloud_bridge.health import CLOCK_OFF_S, OLD_AFTER_S, OUTBOX_SHARE
from cloud_bridge.presence import LinkState, hears
from cloud_bridge.rows import GatewayRow
from drivers.ups import Severity
from gateway.wire.health import CERTIFICATE_DAYS, CLOCK_PATIENCE_S, Health
from gateway.wire.limits import HEALTH_S
from gateway.wire.messages import Clock, Scalar

CERTIFICATE, CLOCK, OUTBOX, INGEST = "certificate_near_end", "clock_wrong", "outbox_growing", "ingest_silent"
CLOUD = Subject(Kind.CLOUD)

CLOCK_HOLD_S = 2 * HEALTH_S
"""One health record may come late, and then seem to be of a clock that is slow; two don't."""

OUTBOX_OLD_S = 3600.0
OUTBOX_HOLD_S = 600.0
"""What a long outage of the network left behind is sent within it."""

INGEST_HOLD_S = 60.0
"""A restart, or the broker's, is over by then."""

EASED = 0.5
"""A clock, and the age of what waits, end what they began at so much of the limit."""
EASED_SHARE = 0.1
"""So much below OUTBOX_SHARE the outbox is no longer too full."""


class Look(msgspec.Struct, frozen=True):
    """`wrong` None: neither so nor over, as between a limit and where it is back."""

    condition: str
    wrong: bool | None
    details: Mapping[str, Scalar]
    hold_s: float | None = 0.0
    severity: Severity | None = None


def sightings(world: World, now: int) -> Iterator[Sighting]:
    yield from _ingest(world, now)
    for row in world.heard.gateways:
        if row.health is not None and _is_news(world, row, now):
            for look in (_certificate(row.health), _clock(row.health, row.health_at or now), _outbox(row.health)):
                yield from _said(world, Subject(Kind.GATEWAY, row.name), look, row.health_at or now)


def _is_news(world: World, row: GatewayRow, now: int) -> bool:
    """An old health record, or one of a gateway that is not heard, says what was."""
    at = row.health_at
    return at is not None and now - at <= OLD_AFTER_S * 1000 and world.link(row.name, now) is LinkState.ONLINE


def _said(world: World, subject: Subject, look: Look, at: int) -> Iterator[Sighting]:
    if look.wrong:
        mark = marked(world, subject, look.condition, at)
        yield began(subject, look.condition, mark, at, look.details, severity=look.severity, hold_s=look.hold_s)
    elif look.wrong is False and (alert := world.open.get((subject, look.condition))):
        yield ended(alert, at, look.details)


def _certificate(health: Health) -> Look:
    days_left = health.certificate_days_left
    if days_left is None:
        return Look(CERTIFICATE, None, {})
    return Look(CERTIFICATE, days_left < CERTIFICATE_DAYS, {"days_left": round(days_left, 1)})


def _clock(health: Health, received_at: int) -> Look:
    if health.stamp.clock != Clock.SYNCHRONISED:
        patient = health.running_s <= CLOCK_PATIENCE_S
        return Look(CLOCK, None if patient else True, {"clock": health.stamp.clock}, CLOCK_HOLD_S)
    off_s = (health.stamp.at - received_at) / 1000
    return Look(CLOCK, _beyond(abs(off_s), CLOCK_OFF_S), {"off_s": round(off_s)}, CLOCK_HOLD_S)


def _outbox(health: Health) -> Look:
    """Said of a gateway that is heard: what waits in one that is not is no surprise."""
    outbox = health.outbox
    share = outbox.bytes / outbox.quota_bytes if outbox.quota_bytes else 0.0
    oldest_s = max(0.0, (health.stamp.at - outbox.oldest_at) / 1000) if outbox.oldest_at is not None else 0.0
    waiting = sum(outbox.waiting.values())
    details: dict[str, Scalar] = {"waiting": waiting, "oldest_s": round(oldest_s), "outbox_pct": round(100 * share)}
    if outbox.trouble:
        return Look(OUTBOX, True, details | {"trouble": outbox.trouble}, 0.0)
    wrong = oldest_s > OUTBOX_OLD_S or share > OUTBOX_SHARE
    eased = oldest_s <= OUTBOX_OLD_S * EASED and share <= OUTBOX_SHARE - EASED_SHARE
    return Look(OUTBOX, True if wrong else False if eased else None, details, OUTBOX_HOLD_S)


def _beyond(value: float, limit: float) -> bool | None:
    return True if value > limit else False if value <= limit * EASED else None


def _ingest(world: World, now: int) -> Iterator[Sighting]:
    """Nothing is known of a cloud whose ingest never ran."""
    ingest = world.heard.ingest
    if ingest is not None:
        heard = hears(ingest, now)
        details = {"hears_broker": ingest.connected_at is not None, "silent_s": (now - ingest.alive_at) // 1000}
        look = Look(INGEST, not heard, details, INGEST_HOLD_S)
        yield from _said(world, CLOUD, look, ingest.alive_at if not heard else now)
