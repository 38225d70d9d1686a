"""A registry with an owner who gets notices: what links and the API are tried on."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from cloud_bridge.alerts.model import Alert, Phase, alert_id, unit_of
from cloud_bridge.alerts.standing import Mute, Told
from cloud_bridge.alerts.terms import Channel, Device, Owner, Policy
from cloud_bridge.store.registry import alerting, heard, people, schema, values, wishes
from cloud_bridge.store.registry.registry import Registry
from drivers.ups import Severity

ADDRESS = "ada@example.net"
GATEWAY, UNIT = "pi-1", "rack-1"
SUBJECT = unit_of(GATEWAY, UNIT)


class World:
    """Ada, her mail channel, her policy, her device, and one alert of it that the channel heard of."""

    def __init__(self, registry: Registry, now: int, sealed: bytes = b"sealed") -> None:
        self.registry, self.now = registry, now
        with registry.writing() as connection:
            self.owner = values.added(connection, Owner(id=0, name="ada", email=ADDRESS, created_at=now))
            channel = Channel(id=0, owner=self.owner.id, name="mail", kind="mail", target=ADDRESS)
            self.channel = wishes.add_channel(connection, channel, sealed)
            policy = Policy(id=0, owner=self.owner.id, name="default <b>", channel=self.channel.id, saved_at=now)
            self.policy = wishes.add_policy(connection, policy)
            device = Device(id=0, gateway=GATEWAY, unit=UNIT, name="Rack <1>", owner=self.owner.id)
            self.device = people.add_device(connection, device)
            self.alert = self.alert_of("outage", "m1")
            alerting.keep_alerts(connection, [self.alert])
            told = Told(worst=Severity.WARNING, number=2, at=now)
            heard.keep_told(connection, {(self.alert.id, self.channel.id): told})

    def alert_of(self, condition: str, mark: str, phase: Phase = Phase.FIRING, at: int = 0) -> Alert:
        return Alert(
            id=alert_id(SUBJECT, condition, mark),
            subject=SUBJECT,
            condition=condition,
            mark=mark,
            number=2,
            phase=phase,
            stage="on_battery",
            severity=Severity.WARNING,
            worst=Severity.WARNING,
            onset_at=at or self.now,
            changed_at=at or self.now,
        )

    def mute(self, number: int = 1, lasts_ms: int = 7 * 86_400_000) -> Mute:
        """The device's, with something counted."""
        made = Mute(device=self.device.id, id=f"{number:032x}", since=self.now, until=self.now + lasts_ms)
        with self.registry.writing() as connection:
            heard.keep_mutes(connection, [made])
            heard.add_counted(connection, [(self.alert.id, n, self.device.id, self.now) for n in range(7)])
        return made

    def rows(self) -> Mapping[str, list[tuple[object, ...]]]:
        """Everything there is, but for the number that tells of changes."""
        with self.registry.reading() as connection:
            tables = [table for table in schema.metadata.sorted_tables if table.name != "changes"]
            return {table.name: [tuple(row) for row in connection.execute(select(table))] for table in tables}
