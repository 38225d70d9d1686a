"""Notices, made of what the registry and the telemetry database have, and the links that go with them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import msgspec

from cloud_bridge import links
from cloud_bridge.alerts.conditions import LASTING, OUTAGE, STABLE, UNSTABLE
from cloud_bridge.alerts.delivery import Parcel, notice_id, worst
from cloud_bridge.alerts.model import Alert, Kind, Subject, What
from cloud_bridge.alerts.notice import About, Item, Links, Notice, Notification
from cloud_bridge.alerts.standing import Mute
from cloud_bridge.alerts.terms import Channel, Device, Directory
from cloud_bridge.alerts.watch.incidents import labels_listed
from cloud_bridge.errors import CloudError
from cloud_bridge.runtime.link_key import load_link_key
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.database import FILE_NAME
from cloud_bridge.store.errors import StoreError
from cloud_bridge.store.registry import alerting, heard, reasons
from cloud_bridge.store.registry.reasons import Reason
from cloud_bridge.store.registry.registry import Registry
from cloud_bridge.store.series import History
from drivers.ups import CATALOGUE, NOTHING, EventType

LISTS = frozenset({"units_listed", "sites_listed"})
"""Details of an incident that are lists."""
DISABLED = "notifications_disabled"
ENABLED = "notifications_on_again"
"""No type of the catalogue: nothing but the digest at the end of a mute says it."""
ALL_ALERTS = "ridethrough cloud alert list --dir FOLDER --all --device"
"""The command that lists a device's alerts."""
_OF_MUTES = frozenset({About.MUTED, About.DIGEST})
_LINKED = frozenset({About.ALERT, About.MUTED, About.DIGEST})
"""What somebody may unsubscribe from."""

FRESH_MS = 60_000
"""How old a step, and a reading, may be for the reading to stand beside the step."""

Found = TypeVar("Found")

log = logging.getLogger(__name__)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What the dispatcher goes by; the fields as in standing.Standing. `at`: when the registry was looked at. A
    notification may be newer than it: what is of its making, such as a mute, is read from the registry."""

    directory: Directory
    unsubscribed: frozenset[tuple[str, int]]
    at: int = 0


class Composer:
    """For one thread; every method may block. Raises RegistryFailed while the registry can't be used."""

    def __init__(self, settings: CloudSettings, registry: Registry) -> None:
        self._registry = registry
        self._public_url = settings.public_url
        self._mutes_critical = settings.alerts.mute_critical
        self._key = _link_key(settings)
        self._telemetry = settings.data / FILE_NAME
        self._history: History | None = None

    def close(self) -> None:
        if self._history is not None:
            self._history.__exit__(None, None, None)
            self._history = None

    def compose(self, parcel: Parcel, channel: Channel, view: View, now: int) -> Notice:
        """One notice of what leaves together."""
        steps = [step for one in parcel for step in one.alerts]
        with self._registry.reading() as connection:
            found = alerting.find_alerts(connection, (alert for alert, _ in steps))
            told = reasons.steps_of(connection, steps)
            mutes = heard.all_mutes(connection) if any(one.about in _OF_MUTES for one in parcel) else {}
        items = tuple(self._with_link(parcel, *each, mutes) for each in _items(parcel, found, told, view.directory))
        items = tuple(self._with_readings(item, found.get(item.alert), now) for item in items)
        first, charted = parcel[0], self._charted(items, found, channel)
        owner = view.directory.owners.get(channel.owner or 0)
        policy = view.directory.policies.get(first.policy or 0)
        return Notice(
            id=notice_id(parcel),
            about=first.about,
            title="",
            severity=worst(parcel),
            at=now,
            items=items,
            to=owner.name if owner else "",
            policy=policy.name if policy else "",
            time_zone=owner.time_zone if owner else "UTC",
            until=first.until,
            left_out=sum(one.left_out for one in parcel),
            links=self._links(parcel, channel, mutes, now),
            series=self._looked_up(lambda history: history.last_hour(*charted), ()) if charted else (),
            mutes_critical=self._mutes_critical,
            on_battery=self._looked_up(lambda history: history.on_battery(*charted), ()) if charted else (),
        )

    def _links(self, parcel: Parcel, channel: Channel, mutes: Mapping[int, Mute], now: int) -> Links:
        first = parcel[0]
        if self._key is None or first.about not in _LINKED:
            return Links()
        leave = turn_on = ""
        if first.policy is not None and channel.kind == "mail":
            leave = links.unsubscribe_url(self._public_url, self._key, channel.target, first.policy, now, channel.id)
        if len(parcel) == 1:
            turn_on = self._turn_on(first, mutes)
        return Links(unsubscribe=leave, turn_on=turn_on)

    def _turn_on(self, one: Notification, mutes: Mapping[int, Mute]) -> str:
        mute = mutes.get(one.device or 0)
        if self._key is None or one.about not in _OF_MUTES or mute is None:
            return ""
        return links.turn_on_url(self._public_url, self._key, mute.id)

    def _with_link(self, parcel: Parcel, one: Notification, item: Item, mutes: Mapping[int, Mute]) -> Item:
        """Of several devices that are muted each has its own."""
        link = self._turn_on(one, mutes) if len(parcel) > 1 else ""
        return msgspec.structs.replace(item, do_this=f"Turn its notifications on again: {link}") if link else item

    def _charted(
        self, items: tuple[Item, ...], found: Mapping[str, Alert], channel: Channel
    ) -> tuple[str, str, int] | None:
        """Gateway, unit, and until when a chart is of them: in a mail about one unit."""
        units = {found[item.alert].subject for item in items if item.alert in found}
        if channel.kind != "mail" or len(units) != 1:
            return None
        (subject,) = units
        if subject.kind is not Kind.UNIT:
            return None
        gateway, _, unit = subject.name.partition("/")
        return gateway, unit, max(item.at for item in items)

    def _with_readings(self, item: Item, alert: Alert | None, now: int) -> Item:
        """An outage is told with what the battery has left: its event has it only if it was read in the same moment."""
        is_over = item.what in (What.RESOLVED, What.SUMMARY)
        if alert is None or alert.condition != OUTAGE or is_over or alert.history or item.at < now - FRESH_MS:
            return item
        gateway, _, unit = alert.subject.name.partition("/")
        none: dict[str, float] = {}
        newest = self._looked_up(lambda history: history.newest(gateway, unit, now - FRESH_MS), none)
        return msgspec.structs.replace(item, details={**item.details, **newest})

    def _looked_up(self, look: Callable[[History], Found], otherwise: Found) -> Found:
        """What the telemetry database says; it is never worth a notice that does not leave."""
        try:
            if self._history is None:
                self._history = History(self._telemetry)
            return look(self._history)
        except (StoreError, sqlite3.Error, msgspec.MsgspecError) as error:
            log.debug("a notice without readings: %s", error)
            self.close()
            return otherwise


def _link_key(settings: CloudSettings) -> bytes | None:
    """None: notices have no links."""
    if not settings.public_url:
        return None
    try:
        return load_link_key(settings.link_key)
    except CloudError as error:
        log.error("notices have no links: %s", error)
        return None


def _items(
    parcel: Parcel, found: Mapping[str, Alert], told: Mapping[tuple[str, int], list[Reason]], directory: Directory
) -> Iterator[tuple[Notification, Item]]:
    """Each step once, as it was when its notification was made; of a digest the device."""
    seen: set[tuple[str, int, int]] = set()
    for one in parcel:
        device = directory.devices.get(one.device or 0)
        if one.about is About.DIGEST and device is not None:
            yield one, _muted_item(one, device, directory)
        for alert, number in one.alerts:
            changes = [step for step in told.get((alert, number), ()) if step.at <= one.created_at]
            step = changes[-1] if changes else None
            key = (alert, number, step.id if step else 0)
            if alert in found and key not in seen:
                seen.add(key)
                yield one, _item(found[alert], step, number, directory)


def _muted_item(one: Notification, device: Device, directory: Directory) -> Item:
    kind = CATALOGUE[DISABLED]
    count = one.left_out
    is_off = one.until is not None and one.until > one.created_at
    site = directory.sites.get(device.site or 0)
    return Item(
        alert="",
        number=0,
        what=What.NOTED,
        stage=DISABLED if is_off else ENABLED,
        severity=one.severity,
        label=device.label,
        place=site.name if site else "",
        at=one.created_at,
        onset_at=one.created_at,
        happened=f"{count} of its notifications {'was' if count == 1 else 'were'} not sent.",
        meaning=kind.meaning if is_off else "They were off, since there were too many; they are on again.",
        do_this=kind.do_this if is_off else f"See what they were: {ALL_ALERTS} {device.gateway}/{device.unit}",
    )


def _item(alert: Alert, step: Reason | None, number: int, directory: Directory) -> Item:
    """`step`: the change that it tells, as it was; the alert itself may be further on by now."""
    stage = step.stage if step and step.stage else alert.stage
    what = What(step.code) if step else What.FIRED
    kind = CATALOGUE.get(_unsteady(alert, what) or stage)
    label, place = names(alert.subject, directory)
    return Item(
        alert=alert.id,
        number=number,
        what=what,
        stage=stage,
        severity=step.severity if step and step.severity else alert.severity,
        label=label,
        place=place,
        at=step.at if step else alert.changed_at,
        onset_at=alert.onset_at,
        happened=_sentence(step.reason if step else ""),
        meaning=kind.meaning if kind else "",
        do_this=_advice(kind, what),
        details={name: value for name, value in alert.details.items() if name not in LISTS},
        lists=labels_listed(alert.details),
    )


def _advice(kind: EventType | None, what: What) -> str:
    """Nothing is to be done about what came and went; of a moment what to do stays."""
    if kind is None:
        return ""
    return NOTHING if what is What.SUMMARY and kind.name in LASTING else kind.do_this


def _unsteady(alert: Alert, what: What) -> str:
    """The event type whose meaning and advice go with what comes and goes; empty of what does not."""
    if what is What.UNSTABLE:
        return UNSTABLE
    return STABLE if what is What.RESOLVED and alert.unstable else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith(".") else ".")


def names(subject: Subject, directory: Directory) -> tuple[str, str]:
    """What people call it, and its place."""
    match subject.kind:
        case Kind.UNIT:
            device = _device(subject, directory)
            site = directory.sites.get(device.site or 0) if device else None
            return (device.label if device else subject.name), (site.name if site else "")
        case Kind.SITE:
            site = directory.sites.get(_number(subject.name))
            return (site.name if site else f"site {subject.name}"), ""
        case Kind.CHANNEL:
            channel = directory.channels.get(_number(subject.name))
            return (f"channel {channel.name}" if channel else f"channel {subject.name}"), ""
        case Kind.GATEWAY:
            return f"gateway {subject.name}", ""
        case Kind.CLOUD:
            return "this cloud", ""


def _device(subject: Subject, directory: Directory) -> Device | None:
    gateway, _, unit = subject.name.partition("/")
    return next((one for one in directory.devices.values() if (one.gateway, one.unit) == (gateway, unit)), None)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
