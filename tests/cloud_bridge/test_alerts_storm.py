"""A storm: 10,000 events of 1,000 units, faster than in a minute."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from cloud_bridge.alerts.model import Phase
from cloud_bridge.alerts.notice import About, State
from cloud_bridge.store.registry import alerting
from drivers.ups import Severity
from tests.cloud_bridge.alerting import House, mails
from tests.cloud_bridge.talker import eventually
from tests.conftest import Start

UNITS, EACH_GATEWAY = 1000, 50
TYPES = (
    *("on_battery", "fan_fault", "low_battery", "charger_fault", "overload"),
    *("overload_cleared", "mains_restored", "fan_fault_cleared", "replace_battery", "site_wiring_fault"),
)
DRAINED_S = 60.0
MEMORY = 200 * 2**20
MAILS_AT_MOST = 100


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_storm_is_a_few_mails_loses_no_critical_and_is_worked_off_in_a_minute(tmp_path: Path, start: Start) -> None:
    units = {f"pi-{n // EACH_GATEWAY}": list[str]() for n in range(UNITS)}
    for number in range(UNITS):
        units[f"pi-{number // EACH_GATEWAY}"].append(f"u-{number}")
    with mails() as post:
        house = House(tmp_path / "cloud", post.box.port, units=(), per_minute=30, on_battery_hold_s=10, end_hold_s=5)
        house.owns(units)
        role = house.role(start)
        for type_ in TYPES:
            for gateway, names in units.items():
                house.tells_all([(name, type_, {}) for name in names], gateway=gateway)
        stored_at = time.monotonic()
        eventually(lambda: position(house) == UNITS * len(TYPES), "not worked off", within_s=DRAINED_S)
        drained_s = time.monotonic() - stored_at
        memory = psutil.Process(role.pid).memory_info().rss
        eventually(lambda: criticals_are_sent(house), "a critical was not sent", within_s=180)
        sent = len(post.box.letters)
        assert role.terminate() == 0
        house.close()
    assert (drained_s < DRAINED_S, memory < MEMORY, sent <= MAILS_AT_MOST) == (True, True, True), (
        drained_s,
        memory,
        sent,
    )


def position(house: House) -> int:
    with house.registry() as registry, registry.reading() as connection:
        return alerting.position(connection, "alerts")


def criticals_are_sent(house: House) -> bool:
    """Of each alert that was critical somebody has been told."""
    critical = {
        alert.id for alert in house.alerts() if alert.worst is Severity.CRITICAL and alert.phase is not Phase.PENDING
    }
    found = [one for one in house.notifications() if one.severity is Severity.CRITICAL and one.about is About.ALERT]
    told = {alert for one in found if one.state is State.SENT for alert, _ in one.alerts}
    return critical <= told and len(critical) >= 2 * UNITS
