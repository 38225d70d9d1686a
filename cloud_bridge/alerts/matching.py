"""Whom an alert concerns, and what fits it: scopes, conditions, severities. Pure."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

import msgspec

from cloud_bridge.alerts.conditions import UNSTABLE, kind_of
from cloud_bridge.alerts.model import Alert, Change, Kind, Phase, Subject, What
from cloud_bridge.alerts.ranks import RANK
from cloud_bridge.alerts.standing import Standing
from cloud_bridge.alerts.terms import Device, Directory, Scope
from cloud_bridge.alerts.tree import Facts
from drivers.ups import Severity

CRITICAL = Severity.CRITICAL


def at_least(severity: Severity, least: Severity) -> bool:
    return RANK[severity] >= RANK[least]


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """What a subject is to people. `devices`: the unit, or all of a gateway or a site; `owners`: theirs, or the
    site's, or the channel's; empty: nobody but the operator. `place`: its site, else its gateway; `label`: for reasons.
    """

    subject: Subject
    label: str
    devices: tuple[Device, ...] = ()
    owners: tuple[int, ...] = ()
    sites: frozenset[int] = frozenset()
    channel: int | None = None
    place: str = ""

    @property
    def device(self) -> Device | None:
        """The unit that it is about, if it is one that the registry has."""
        return self.devices[0] if self.subject.kind is Kind.UNIT and self.devices else None


class Case(msgspec.Struct, frozen=True, dict=True):
    """One change, whom it concerns, and how things are."""

    change: Change
    matter: Matter
    standing: Standing
    now: int

    @property
    def alert(self) -> Alert:
        return self.change.alert

    @property
    def severity(self) -> Severity:
        """Of what is told by it: of a summary the worst that it was."""
        return self.alert.worst if self.change.what is What.SUMMARY else self.alert.severity

    @cached_property
    def others(self) -> tuple[Alert, ...]:
        """Firing alerts that are of no unit: incidents and failing channels are among them."""
        return tuple(
            alert
            for alert in self.standing.alerts.values()
            if alert.subject.kind is not Kind.UNIT and alert.phase is Phase.FIRING
        )

    @property
    def directory(self) -> Directory:
        return self.standing.directory


def matter_of(subject: Subject, directory: Directory) -> Matter:
    """One that the registry does not know concerns the operator alone."""
    if subject.kind in (Kind.UNIT, Kind.GATEWAY):
        return _of_devices(subject, directory)
    number = int(subject.name) if subject.name.isdecimal() else -1
    if subject.kind is Kind.SITE and (site := directory.sites.get(number)):
        return Matter(
            subject=subject,
            label=site.name,
            devices=directory.at_site.get(number, ()),
            owners=(site.owner,),
            sites=frozenset({number}),
            place=f"site {number}",
        )
    if subject.kind is Kind.CHANNEL and (channel := directory.channels.get(number)):
        owners = () if channel.owner is None else (channel.owner,)
        return Matter(subject=subject, label=f"channel {channel.name}", owners=owners, channel=number, place="channels")
    return Matter(subject=subject, label=str(subject), place=str(subject.kind))


def _of_devices(subject: Subject, directory: Directory) -> Matter:
    gateway, found = subject.gateway, directory.units.get(subject.name)
    devices = directory.at_gateway.get(gateway, ()) if subject.kind is Kind.GATEWAY else (found,) if found else ()
    sites = frozenset(device.site for device in devices if device.site is not None)
    return Matter(
        subject=subject,
        label=devices[0].label if subject.kind is Kind.UNIT and devices else subject.name,
        devices=devices,
        owners=tuple(sorted({device.owner for device in devices if device.owner is not None})),
        sites=sites,
        place=f"site {min(sites)}" if len(sites) == 1 else f"gateway {gateway}",
    )


def of_owner(matter: Matter, owner: int | None) -> tuple[Device, ...]:
    """Its devices that are this owner's; of the operator all."""
    return tuple(device for device in matter.devices if owner is None or device.owner == owner)


def touches(scope: Scope, matter: Matter, owner: int | None) -> bool:
    """Whether a policy for `scope` is for it: for one of its devices at least. A channel, and the cloud itself, are
    no device, and no scope leaves them out."""
    if scope == Scope() or matter.subject.kind in (Kind.CHANNEL, Kind.CLOUD):
        return True
    if matter.subject.kind is Kind.SITE and not matter.sites.isdisjoint(scope.sites):
        return True
    return any(has(scope, device) for device in of_owner(matter, owner))


def covers(scope: Scope, matter: Matter, owner: int | None) -> bool:
    """Whether a silence of `scope` is of all of it: of every device of that owner. Of the cloud and of a channel it is
    only where no device is named."""
    if scope == Scope():
        return True
    devices = of_owner(matter, owner)
    return bool(devices) and all(has(scope, device) for device in devices)


def has(scope: Scope, device: Device) -> bool:
    """Whether one of its lists names the device."""
    return device.id in scope.devices or device.site in scope.sites or not set(scope.tags).isdisjoint(device.tags)


def names(conditions: Collection[str], alert: Alert) -> bool:
    """Whether one of them is a name of it (`names_of`)."""
    return not names_of(alert).isdisjoint(conditions)


def names_of(alert: Alert) -> frozenset[str]:
    """Its condition, without the rule's number behind a colon too, its stage, and that it comes and goes if it does."""
    words = {alert.condition, kind_of(alert.condition), alert.stage}
    return frozenset(words | {UNSTABLE} if alert.unstable else words)


def facts(case: Case) -> Facts:
    """What the operator's tree matches."""
    matter, directory, alert = case.matter, case.directory, case.alert
    units = {name for device in matter.devices for name in (device.unit, device.label)}
    gateways = {matter.subject.gateway} - {""} | {device.gateway for device in matter.devices}
    owners = {directory.owners[owner].name for owner in matter.owners if owner in directory.owners}
    return {
        "owner": frozenset(owners),
        "site": frozenset(directory.sites[site].name for site in matter.sites if site in directory.sites),
        "tag": frozenset(tag for device in matter.devices for tag in device.tags),
        "gateway": frozenset(gateways),
        "unit": frozenset(units | ({matter.subject.name.partition("/")[2]} - {""})),
        "condition": names_of(alert),
        "severity": frozenset({str(case.severity)}),
    }
