"""The gateway as a process, against a simulated unit, the embedded broker and ingest."""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from cloud_bridge.runtime.init import init
from gateway.wire.messages import Lane
from tests.cloud_bridge.conformance.brokers import mosquitto_at
from tests.cloud_bridge.talker import eventually, free_port
from tests.conftest import Start
from tests.gateway.site import NAME, Site, control, ridethrough


@pytest.fixture
def site(tmp_path: Path, start: Start) -> Site:
    return Site(tmp_path, start)


def test_an_outage_becomes_two_stored_events(site: Site) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("connected to the cloud")
    gateway.logged("answers")
    control(unit, "mains", "off")
    site.wait_for("rack-1", ["on_battery"], gateway)
    control(unit, "mains", "on")
    rows = site.wait_for("rack-1", ["on_battery", "mains_restored"], gateway)
    assert [row.history for row in rows] == [False, False]
    assert all(row.read_ms is not None and row.boot for row in rows)
    assert gateway.addresses == {"gateway": NAME, "status": str(site.data / "gateway.sock")}


def test_what_happens_without_a_cloud_is_kept_and_told_later_as_history(site: Site) -> None:
    """S17: what was in the outbox before the hello is history, what comes after it is live."""
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("answers")
    control(unit, "mains", "off")
    gateway.logged("rack-1: on_battery")
    control(unit, "mains", "on")
    gateway.logged("rack-1: mains_restored")
    site.wait_kept(3)
    gateway.kill()
    site.broker()
    site.ingest()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    rows = site.wait_for("rack-1", ["on_battery", "mains_restored"], gateway)
    assert [row.history for row in rows] == [True, True]
    control(unit, "mains", "off")
    rows = site.wait_for("rack-1", ["on_battery", "mains_restored", "on_battery"], gateway)
    assert [row.history for row in rows] == [True, True, False]


def test_kill_9_of_the_gateway_loses_nothing_and_doubles_nothing(site: Site) -> None:
    chance = random.Random(20261124)
    site.broker()
    site.ingest()
    unit = site.unit()
    told: list[str] = []
    for _ in range(4):
        gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
        gateway.logged("answers")
        for _ in range(chance.randint(1, 3)):
            change = "mains_restored" if told and told[-1] == "on_battery" else "on_battery"
            control(unit, "mains", "on" if change == "mains_restored" else "off")
            told.append(change)
            gateway.logged(f"rack-1: {change}", times=told_here(gateway.stderr, change))
        gateway.kill()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    rows = site.wait_for("rack-1", told, gateway)
    assert all(before.seq < after.seq for before, after in pairwise(rows))


def told_here(log: str, change: str) -> int:
    """How often the change will stand in the log once it has been told again."""
    return log.count(f"rack-1: {change}") + 1


def test_s16_a_card_put_back_loses_no_event_and_repeats_none(site: Site, tmp_path: Path) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    address = unit.address("modbus-tcp")
    gateway = site.gateway(("rack-1", address))
    gateway.logged("answers")
    gateway.terminate()
    shutil.copytree(site.data, tmp_path / "copy")
    gateway = site.gateway(("rack-1", address))
    control(unit, "mains", "off")
    site.wait_for("rack-1", ["on_battery"], gateway)
    gateway.kill()
    shutil.rmtree(site.data)
    shutil.copytree(tmp_path / "copy", site.data)
    gateway = site.gateway(("rack-1", address))
    gateway.logged("old copy")
    # The copy never saw the outage, so it finds it afterwards: another telling, under another name.
    rows = site.wait_for("rack-1", ["on_battery", "on_battery"], gateway)
    assert rows[1].found_afterwards
    assert rows[0].stream != rows[1].stream
    assert "gateway_cloned" not in site.types("")


def test_a_clean_stop_says_so_and_leaves_no_hole(site: Site) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("answers")
    eventually(lambda: "gateway_started" in site.types(""), "stored")
    assert gateway.terminate() == 0
    eventually(lambda: "gateway_stopped" in site.types(""), "stored")
    status = ridethrough("cloud", "status", "--dir", site.cloud, "--json").stdout
    assert '"stopped"' in status
    with closing(sqlite3.connect(site.outbox)) as file:
        (following,) = file.execute("SELECT next FROM lane WHERE name = ?", (Lane.STATUS,)).fetchone()
    assert following < 20


def test_s3_another_unit_is_not_read_until_it_is_accepted(site: Site) -> None:
    site.broker()
    site.ingest()
    port = free_port()
    first = site.unit(port, "--serial", "AS1111111111")
    gateway = site.gateway(("rack-1", f"127.0.0.1:{port}"))
    gateway.logged("AS1111111111 answers")
    first.kill()
    second = site.unit(port, "--serial", "AS2222222222")
    gateway.logged("unit_identity_changed")
    control(second, "mains", "off")
    rows = site.wait_for("rack-1", ["unit_identity_changed"], gateway)
    assert rows[0].details == {"expected": "AS1111111111", "found": "AS2222222222"}
    done = ridethrough("gateway", "accept-unit", "--config", site.config, "rack-1")
    assert "AS2222222222" in done.stdout
    site.wait_for("rack-1", ["unit_identity_changed", "unit_accepted", "on_battery"], gateway)
    gateway.kill()
    gateway = site.gateway(("rack-1", f"127.0.0.1:{port}"))
    gateway.logged("AS2222222222 answers")


def test_one_silent_unit_delays_no_other(site: Site) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    dead = f"127.0.0.1:{free_port()}"
    gateway = site.gateway(("dead", dead), ("rack-1", unit.address("modbus-tcp")))
    gateway.logged("rack-1: Smart-UPS")
    control(unit, "mains", "off")
    site.wait_for("rack-1", ["on_battery"], gateway)


def test_a_wrong_authority_is_told_once_and_the_gateway_goes_on(site: Site, tmp_path: Path) -> None:
    site.broker()
    stranger = Site(tmp_path / "other", site.start)
    shutil.copy(stranger.config.parent / "ca.pem", site.config.parent / "ca.pem")
    gateway = site.gateway()
    gateway.logged("the broker's certificate is refused")
    assert "next try in 60 s" in gateway.stderr
    assert gateway.terminate() == 0


def test_a_certificate_that_the_broker_does_not_know_is_told_once(site: Site, tmp_path: Path) -> None:
    site.broker()
    stranger = Site(tmp_path / "other", site.start)
    for file in ("gateway.pem", "gateway.key"):
        shutil.copy(stranger.config.parent / file, site.config.parent / file)
    gateway = site.gateway()
    gateway.logged("does it know the certificate of pi?")
    gateway.terminate()
    assert gateway.stderr.count("does it know the certificate") == 1


def test_a_broker_that_is_away_is_told_once_and_found_when_it_is_back(site: Site) -> None:
    gateway = site.gateway()
    gateway.logged("Connection refused")
    site.broker()
    site.ingest()
    gateway.logged("connected to the cloud")
    assert gateway.stderr.count('"warning", "logger": "gateway.uplink"') == 1


def test_two_gateways_do_not_share_a_folder(site: Site) -> None:
    site.gateway()
    done = ridethrough("gateway", "run", "--config", site.config, status=1)
    assert "another gateway runs on this folder" in done.stderr


def test_a_damaged_outbox_is_set_aside(site: Site) -> None:
    site.gateway().kill()
    site.outbox.write_bytes(b"\xff" * 20_000)
    gateway = site.gateway()
    assert "damaged" in gateway.stderr
    assert len(list(site.data.glob("outbox-damaged-*.sqlite3"))) == 1


def test_the_running_gateway_is_lean(site: Site) -> None:
    """Libraries that only starting needs are left behind by the exec (libraries.md, Memory)."""
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("answers")
    maps = Path(f"/proc/{gateway.pid}/maps").read_text()
    assert "yaml" not in maps
    assert "cryptography" not in maps
    status = Path(f"/proc/{gateway.pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) < 45 * 1024


def test_a_full_disk_stops_no_alarm_and_is_told_once(site: Site) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("connected to the cloud")
    gateway.logged("answers")
    eventually(lambda: "gateway_started" in site.types(""), "stored")
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    control(unit, "mains", "off")
    site.wait_for("rack-1", ["on_battery"], gateway)
    control(unit, "mains", "on")
    site.wait_for("rack-1", ["on_battery", "mains_restored"], gateway)
    assert gateway.stderr.count("nothing can be written to the outbox") == 1
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    gateway.logged("the outbox is written again")
    site.wait_kept(3)
    gateway.kill()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("connected to the cloud")
    control(unit, "mains", "off")
    site.wait_for("rack-1", ["on_battery", "mains_restored", "on_battery"], gateway)
    assert "gateway_cloned" not in site.types("")


def test_a_crash_on_a_full_disk_gives_no_number_to_two_records(site: Site) -> None:
    """S16: what was sent from memory and never kept is in the cloud under numbers that the file gives again."""
    site.broker()
    site.ingest()
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("answers")
    eventually(lambda: "gateway_started" in site.types(""), "stored")
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    control(unit, "mains", "off")
    site.wait_for("rack-1", ["on_battery"], gateway)
    gateway.kill()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    rows = site.wait_for("rack-1", ["on_battery", "on_battery"], gateway)
    assert rows[1].found_afterwards
    assert "gateway_cloned" not in site.types("")


@pytest.mark.peer
def test_mosquitto_as_it_is_shipped_takes_the_place_of_the_embedded_broker(
    tmp_path: Path, start: Start, mosquitto: Path
) -> None:
    with mosquitto_at(tmp_path, mosquitto) as broker:
        name, folder = broker.new_gateway(), broker.folder
        own = f"broker: mqtts://127.0.0.1:{broker.bridge_port}"
        folder.settings.write_text(folder.settings.read_text().replace("broker: embedded", own))
        site = Site(tmp_path, start, folder.root, name)
        site.ingest()
        unit = site.unit()
        gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
        gateway.logged("answers")
        gateway.logged("connected to the cloud")
        control(unit, "mains", "off")
        site.wait_for("rack-1", ["on_battery"], gateway)
        assert gateway.terminate() == 0
        eventually(lambda: "gateway_stopped" in site.types(""), "stored")


@pytest.mark.peer
def test_mosquitto_refuses_a_strange_certificate_and_the_gateway_waits_the_longest(
    tmp_path: Path, start: Start, mosquitto: Path
) -> None:
    with mosquitto_at(tmp_path, mosquitto) as broker:
        name = broker.new_gateway()
        site = Site(tmp_path, start, broker.folder.root, name)
        init(tmp_path / "strange", "127.0.0.1:8883", [name])
        for file in ("gateway.pem", "gateway.key"):
            shutil.copy(tmp_path / "strange" / "gateways" / name / file, site.config.parent / file)
        gateway = site.gateway()
        gateway.logged("next try in 60 s")
