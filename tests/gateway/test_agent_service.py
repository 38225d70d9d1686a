"""The gateway as a service: readiness, watchdog, reload, stop; each with a real process."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cloud_bridge.store.database import FILE_NAME
from cloud_bridge.store.reader import Reader
from gateway.runtime.agent import STOP_S
from tests.cloud_bridge.talker import eventually, free_port
from tests.conftest import Start
from tests.gateway.site import QUICK, Site, control
from tests.manager import Manager
from tests.process import Process


@pytest.fixture
def site(tmp_path: Path, start: Start) -> Site:
    return Site(tmp_path, start)


def unit_lines(*units: tuple[str, str]) -> str:
    """Units for the end of gateway.yaml, by name and what follows the scheme of their URLs."""
    lines = [f'  - {{name: {name}, url: "modbus+tcp://{rest}"}}' for name, rest in units]
    return "\n".join(["units:", *lines, ""]) if units else "units: []\n"


def at(unit: Process) -> str:
    return f"{unit.address('modbus-tcp')}?{QUICK}"


class Settings:
    """gateway.yaml without its units, to be written with others."""

    def __init__(self, site: Site) -> None:
        self.path = site.config
        self.head = self.path.read_text().partition("units:")[0]

    def write(self, *units: tuple[str, str], more: str = "") -> None:
        self.path.write_text(f"{self.head}\n{more}\n{unit_lines(*units)}")


def run(site: Site, manager: Manager) -> Process:
    return site.start("gateway", "run", "--config", site.config, ready=["gateway"], env=manager.environment)


def test_the_manager_hears_that_it_is_ready_alive_and_stopping(site: Site, tmp_path: Path) -> None:
    with Manager(tmp_path, watchdog_s=1.0) as manager:
        gateway = run(site, manager)
        manager.hears("READY=1")
        manager.hears("WATCHDOG=1", times=3)
        assert manager.hears("STATUS=") == "STATUS=units: 0; cloud: no connection; records waiting for it: 1"
        assert gateway.terminate() == 0
        manager.hears("STOPPING=1")


def test_a_reload_starts_and_stops_units_and_leaves_the_others_and_the_connection_alone(
    site: Site, tmp_path: Path
) -> None:
    site.broker()
    site.ingest()
    stays, goes, comes = (site.unit(0, "--serial", f"AS000000000{n}") for n in range(3))
    settings = Settings(site)
    settings.write(("stays", at(stays)), ("goes", at(goes)))
    with Manager(tmp_path) as manager:
        gateway = run(site, manager)
        gateway.logged("connected to the cloud")
        gateway.logged("answers", times=2)
        settings.write(("stays", at(stays)), ("comes", at(comes)))
        gateway.hang_up()
        manager.hears("RELOADING=1\nMONOTONIC_USEC=")
        manager.hears("READY=1", times=2)
    gateway.logged("the settings were read again: stopped goes; started comes")
    gateway.logged("comes: Smart-UPS")
    for unit in (stays, goes, comes):
        control(unit, "mains", "off")
    site.wait_for("stays", ["on_battery"], gateway)
    site.wait_for("comes", ["on_battery"], gateway)
    assert site.types("goes") == []
    assert gateway.stderr.count("stays: Smart-UPS") == 1
    assert gateway.stderr.count("connected to the cloud") == 1
    assert "no connection to the cloud" not in gateway.stderr


def test_a_changed_unit_goes_on_where_it_was_and_tells_nothing_twice(site: Site, tmp_path: Path) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    settings = Settings(site)
    settings.write(("rack-1", at(unit)))
    with Manager(tmp_path) as manager:
        gateway = run(site, manager)
        gateway.logged("answers")
        control(unit, "mains", "off")
        site.wait_for("rack-1", ["on_battery"], gateway)
        settings.write(("rack-1", f"{at(unit)}&timeout_s=3"))
        gateway.hang_up()
        manager.hears("READY=1", times=2)
    gateway.logged("changed rack-1")
    control(unit, "mains", "on")
    site.wait_for("rack-1", ["on_battery", "mains_restored"], gateway)


def test_wrong_settings_are_told_with_their_place_and_the_old_ones_go_on(site: Site, tmp_path: Path) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    settings = Settings(site)
    settings.write(("rack-1", at(unit)))
    with Manager(tmp_path) as manager:
        gateway = run(site, manager)
        gateway.logged("answers")
        settings.path.write_text(settings.path.read_text().replace("name: rack-1", "nam: rack-1"))
        gateway.hang_up()
        manager.hears("READY=1", times=2)
    line = settings.path.read_text().splitlines().index("units:") + 2
    gateway.logged("the settings stay as they were")
    assert f"gateway.yaml:{line}:6: units[0].nam: unknown key" in gateway.stderr
    control(unit, "mains", "off")
    site.wait_for("rack-1", ["on_battery"], gateway)


def test_another_name_takes_a_restart_and_nothing_else_is_taken_with_it(site: Site, tmp_path: Path) -> None:
    unit = site.unit()
    settings = Settings(site)
    settings.write()
    with Manager(tmp_path) as manager:
        gateway = run(site, manager)
        settings.write(("rack-1", at(unit)), more="outbox_mb: 64")
        gateway.hang_up()
        manager.hears("READY=1", times=2)
    gateway.logged("outbox_mb changed: that takes a restart")
    assert "answers" not in gateway.stderr


def test_another_broker_is_connected_to_at_once(site: Site, tmp_path: Path) -> None:
    settings = Settings(site)
    there = settings.head
    settings.head = re.sub(r"(mqtts://[^:]*):\d+", rf"\1:{free_port()}", there)
    assert settings.head != there
    settings.write()
    site.broker()
    site.ingest()
    with Manager(tmp_path) as manager:
        gateway = run(site, manager)
        gateway.logged("Connection refused")
        settings.head = there
        settings.write()
        gateway.hang_up()
        manager.hears("READY=1", times=2)
    gateway.logged("the settings were read again: new connection")
    gateway.logged("connected to the cloud", within_s=10.0)


def test_a_unit_of_the_command_line_stays_through_a_reload(site: Site, tmp_path: Path) -> None:
    unit = site.unit()
    Settings(site).write()
    with Manager(tmp_path) as manager:
        url = f"modbus+tcp://{at(unit)}"
        command = ("gateway", "run", "--config", site.config, f"--unit=rack-1={url}")
        gateway = site.start(*command, ready=["gateway"], env=manager.environment)
        gateway.logged("answers")
        gateway.hang_up()
        manager.hears("READY=1", times=2)
    gateway.logged("the settings were read again: nothing changed")
    control(unit, "mains", "off")
    gateway.logged("rack-1: on_battery")
    assert gateway.stderr.count("answers") == 1


def test_a_stop_ends_in_its_time_though_the_disk_takes_nothing(site: Site) -> None:
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("answers")
    with closing(sqlite3.connect(site.outbox, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        gateway.terminate(within_s=STOP_S + 5.0)
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("answers")
    assert gateway.terminate() == 0


def test_health_is_said_as_soon_as_the_cloud_answers(site: Site) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("connected to the cloud")

    def said() -> list[str]:
        with Reader(site.cloud / "data" / FILE_NAME) as reader:
            return [name for row in reader.gateways() if row.health is not None for name in row.health.units]

    eventually(lambda: said() == ["rack-1"], "health told")
