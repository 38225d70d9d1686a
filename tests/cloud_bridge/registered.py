"""A registry's directory as a value: two owners, their devices and what they wish for."""

from __future__ import annotations

from cloud_bridge.alerts.terms import (
    Channel,
    Device,
    Directory,
    Escalation,
    Owner,
    Policy,
    Quiet,
    Route,
    Rule,
    Scope,
    Silence,
    Site,
)
from drivers.ups import Severity

NOW = 1_795_487_455_123
HOUR = 3_600_000
ADA, BOB = 1, 2

DIRECTORY = Directory(
    owners={
        ADA: Owner(id=ADA, name="Ada", email="ada@example.net", time_zone="Europe/Berlin", created_at=NOW),
        BOB: Owner(id=BOB, name="Bob", email="bob@example.net", created_at=NOW),
    },
    sites={1: Site(id=1, owner=ADA, name="Cellar"), 2: Site(id=2, owner=BOB, name="Cellar")},
    devices={
        1: Device(id=1, gateway="pi-1", unit="rack-1", serial="AS1", owner=ADA, site=1, tags=("lab",), name="big"),
        2: Device(id=2, gateway="pi-1", unit="rack-2", serial="AS2", owner=BOB),
        3: Device(id=3, gateway="pi-2", unit="rack-1", serial="AS1"),
        4: Device(id=4, gateway="pi-2", unit="rack-2", name="big"),
    },
    channels={
        1: Channel(id=1, owner=ADA, name="mail", kind="mail", target="ada@example.net"),
        2: Channel(id=2, owner=BOB, name="mail", kind="mail", target="bob@example.net"),
        3: Channel(id=3, owner=None, name="hook", kind="webhook", target="https://hooks.example.net/T0/secret"),
        4: Channel(id=4, owner=ADA, name="phone", kind="apprise", target="ntfy://token@ntfy.sh/topic"),
    },
    policies={
        1: Policy(id=1, owner=ADA, name="default", channel=1, saved_at=NOW),
        2: Policy(
            id=2,
            owner=ADA,
            name="night",
            channel=1,
            least=Severity.CRITICAL,
            scope=Scope(devices=(1,), sites=(1,), tags=("lab",)),
            conditions=("outage", "replace_battery"),
            quiet=Quiet(since="22:00", until="06:30", days=(0, 1), breaks_through=None),
            escalation=Escalation(after_s=900, channel=4),
            saved_at=NOW,
        ),
    },
    rules={1: Rule(id=1, owner=ADA, name="hot", reading="battery_temp_c", above=True, limit=40, clear=38)},
    silences={1: Silence(id=1, owner=ADA, starts_at=NOW - HOUR, ends_at=NOW + HOUR, scope=Scope(sites=(1,)))},
    routes=Route(channel="hook"),
)

Fields = dict[str, object]
POLICY: Fields = {"owner": "Ada", "name": "new", "channel": "mail"}
RULE: Fields = {"owner": "Ada", "name": "new", "reading": "load_pct", "above": 80}
HOOK: Fields = {"name": "new", "kind": "webhook", "target": "https://hooks.example.net/x"}


def anywhere(_kind: str, _target: str) -> None:
    """Every target will do."""
