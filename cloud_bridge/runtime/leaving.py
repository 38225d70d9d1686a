"""What the links in notices do, and what their pages say. Whoever has a link learns nothing from it but what it does:
one that was forged, ran out or was used gives the same page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cloud_bridge.alerts.model import digest
from cloud_bridge.alerts.notice import About, Notification
from cloud_bridge.links import BadLink, Unsubscribe, asked_to_turn_on, asked_to_unsubscribe
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.store.registry import alerting
from cloud_bridge.store.registry import leaving as rows
from cloud_bridge.store.registry.leaving import MutedDevice, PolicyRow
from cloud_bridge.store.registry.registry import Registry
from config.text import one_line
from drivers.ups import Severity

BY_LINK = "by the link in a notice"
_SHOWN = 254

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: a title, sentences, and a button where something can be done. `is_ours`: its token was good."""

    title: str
    lines: tuple[str, ...]
    button: str = ""
    status: int = 200
    is_ours: bool = False


def gone() -> Page:
    """Of a link that is none of ours, ran out, or was used."""
    return Page(
        "This link is no longer good",
        (
            "Links that end notices are good for 60 days: the newest notice has a new one.",
            "A link that turns notifications on is good until they are on.",
        ),
        status=404,
    )


def sorry(why: str) -> Page:
    return Page("Not now", (f"Nothing was changed: {why}. Try again in a minute.",), status=503)


class Leaving:
    """Every method takes the token of a link, blocks, and raises RegistryError."""

    def __init__(self, registry: Registry, key: bytes, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called once something is in the registry that the alerts role should hear of soon."""
        self._registry = registry
        self._key = key
        self._changed = changed

    def ask_to_unsubscribe(self, token: str) -> Page:
        try:
            asked = asked_to_unsubscribe(self._key, token, now_ms())
        except BadLink:
            return gone()
        with self._registry.reading() as connection:
            policy = rows.find_policy(connection, asked.policy)
            if policy is None or rows.is_unsubscribed(connection, asked.address, asked.policy):
                return _unsubscribed(asked, policy)
        return _want_to_unsubscribe(asked, policy)

    def unsubscribe(self, token: str) -> Page:
        try:
            asked = asked_to_unsubscribe(self._key, token, now_ms())
        except BadLink:
            return gone()
        now = now_ms()
        with self._registry.writing(noticed=True) as connection:
            policy = rows.find_policy(connection, asked.policy)
            channel = asked.channel or (policy.channel if policy else 0)
            if policy is not None and rows.unsubscribe(connection, asked.address, policy, channel, now):
                alerting.add_notification(connection, _confirmation(asked, policy, channel, now))
                log.info("unsubscribed by link from policy %s (%s)", policy.id, one_line(policy.name, _SHOWN))
        self._changed()
        return _unsubscribed(asked, policy)

    def ask_to_turn_on(self, token: str) -> Page:
        try:
            asked = asked_to_turn_on(self._key, token)
        except BadLink:
            return gone()
        with self._registry.reading() as connection:
            device = rows.find_muted(connection, asked.mute, now_ms())
        return _want_to_turn_on(device) if device else gone()

    def turn_on(self, token: str) -> Page:
        try:
            asked = asked_to_turn_on(self._key, token)
        except BadLink:
            return gone()
        with self._registry.writing(noticed=True) as connection:
            device = rows.turn_on(connection, asked.mute, now_ms(), BY_LINK)
        if device is None:
            return gone()
        self._changed()
        log.info("notifications of device %s (%s) turned on by link", device.id, one_line(device.label, _SHOWN))
        return _turned_on(device)


def _confirmation(asked: Unsubscribe, policy: PolicyRow, channel: int, now: int) -> Notification:
    return Notification(
        id=digest("unsubscribed", asked.address, str(policy.id), str(now)),
        channel=channel,
        policy=policy.id,
        device=None,
        about=About.UNSUBSCRIBED,
        severity=Severity.INFORMATIONAL,
        alerts=(),
        group="",
        created_at=now,
        due_at=now,
    )


def _want_to_unsubscribe(asked: Unsubscribe, policy: PolicyRow) -> Page:
    to, name = one_line(asked.address, _SHOWN), one_line(policy.name, _SHOWN)
    said = f"{to} gets notices by the policy “{name}” of a Ridethrough cloud. Shall it get no more of them?"
    return Page("No more notices?", (said,), button="Send no more of them", is_ours=True)


def _unsubscribed(asked: Unsubscribe, policy: PolicyRow | None) -> Page:
    to = one_line(asked.address, _SHOWN)
    if policy is None:
        said = f"{to} gets no notices by this policy: it is there no longer."
        return Page("No more notices", (said,), is_ours=True)
    name = one_line(policy.name, _SHOWN)
    return Page(
        "No more notices",
        (
            f"{to} gets no more notices by the policy “{name}”. A mail confirms it.",
            "To get them again the owner of the devices saves that policy.",
        ),
        is_ours=True,
    )


def _want_to_turn_on(device: MutedDevice) -> Page:
    until = datetime.fromtimestamp(device.until / 1000, UTC)
    said = (
        f"Notifications of {one_line(device.label, _SHOWN)} are off until {until:%Y-%m-%d %H:%M} UTC, since there were "
        "very many in a short time. Its events are still recorded."
    )
    return Page("Turn notifications on?", (said,), button="Turn them on now", is_ours=True)


def _turned_on(device: MutedDevice) -> Page:
    said = f"Notifications of {one_line(device.label, _SHOWN)} are on again."
    return Page("Notifications are on", (said,), is_ours=True)
