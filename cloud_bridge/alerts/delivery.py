"""What becomes of a notification that waits: joined with others, sent, tried again for days, given up. Pure.

Instants are UTC milliseconds; chance is handed in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from cloud_bridge.alerts.model import digest
from cloud_bridge.alerts.notice import TELLING, About, Notification, State
from cloud_bridge.alerts.ranks import RANK, worst_of
from cloud_bridge.alerts.standing import Told
from cloud_bridge.alerts.terms import Channel
from drivers.ups import Severity

FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 300.0
"""Between tries: the limit doubles from the one to the other, each wait is drawn from all of it (full jitter). What
waits for a server that is back waits no longer than the second."""
SHORTEST_RETRY_S = 1.0
ASKED_AT_MOST_S = 3600.0
"""Longest that a peer can ask us to wait."""
FAILING_S = 900.0
"""A channel that fails for so long is an alert itself, though it is still tried."""
ITEMS_AT_MOST = 500
"""Steps of alerts in one notice."""
MUTES_AT_MOST = 50
"""Devices in one notice of mutes, each with its link."""
ERROR_CHARS = 300
SETTLES_MS = 10_000
"""A look at the registry that is not later than a notice by this may not have what was written with it."""

_JOINED = frozenset({About.ALERT, About.MUTED, About.DIGEST})

Parcel = tuple[Notification, ...]
"""What leaves as one notice, oldest first."""


def ready(waiting: Collection[Notification], now: int) -> list[Notification]:
    """What leaves now: what is due, and with a step of an alert the earlier ones that still wait (for quiet hours, for
    a group), or they would come after it as if they were news. What is tried again keeps its own time."""
    due = [one for one in waiting if one.due_at <= now]
    newest: dict[str, int] = {}
    for alert, number in (step for one in due if one.about is About.ALERT for step in one.alerts):
        newest[alert] = max(number, newest.get(alert, 0))
    return due + [one for one in waiting if one.due_at > now and _is_overtaken(one, newest)]


def _is_overtaken(one: Notification, newest: Mapping[str, int]) -> bool:
    if one.about is not About.ALERT or one.attempts or not one.alerts:
        return False
    return all(number < newest.get(alert, 0) for alert, number in one.alerts)


def parcels(due: Iterable[Notification], *, crowded: bool) -> list[Parcel]:
    """In what order, and in how many notices, what is due for one channel leaves: the gravest first, then the oldest.

    What waits in one group is one notice. `crowded`: the channel could not take all of it one by one, so whatever
    leaves by the same policy is.
    """
    found: dict[tuple[object, ...], list[Notification]] = {}
    for one in sorted(due, key=lambda each: (each.due_at, each.created_at, each.id)):
        found.setdefault(_joins(one, crowded), []).append(one)
    made = [parcel for each in found.values() for parcel in _cut(each)]
    return sorted(made, key=_turn)


def _turn(parcel: Parcel) -> tuple[int, bool, int, str]:
    """Alerts go before notices about notices."""
    first = parcel[0]
    return -RANK[worst(parcel)], first.about is not About.ALERT, first.due_at, first.id


def _joins(one: Notification, crowded: bool) -> tuple[object, ...]:
    """Notifications with the same key may be one notice."""
    if one.about in _JOINED and crowded:
        return (one.about, one.policy)
    if one.about is About.ALERT and one.group:
        return (one.about, one.policy, one.group)
    return (one.id,)


def _cut(joined: Sequence[Notification]) -> list[Parcel]:
    """None has more than the most steps of alerts, or notices of mutes, unless a single notification has."""
    cut: list[list[Notification]] = []
    size = 0
    for one in joined:
        weight = len(one.alerts) if one.about is About.ALERT else ITEMS_AT_MOST // MUTES_AT_MOST
        if not cut or size + weight > ITEMS_AT_MOST:
            cut.append([])
            size = 0
        cut[-1].append(one)
        size += weight
    return [tuple(each) for each in cut]


def worst(parcel: Parcel) -> Severity:
    return worst_of(one.severity for one in parcel)


def notice_id(parcel: Parcel) -> str:
    """The same for the same notifications; joined with another one it is another notice."""
    return parcel[0].id if len(parcel) == 1 else digest("notice", *(one.id for one in parcel))


def sent(one: Notification, now: int) -> Notification:
    return msgspec.structs.replace(one, state=State.SENT, attempts=one.attempts + 1, sent_at=now, last_error="")


def unwanted(
    one: Notification, channel: Channel | None, unsubscribed: Collection[tuple[str, int]], looked_at: int
) -> str:
    """Why it is not wanted any more; empty: it is. `channel`: as it is now; `looked_at`: when the registry was."""
    if channel is None:
        return "its channel is gone"
    if not channel.enabled:
        return f"channel {channel.name} is switched off"
    if one.policy is None or channel.kind != "mail":
        return ""
    left = (channel.target.lower(), one.policy) in unsubscribed
    if one.about is not About.UNSUBSCRIBED:
        return f"{channel.target} has unsubscribed" if left else ""
    if left or looked_at < one.created_at + SETTLES_MS:
        return ""
    return f"{channel.target} has not unsubscribed from it, or not any more"


def heard_of(alert: str, made: Iterable[Notification]) -> Told | None:
    """What a channel heard of an alert, or is about to, by these notifications of its; None: nothing."""
    telling = [one for one in made if one.state in (State.SENT, State.WAITING) and one.about in TELLING]
    steps = [(number, one) for one in telling for name, number in one.alerts if name == alert]
    if not steps:
        return None
    return Told(
        worst=worst_of(one.severity for _, one in steps),
        number=max(number for number, _ in steps),
        at=min(one.due_at if one.sent_at is None else one.sent_at for _, one in steps),
    )


def withdrawn(one: Notification, why: str) -> Notification:
    return msgspec.structs.replace(one, state=State.WITHDRAWN, last_error=why)


def not_sent(
    one: Notification, error: str, now: int, wait_s: float, *, again: bool, retry_for_s: float
) -> Notification:
    """Waiting for its next try, or failed: another try can't help, or it was tried for `retry_for_s`."""
    since = now if one.failing_since is None else one.failing_since
    tried = msgspec.structs.replace(one, attempts=one.attempts + 1, last_error=error[:ERROR_CHARS], failing_since=since)
    if not again or now - since >= retry_for_s * 1000:
        return msgspec.structs.replace(tried, state=State.FAILED)
    return msgspec.structs.replace(tried, due_at=now + round(wait_s * 1000))


def retry_s(attempts: int, chance: float, after_s: float | None = None) -> float:
    """Seconds until the next try after so many that failed. `after_s`: the peer's own word, kept within limits."""
    ceiling = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempts - 1, 30))
    drawn = max(SHORTEST_RETRY_S, ceiling * chance)
    return drawn if after_s is None else max(drawn, min(ASKED_AT_MOST_S, after_s))
