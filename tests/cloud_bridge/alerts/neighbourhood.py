"""Two owners, their sites, units and channels, an operator; and what can be said of how things stand with them.

Ann (Berlin) has rack-1 and rack-2 in the cellar, both on pi-1, and nas in the attic on pi-2; Bob (New York) has shed on
pi-3; nobody owns stray on pi-9. Each owner has a policy `default` to the owner's mail; the operator has no wish yet.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from cloud_bridge.alerts.flood import DIGEST_EVERY_MS
from cloud_bridge.alerts.model import Alert, Change, Kind, Phase, Subject, What, alert_id
from cloud_bridge.alerts.standing import Decision, Mute, Planned, Routed, Standing, Told, Verdict
from cloud_bridge.alerts.terms import (
    Channel,
    Device,
    Directory,
    Owner,
    Policy,
    Quiet,
    Silence,
    Site,
    Terms,
)
from cloud_bridge.alerts.tree import parse_routes
from drivers.ups import Severity

INFO, WARNING, CRITICAL = Severity.INFORMATIONAL, Severity.WARNING, Severity.CRITICAL
NOW = int(datetime(2026, 11, 24, 12, 0, tzinfo=UTC).timestamp()) * 1000
"""A Tuesday; in Berlin it is 13:00, in New York 7:00."""
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
DAY = 24 * HOUR

ANN, BOB = 1, 2
CELLAR, ATTIC, SHED = 1, 2, 3
RACK_1, RACK_2, NAS, SHED_UPS, STRAY = 1, 2, 3, 4, 5
ANN_DEFAULT, BOB_DEFAULT = 1, 2
CHANNELS = {"ann-mail": 1, "ann-phone": 2, "bob-mail": 3, "noc": 4, "noc-pager": 5}
_NAMES = {number: name for name, number in CHANNELS.items()}

DIRECTORY = Directory(
    owners={
        ANN: Owner(id=ANN, name="Ann", email="ann@example.net", time_zone="Europe/Berlin"),
        BOB: Owner(id=BOB, name="Bob", email="bob@example.net", time_zone="America/New_York"),
    },
    sites={
        CELLAR: Site(id=CELLAR, owner=ANN, name="cellar"),
        ATTIC: Site(id=ATTIC, owner=ANN, name="attic"),
        SHED: Site(id=SHED, owner=BOB, name="shed"),
    },
    devices={
        RACK_1: Device(id=RACK_1, gateway="pi-1", unit="rack-1", owner=ANN, site=CELLAR, tags=("lab",)),
        RACK_2: Device(id=RACK_2, gateway="pi-1", unit="rack-2", owner=ANN, site=CELLAR),
        NAS: Device(id=NAS, gateway="pi-2", unit="nas", owner=ANN, site=ATTIC, tags=("home",)),
        SHED_UPS: Device(id=SHED_UPS, gateway="pi-3", unit="shed", owner=BOB, site=SHED),
        STRAY: Device(id=STRAY, gateway="pi-9", unit="stray"),
    },
    channels={
        1: Channel(id=1, owner=ANN, name="mail", kind="mail", target="Ann@example.net"),
        2: Channel(id=2, owner=ANN, name="phone", kind="apprise", target="ntfys://ntfy.example.net/ann"),
        3: Channel(id=3, owner=BOB, name="mail", kind="mail", target="bob@example.net"),
        4: Channel(id=4, owner=None, name="noc", kind="webhook", target="https://noc.example.net/hook"),
        5: Channel(id=5, owner=None, name="noc-pager", kind="apprise", target="ntfys://ntfy.example.net/noc"),
    },
    policies={
        ANN_DEFAULT: Policy(id=ANN_DEFAULT, owner=ANN, name="default", channel=1),
        BOB_DEFAULT: Policy(id=BOB_DEFAULT, owner=BOB, name="default", channel=3),
    },
)
USUAL = Standing(directory=DIRECTORY, terms=Terms())
Given = Callable[[Standing], Standing]


def given(*changes: Given) -> Standing:
    """The usual standing, and what else there is."""
    standing = USUAL
    for change in changes:
        standing = change(standing)
    return standing


def subject(name: str) -> Subject:
    """`rack-1` is the unit, `pi-1` its gateway, `cellar` the site, `ann-mail` the channel, `cloud` the cloud."""
    for device in DIRECTORY.devices.values():
        if device.unit == name and device.id != SHED_UPS:
            return Subject(Kind.UNIT, f"{device.gateway}/{device.unit}")
    for site in DIRECTORY.sites.values():
        if site.name == name:
            return Subject(Kind.SITE, str(site.id))
    if name in CHANNELS:
        return Subject(Kind.CHANNEL, str(CHANNELS[name]))
    special = {"cloud": Subject(Kind.CLOUD), "shed-ups": Subject(Kind.UNIT, "pi-3/shed")}
    return special.get(name) or Subject(Kind.UNIT if "/" in name else Kind.GATEWAY, name)


def alert(of: str, condition: str = "outage", severity: Severity = WARNING, **fields: Any) -> Alert:
    """Firing since NOW, as its second step."""
    stage = "on_battery" if condition == "outage" else condition.partition(":")[0]
    usual: dict[str, Any] = {
        "number": 2,
        "phase": Phase.FIRING,
        "stage": stage,
        "worst": severity,
        "onset_at": NOW - 10 * SECOND,
        "changed_at": NOW,
        "fired_at": NOW,
        "mark": "1",
    }
    values = usual | fields
    id_ = alert_id(subject(of), condition, str(values["mark"]))
    return Alert(id=id_, subject=subject(of), condition=condition, severity=severity, **values)


def step(what: What, of: str, condition: str = "outage", severity: Severity = WARNING, **fields: Any) -> Change:
    """A change of `alert(of, condition, severity)`."""
    if what is What.RESOLVED:
        fields = {"phase": Phase.RESOLVED, "number": 5, "resolved_at": NOW} | fields
    by = fields.pop("by", "")
    return Change(alert=alert(of, condition, severity, **fields), what=what, at=NOW, reason="it is so", by=by)


def fired(of: str, condition: str = "outage", severity: Severity = WARNING, **fields: Any) -> Change:
    return step(What.FIRED, of, condition, severity, **fields)


def over(of: str, condition: str = "outage", **fields: Any) -> Change:
    return step(What.RESOLVED, of, condition, INFO, **fields)


def _directory(standing: Standing, **fields: Any) -> Standing:
    return msgspec.structs.replace(standing, directory=msgspec.structs.replace(standing.directory, **fields))


def policy(channel: str, owner: int | None = ANN, id: int = 7, **fields: Any) -> Given:
    """One more policy, `special`."""

    def add(standing: Standing) -> Standing:
        made = Policy(id=id, owner=owner, name="special", channel=CHANNELS[channel], **fields)
        return _directory(standing, policies={**standing.directory.policies, id: made})

    return add


def anns(**fields: Any) -> Given:
    """Ann's default policy, otherwise than usual."""

    def change(standing: Standing) -> Standing:
        policies = standing.directory.policies
        changed = msgspec.structs.replace(policies[ANN_DEFAULT], **fields)
        return _directory(standing, policies={**policies, ANN_DEFAULT: changed})

    return change


def without_policies(standing: Standing) -> Standing:
    return _directory(standing, policies={})


def channel(name: str, **fields: Any) -> Given:
    """A channel, otherwise than usual."""

    def change(standing: Standing) -> Standing:
        channels = standing.directory.channels
        changed = msgspec.structs.replace(channels[CHANNELS[name]], **fields)
        return _directory(standing, channels={**channels, CHANNELS[name]: changed})

    return change


def shared(standing: Standing) -> Standing:
    """Bob has a unit on pi-1 too."""
    guest = Device(id=9, gateway="pi-1", unit="guest", owner=BOB)
    return _directory(standing, devices={**standing.directory.devices, 9: guest})


def routes(text: str) -> Given:
    return lambda standing: _directory(standing, routes=parse_routes(text, "routes.yaml"))


def silence(owner: int | None = ANN, since: int = NOW - HOUR, until: int = NOW + HOUR, **fields: Any) -> Given:
    def add(standing: Standing) -> Standing:
        number = len(standing.directory.silences) + 1
        made = Silence(id=number, owner=owner, starts_at=since, ends_at=until, **fields)
        return _directory(standing, silences={**standing.directory.silences, number: made})

    return add


def planned(unit: str, *conditions: str, until: int = NOW + HOUR) -> Given:
    work = Planned(why="a self-test", until=until, conditions=frozenset(conditions))
    return lambda standing: msgspec.structs.replace(standing, planned={**standing.planned, unit: work})


def is_open(one: Alert) -> Given:
    return lambda standing: msgspec.structs.replace(standing, alerts={**standing.alerts, one.id: one})


def told(one: Alert, name: str, worst: Severity = WARNING, at: int = NOW - MINUTE, number: int = 2) -> Given:
    """That this channel heard of it."""
    entry = {(one.id, CHANNELS[name]): Told(worst=worst, number=number, at=at)}
    return lambda standing: msgspec.structs.replace(standing, told={**standing.told, **entry})


def counted(device: int, times: int, at: int = NOW - MINUTE) -> Given:
    entry = {device: tuple(at + n for n in range(times))}
    return lambda standing: msgspec.structs.replace(standing, counted={**standing.counted, **entry})


def muted(device: int, since: int = NOW - HOUR, **fields: Any) -> Given:
    """Since then for seven days, as Ann's mail knows."""
    usual: dict[str, Any] = {"until": since + 7 * DAY, "digest_at": since + DIGEST_EVERY_MS, "noticed": (1,)}
    mute = Mute(device=device, id=f"mute-of-{device}", since=since, **usual | fields)
    return lambda standing: msgspec.structs.replace(standing, mutes={**standing.mutes, device: mute})


def unsubscribed(address: str, policy_id: int = ANN_DEFAULT) -> Given:
    return lambda standing: msgspec.structs.replace(
        standing, unsubscribed=standing.unsubscribed | {(address, policy_id)}
    )


def terms(**fields: Any) -> Given:
    return lambda standing: msgspec.structs.replace(standing, terms=Terms(**fields))


def grouped(group: str, at: int) -> Given:
    return lambda standing: msgspec.structs.replace(standing, grouped={**standing.grouped, group: at})


def quiet(since: str, until: str, **fields: Any) -> Quiet:
    return Quiet(since=since, until=until, **fields)


def name_of(decision: Decision) -> str:
    """Of its channel; `nobody` where it has none."""
    return "nobody" if decision.channel is None else _NAMES[decision.channel]


def spoken(decisions: tuple[Decision, ...]) -> str:
    """Each decision in words, sorted: `ann-mail: at_once, not noc: silenced`."""
    words = (f"{'' if each.verdict is Verdict.SENT else 'not '}{name_of(each)}: {each.code}" for each in decisions)
    return ", ".join(sorted(words))


def after(standing: Standing, change: Change, routed: Routed, now: int) -> Standing:
    """`standing` once `change` and what became of it are in it, as the registry keeps it: what was told of an alert
    that is over too."""
    alert = change.alert
    told = {(alert.id, channel): each for channel, each in routed.told.items()}
    withheld = {(alert.id, channel): number for channel, number in routed.withheld.items()}
    kept = {key: number for key, number in standing.withheld.items() if key not in told}
    counted = dict(standing.counted)
    if routed.counted is not None:
        counted[routed.counted] = (*counted.get(routed.counted, ()), now)
    alerts = {**standing.alerts, alert.id: alert}
    if alert.phase is Phase.RESOLVED:
        del alerts[alert.id]
    return msgspec.structs.replace(
        standing,
        alerts=alerts,
        told={**standing.told, **told},
        withheld={**kept, **withheld},
        counted=counted,
        mutes=standing.mutes if routed.mute is None else {**standing.mutes, routed.mute.device: routed.mute},
        grouped={**standing.grouped, **routed.grouped},
        escalated=standing.escalated | ({(alert.id, change.by)} if change.what is What.ESCALATED else set()),
    )
