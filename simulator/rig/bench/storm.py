"""A storm: 10,000 events of 1,000 units in a minute, told by twenty gateways' real uplinks to a real cloud whose owners
have the policy and the channel that a new owner has; what becomes of it as mails, and what it costs the alerts role.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from rich.progress import Progress
from sqlalchemy import Connection, select

from cloud_bridge.alerts.conditions import condition_of
from cloud_bridge.alerts.model import Alert, Subject, unit_of
from cloud_bridge.alerts.model import Kind as SubjectKind
from cloud_bridge.alerts.notice import Notification, State
from cloud_bridge.runtime.administer import wishes
from cloud_bridge.runtime.administer.office import open_office
from cloud_bridge.runtime.alerts.session import POSITION
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.init import add_gateway, open_folder
from cloud_bridge.store.queue import Queue
from cloud_bridge.store.registry import alerting
from cloud_bridge.store.registry.alert_tables import alerts, devices, notifications
from cloud_bridge.store.registry.registry import Registry
from drivers.ups import CATALOGUE, Severity
from gateway.wire.messages import Scalar
from simulator.rig.alerting import Household, settle, tells_by_mail
from simulator.rig.figures import Findings, Result
from simulator.rig.fleet import Talker, fleet
from simulator.rig.letters import Letters, letters
from simulator.rig.patience import until
from simulator.rig.usage import usage
from simulator.rig.world import World

GATEWAYS, UNITS_EACH, OWNERS = 20, 50, 10
UNITS = GATEWAYS * UNITS_EACH
SITES_EACH = 2
"""Of a gateway."""
SITE_OUTAGE = "site_outage"
SCRIPT = (
    "on_battery",
    "low_battery",
    "low_battery_cleared",
    "mains_restored",
    "overload",
    "overload_cleared",
    "fan_fault",
    "fan_fault_cleared",
    "battery_disconnected",
    "output_off",
)
"""What happens to each unit, in this order."""
EVENTS = UNITS * len(SCRIPT)
STORM_S = 60.0
PER_MINUTE, GROUP_S = 30, 300
"""What a new channel and a new policy have."""
LOOK_S = 0.5
DRAINED_S, SENT_S = 300.0, 600.0
"""Patience; the second for what is grouped."""
MEMORY_MB, DRAIN_S = 200.0, 60.0
MAILS = 1000
"""One for ten events: what is bounded has a bound."""
DETAILS: dict[str, Scalar] = {"charge_pct": 61.0, "runtime_s": 540, "load_pct": 42.5, "input_v": 0.0}


_alert = msgspec.json.Decoder(Alert)
_notification = msgspec.json.Decoder(Notification)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`critical`: unit and condition of what was told as critical. `sites`: each unit's, as subjects. `mails`: that
    came. `read_s`, `drained_s`: from the last event until the queue was read, and until nothing that was due was left.
    """

    critical: frozenset[tuple[str, str]]
    sites: Mapping[str, str]
    alerts: Sequence[Alert]
    notifications: Sequence[Notification]
    mails: int
    resident_mb: float
    read_s: float
    drained_s: float

    def results(self) -> list[Result]:
        sent = [each for each in self.notifications if each.state is State.SENT]
        lost = len(lost_criticals(self.critical, self.alerts, sent, self.sites))
        storm = f"{EVENTS} events of {UNITS} units in {STORM_S:g} s"
        return [
            Result(name=f"{storm}: mails that came of it", value=self.mails, limit=MAILS),
            Result(name="notifications in them, joined where a channel had its share", value=len(sent)),
            Result(name="alerts that were critical", value=len(_critical(self.alerts))),
            Result(name="of those, lost", value=lost, limit=0),
            Result(name="resident memory of the alerts role, most", value=self.resident_mb, unit="MB", limit=MEMORY_MB),
            Result(name="until the alerts role had read the last event", value=self.read_s, unit="s"),
            Result(name="until nothing due was left", value=self.drained_s, unit="s", limit=DRAIN_S),
        ]


def lost_criticals(
    told: Iterable[tuple[str, str]],
    found: Sequence[Alert],
    sent: Iterable[Notification],
    sites: Mapping[str, str] = {},
) -> set[tuple[str, str]]:
    """Subject and condition of each critical that nobody heard of as such: it made no critical alert, or one that is in
    no critical notification, nor is covered by an incident that is. `sites`: the site of each unit, as subjects."""
    heard = {alert for each in sent if each.severity is Severity.CRITICAL for alert, _ in each.alerts}
    critical = _critical(found)
    incidents: dict[str, list[Alert]] = {}
    for each in found:
        if each.condition == SITE_OUTAGE and each.id in heard:
            incidents.setdefault(str(each.subject), []).append(each)

    def is_heard(alert: Alert) -> bool:
        covering = incidents.get(sites.get(str(alert.subject), ""), ())
        return bool({alert.id, alert.covered_by} & heard) or any(_overlap(alert, each) for each in covering)

    silent = {(str(each.subject), each.condition) for each in critical if not is_heard(each)}
    return silent | (set(told) - {(str(each.subject), each.condition) for each in critical})


def _critical(found: Iterable[Alert]) -> list[Alert]:
    return [each for each in found if each.worst is Severity.CRITICAL]


def _overlap(one: Alert, other: Alert) -> bool:
    """Whether they were so at one time."""
    return all(
        ended.resolved_at is None or ended.resolved_at >= begun.onset_at
        for ended, begun in ((one, other), (other, one))
    )


async def measure(folder: Path, progress: Progress) -> Findings:
    world = World(folder, (), later=("cloud", "gateway"), roles_apart=True)
    async with letters() as box:
        outcome = await world.play(lambda world: _scene(world, box, progress))
    return Findings(outcome.results())


def unit_names() -> tuple[str, ...]:
    """Of each gateway."""
    return tuple(f"unit-{number}" for number in range(1, UNITS_EACH + 1))


def households() -> list[Household]:
    """Every owner has the units of some gateways, at sites of their own."""
    names, found = unit_names(), []
    share = UNITS_EACH // SITES_EACH
    for owner in range(OWNERS):
        sites = {
            f"{gateway} {site}": tuple(f"{gateway}/{unit}" for unit in names[site * share : (site + 1) * share])
            for gateway in gateway_names()[owner::OWNERS]
            for site in range(SITES_EACH)
        }
        found.append(Household(owner=f"owner-{owner}", devices=sites))
    return found


def gateway_names() -> tuple[str, ...]:
    return tuple(f"gateway-{number}" for number in range(1, GATEWAYS + 1))


def timetable(seed: int = 1) -> list[tuple[str, str, str]]:
    """Gateway, unit and type of each event, in the order of time, evenly apart: every unit's own in SCRIPT's order."""
    chance = random.Random(seed)
    units = [(gateway, unit) for gateway in gateway_names() for unit in unit_names()]
    table = []
    for kind in SCRIPT:
        chance.shuffle(units)
        table += [(gateway, unit, kind) for gateway, unit in units]
    return table


class Memory:
    """The most that the alerts role had, looked at twice a second."""

    def __init__(self, world: World) -> None:
        self._role = world.roles["alerts"]
        self.most_mb = 0.0

    async def watch(self) -> None:
        while True:
            if (pid := self._role.pid) is not None:
                self.most_mb = max(self.most_mb, usage(pid).resident_mb)
            await asyncio.sleep(LOOK_S)


async def _scene(world: World, box: Letters, progress: Progress) -> Outcome:
    tells_by_mail(world.cloud, box.port)
    await asyncio.to_thread(_found, world)
    await world.start_cloud()
    memory = Memory(world)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(memory.watch(), name="memory")
        (read_s, drained_s), registry = await _storm(world, progress)
        watching.cancel()
    with registry, registry.reading() as connection:
        return Outcome(
            critical=frozenset(critical_of(timetable())),
            sites=_sites(connection),
            alerts=[_alert.decode(body) for body in connection.execute(select(alerts.c.body)).scalars()],
            notifications=_notifications(connection),
            mails=len(box.taken),
            resident_mb=memory.most_mb,
            read_s=read_s,
            drained_s=drained_s,
        )


def _found(world: World) -> None:
    """Gateways, owners, and an operator who hears of outages of many sites."""
    for name in gateway_names():
        add_gateway(world.cloud.root, name)
    settle(world.cloud.root, households(), per_minute=PER_MINUTE, group_s=GROUP_S)
    with open_office(world.cloud.root) as office:
        wishes.add_channel(office, {"name": "operator", "kind": "mail", "target": "operator@example.net"})
        wishes.add_policy(office, {"name": "sites", "channel": "operator", "conditions": ["sites_outage"]})


async def _storm(world: World, progress: Progress) -> tuple[tuple[float, float], Registry]:
    """Tells everything, and waits until it was told to people: `read_s` and `drained_s`, and the registry."""
    folders = [world.cloud.gateway(name) for name in gateway_names()]
    async with fleet(folders, unit_names()) as talkers:
        await _tell(talkers, progress)
        ended_s = time.monotonic()
        await until(lambda: not any(each.waiting for each in talkers.values()), "the storm in the database", DRAINED_S)
        registry = Registry(open_folder(world.cloud.root)[1].registry_at)
        await until(lambda: _is_read(registry, world.database), "the alerts of the storm", DRAINED_S)
        read_s = time.monotonic() - ended_s
        await until(lambda: not _waiting(registry, now_ms()), "the end of the storm's notices", DRAINED_S)
        drained_s = time.monotonic() - ended_s
        bar = progress.add_task("storm: what is grouped", total=None)
        await until(lambda: not _waiting(registry, now_ms() + SENT_S * 1000), "the last grouped notice", SENT_S)
        progress.remove_task(bar)
        return (read_s, drained_s), registry


async def _tell(talkers: Mapping[str, Talker], progress: Progress) -> None:
    """Each event at its time."""
    bar, loop = progress.add_task("storm", total=EVENTS), asyncio.get_running_loop()
    began_s = loop.time()
    for number, (gateway, unit, kind) in enumerate(timetable()):
        if (wait_s := began_s + number * STORM_S / EVENTS - loop.time()) > 0:
            await asyncio.sleep(wait_s)
        talkers[gateway].tell(unit, kind, DETAILS)
        progress.advance(bar)


def critical_of(table: Iterable[tuple[str, str, str]]) -> set[tuple[str, str]]:
    """Subject and condition of the events that are critical."""
    return {
        (str(unit_of(gateway, unit)), condition)
        for gateway, unit, kind in table
        if CATALOGUE[kind].severity is Severity.CRITICAL and (condition := condition_of(kind)) is not None
    }


def _is_read(registry: Registry, database: Path) -> bool:
    with registry.reading() as connection, Queue(database) as queue:
        return not queue.after(alerting.position(connection, POSITION), 1)


def _waiting(registry: Registry, until_at: float) -> bool:
    with registry.reading() as connection:
        return any(each.due_at <= until_at for each in alerting.waiting(connection))


def _notifications(connection: Connection) -> list[Notification]:
    bodies = connection.execute(select(notifications.c.body)).scalars()
    return [_notification.decode(body) for body in bodies]


def _sites(connection: Connection) -> dict[str, str]:
    rows = connection.execute(select(devices.c.gateway, devices.c.unit, devices.c.site))
    return {str(unit_of(gateway, unit)): str(Subject(SubjectKind.SITE, str(site))) for gateway, unit, site in rows}
