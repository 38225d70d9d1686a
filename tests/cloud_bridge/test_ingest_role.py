"""The ingest role as a process, on the embedded broker."""

from __future__ import annotations

import json
import random
import resource
import sqlite3
import subprocess
from pathlib import Path

import pytest

from cloud_bridge.folder import Folder
from cloud_bridge.rows import EventFilter, EventRow
from cloud_bridge.runtime.init import init
from cloud_bridge.store.database import FILE_NAME
from cloud_bridge.store.reader import Reader
from gateway.wire.health import Health, Host
from gateway.wire.messages import Heartbeat, Lane, Offline
from gateway.wire.topics import Up
from tests.cloud_bridge.conformance.brokers import mosquitto_at
from tests.cloud_bridge.talker import Talker, eventually, free_port
from tests.cloud_bridge.words import STREAM, T0, clock, event, hello, outage, payload, stamp, status, unset
from tests.conftest import Start
from tests.process import PROGRAM, Process

G = "pi-a"


class Cloud:
    """A folder, its broker, and whatever ingest runs now."""

    def __init__(self, folder: Path, start: Start) -> None:
        self.folder, self.start, self.port = folder, start, free_port()
        init(folder, f"127.0.0.1:{self.port}", [G, "pi-b"])
        self.start_broker()

    def start_broker(self) -> None:
        self.broker = self.start("cloud", "run", "--dir", self.folder, "--only", "broker", ready=["broker"])

    @property
    def database(self) -> Path:
        return self.folder / "data" / FILE_NAME

    def ingest(self) -> Process:
        return self.start("cloud", "run", "--dir", self.folder, "--only", "ingest", ready=["ingest"])

    def talker(self, name: str = G) -> Talker:
        return Talker(self.folder, name, self.port)

    def events(self) -> list[EventRow]:
        with Reader(self.database) as reader:
            return list(reader.events(EventFilter()))


@pytest.fixture
def cloud(tmp_path: Path, start: Start) -> Cloud:
    return Cloud(tmp_path / "cloud", start)


def test_a_batch_is_acknowledged_once_it_is_stored(cloud: Cloud) -> None:
    cloud.ingest()
    with cloud.talker() as talker:
        talker.say(Up.HELLO, hello("c1"))
        answer = talker.wait_ack(lambda ack: ack.conn == "c1")
        assert {lane: ack.through for lane, ack in answer.lanes.items()} == {Lane.EVENTS: 0, Lane.STATUS: 0}
        talker.say(Up.EVENTS, payload(1, event(1), event(2)))
        talker.say(Up.STATUS, payload(1, status(load_pct=3.0)))
        talker.wait_through(Lane.EVENTS, 2)
        assert [row.details["number"] for row in cloud.events()] == [1, 2]
        talker.wait_through(Lane.STATUS, 1)


def test_a_hole_is_asked_for_once_and_filled(cloud: Cloud) -> None:
    cloud.ingest()
    with cloud.talker() as talker:
        for first in (3, 4, 5):
            talker.say(Up.EVENTS, payload(first, event(first)))
        asked = talker.wait_ack(lambda ack: ack.lanes[Lane.EVENTS].again)
        assert asked.lanes[Lane.EVENTS].through == 0
        talker.say(Up.EVENTS, payload(1, *(event(n) for n in range(1, 6))))
        talker.wait_through(Lane.EVENTS, 5)
        assert sum(ack.lanes[Lane.EVENTS].again for ack in talker.acks) == 1


def test_s12_s14_the_gateways_name_is_its_topics_and_no_payload_changes_it(cloud: Cloud) -> None:
    cloud.ingest()
    with cloud.talker("pi-b") as talker:
        talker.publish("ups/v1/pi-a/up/events", payload(1, event(666)))
        talker.say(Up.EVENTS, payload(1, event(1, details={"gateway": "pi-a"})))
        talker.wait_through(Lane.EVENTS, 1)
    assert [(row.gateway, row.details["number"]) for row in cloud.events()] == [("pi-b", 1)]


def test_s14_what_does_not_parse_goes_to_the_dead_letters_unacknowledged_and_the_flow_goes_on(cloud: Cloud) -> None:
    ingest = cloud.ingest()
    with cloud.talker() as talker:
        for garbage in (
            b"",
            b"\x78\x9c not deflated",
            b'{"stream":"no"}',
        ):
            talker.say(Up.EVENTS, garbage)
        talker.say(Up.HELLO, b"[" * 5000)
        talker.say(Up.EVENTS, payload(1, event(1), b'{"kind":1}', event(3)))
        talker.wait_through(Lane.EVENTS, 3)
        assert [ack.lanes[Lane.EVENTS].through for ack in talker.acks] == [3]
    assert [row.seq for row in cloud.events()] == [1, 3]
    with Reader(cloud.database) as reader:
        letters = list(reader.dead_letters())
    assert [(row.gateway, row.lane, row.seq) for row in letters] == [
        *((G, "events", 0) for _ in range(3)),
        (G, "hello", 0),
        (G, "events", 2),
    ]
    assert ingest.terminate() == 0


def test_heartbeats_and_the_will_are_remembered(cloud: Cloud) -> None:
    ingest = cloud.ingest()
    with cloud.talker() as talker:
        talker.say(Up.HELLO, hello("c1"))
        talker.wait_ack(lambda ack: ack.conn == "c1")
        talker.say(Up.OFFLINE, Offline(conn="c0"))
        talker.say(Up.HEARTBEAT, Heartbeat(conn="c1", at=T0, waiting={Lane.EVENTS: 3}))
        talker.say(Up.EVENTS, payload(1, event(1)))
        talker.wait_through(Lane.EVENTS, 1)
        with Reader(cloud.database) as reader:
            assert [row.offline_at for row in reader.gateways()] == [None]
        talker.say(Up.OFFLINE, Offline(conn="c1", why="stopped"))
        eventually(lambda: offline_why(cloud) == "stopped", "the offline word was not stored")
    assert ingest.terminate() == 0


def test_outages_clocks_and_health_are_stored_and_read_back(cloud: Cloud) -> None:
    cloud.ingest()
    said = Health(conn="c1", stamp=stamp(), version="1", running_s=900.0, host=Host(under_voltage=True))
    with cloud.talker() as talker:
        talker.say(Up.HEALTH, said)
        talker.say(Up.EVENTS, payload(1, event(1, stamped=unset(500)), outage(), clock(1_000, T0)))
        talker.wait_through(Lane.EVENTS, 3)
    assert [row.dated_at for row in cloud.events()] == [T0 - 500]
    (line,) = [json.loads(line) for line in shown(cloud, "outages", "--json").splitlines()]
    assert (line["unit"], line["delivered_s"], len(line["trace"])) == ("rack-1", 40.0, 2)
    assert "pi-a/rack-1" in shown(cloud, "outages", "--unit", "rack-1")
    assert "pi-a: under-voltage" in shown(cloud, "status")
    gateways = [json.loads(line) for line in shown(cloud, "status", "--json").splitlines()]
    assert [line["health"]["host"] for line in gateways if line["kind"] == "gateway"] == [{"under_voltage": True}]


def shown(cloud: Cloud, *arguments: str) -> str:
    done = subprocess.run(
        [PROGRAM, "cloud", *arguments, "--dir", cloud.folder], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_folder_without_a_registry_is_refused_as_a_setting_is(cloud: Cloud) -> None:
    (cloud.folder / "data" / "registry.sqlite3").unlink()
    process = cloud.start("cloud", "run", "--dir", cloud.folder, "--only", "ingest")
    assert process.ended() == 2
    assert "no registry there" in process.stderr


def offline_why(cloud: Cloud) -> str | None:
    with Reader(cloud.database) as reader:
        (row,) = reader.gateways()
    return row.offline_why


def test_a_locked_database_stops_acknowledgements_is_told_once_and_loses_nothing(cloud: Cloud) -> None:
    ingest = cloud.ingest()
    locker = sqlite3.connect(cloud.database, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    with cloud.talker() as talker:
        talker.say(Up.EVENTS, payload(1, event(1)))
        ingest.logged("can't be written: database is locked")
        assert talker.acks == []
        locker.execute("ROLLBACK")
        talker.wait_through(Lane.EVENTS, 1)
        ingest.logged("can be written again")
    locker.close()
    assert ingest.stderr.count("can't be written") == 1
    assert [row.details["number"] for row in cloud.events()] == [1]


def test_a_full_disk_stops_acknowledgements_and_loses_nothing(cloud: Cloud) -> None:
    """No file of the process may grow, as on a full disk; then it may again."""
    ingest = cloud.ingest()
    with cloud.talker() as talker:
        talker.say(Up.EVENTS, payload(1, event(1)))
        talker.wait_through(Lane.EVENTS, 1)
        wal = cloud.database.with_name(FILE_NAME + "-wal")
        resource.prlimit(ingest.pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, resource.RLIM_INFINITY))
        talker.say(Up.EVENTS, payload(2, *(event(n, details={"d": "x" * 60}) for n in range(2, 200))))
        ingest.logged("can't be written")
        assert [ack.lanes[Lane.EVENTS].through for ack in talker.acks] == [1]
        resource.prlimit(ingest.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        talker.wait_through(Lane.EVENTS, 199)
    assert ingest.stderr.count("can't be written") == 1
    assert [row.seq for row in cloud.events()] == list(range(1, 200))


def test_ingest_finds_a_broker_again_that_went_away(cloud: Cloud) -> None:
    ingest = cloud.ingest()
    cloud.broker.kill()
    ingest.logged("connection to broker")
    cloud.start_broker()
    ingest.logged("hears broker", times=2)
    with cloud.talker() as talker:
        talker.say(Up.EVENTS, payload(1, event(1)))
        talker.wait_through(Lane.EVENTS, 1)


def test_a_bridge_that_the_broker_does_not_know_is_told_once(cloud: Cloud, tmp_path: Path) -> None:
    stranger = init(tmp_path / "other", "127.0.0.1:0").service("bridge")
    for path, strange in zip(Folder(cloud.folder).service("bridge"), stranger, strict=True):
        path.write_bytes(strange.read_bytes())
    ingest = cloud.start("--log-level", "debug", "cloud", "run", "--dir", cloud.folder, "--only", "ingest")
    ingest.logged("closed before it was let in", times=2)
    assert ingest.stderr.count('"level": "warning"') == 1
    assert ingest.terminate() == 0
    assert ingest.stdout == ""


def test_killed_at_any_moment_ingest_stores_each_record_once_and_in_order(cloud: Cloud) -> None:
    """What is acknowledged is stored, whatever was going on when the process died."""
    chance = random.Random(7)
    total, acknowledged = 400, 0
    with cloud.talker() as talker:
        for _ in range(6):
            ingest = cloud.ingest()
            for first in range(acknowledged + 1, total + 1, 3):
                talker.say(Up.EVENTS, payload(first, *(event(n) for n in range(first, min(first + 3, total + 1)))))
            talker.wait_through(Lane.EVENTS, min(total, acknowledged + chance.randrange(1, 60)))
            ingest.kill()
            acknowledged = max(ack.lanes[Lane.EVENTS].through for ack in talker.acks)
            assert [row.seq for row in cloud.events()][:acknowledged] == list(range(1, acknowledged + 1))
        cloud.ingest()
        talker.say(Up.HELLO, hello("last"))
        through = talker.wait_ack(lambda ack: ack.conn == "last").lanes[Lane.EVENTS].through
        assert through >= acknowledged
        for first in range(through + 1, total + 1, 50):
            talker.say(Up.EVENTS, payload(first, *(event(n) for n in range(first, min(first + 50, total + 1)))))
        talker.wait_through(Lane.EVENTS, total)
    assert [row.seq for row in cloud.events()] == list(range(1, total + 1))
    assert [row.details["number"] for row in cloud.events()] == list(range(1, total + 1))


def test_a_message_that_breaks_the_unforeseen_way_is_a_dead_letter_and_others_go_on(cloud: Cloud) -> None:
    """Somebody wrote a row into the database that ingest did not expect."""
    ingest = cloud.ingest()
    with cloud.talker() as talker, cloud.talker("pi-b") as other:
        talker.say(Up.EVENTS, payload(1, event(1)))
        talker.wait_through(Lane.EVENTS, 1)
        with sqlite3.connect(cloud.database) as db:
            db.execute(
                "INSERT INTO records (stream_id, seq, last, kind, history, received_at, stored_at, digest)"
                " VALUES (1, 2, 2, 'event', 0, 0, 0, x'00')"
            )
        db.close()
        talker.say(Up.EVENTS, payload(2, event(2)))
        ingest.logged("can't be taken")
        other.say(Up.EVENTS, payload(1, event(1)))
        other.wait_through(Lane.EVENTS, 1)
        with Reader(cloud.database) as reader:
            letters = [(row.gateway, row.reason) for row in reader.dead_letters()]
    assert letters == [(G, "not foreseen: IntegrityError")]
    assert ingest.terminate() == 0


def test_a_second_ingest_on_one_folder_is_refused(cloud: Cloud) -> None:
    cloud.ingest()
    second = cloud.start("cloud", "run", "--dir", cloud.folder, "--only", "ingest")
    assert second.ended() == 1
    assert "another ingest runs" in second.stderr


@pytest.mark.peer
def test_ingest_works_on_mosquitto_as_it_is_shipped(tmp_path: Path, mosquitto: Path, start: Start) -> None:
    with mosquitto_at(tmp_path, mosquitto) as broker:
        name, folder = broker.new_gateway(), broker.folder
        own = f"broker: mqtts://127.0.0.1:{broker.bridge_port}"
        folder.settings.write_text(folder.settings.read_text().replace("broker: embedded", own))
        running = start("cloud", "run", "--dir", folder.root, ready=["ingest"])
        with Talker(folder.root, name, broker.gateways_port) as talker:
            talker.say(Up.HELLO, hello("c1"))
            talker.wait_ack(lambda ack: ack.conn == "c1")
            talker.say(Up.EVENTS, payload(1, event(1), event(2)))
            talker.wait_through(Lane.EVENTS, 2)
        assert "ready: broker" not in running.stdout


@pytest.mark.peer
def test_what_a_broker_retained_is_nobodys_word(tmp_path: Path, mosquitto: Path, start_peer: Start) -> None:
    """Mosquitto set up by somebody who lets it retain."""
    with mosquitto_at(tmp_path, mosquitto) as broker:
        name, folder = broker.new_gateway(), broker.folder
        broker.process.terminate()
        shipped = folder.root / "mosquitto.conf"
        shipped.write_text(shipped.read_text().replace("retain_available false", "retain_available true"))
        start_peer(mosquitto, "-c", shipped).logged(" running")
        own = f"broker: mqtts://127.0.0.1:{broker.bridge_port}"
        folder.settings.write_text(folder.settings.read_text().replace("broker: embedded", own))
        with Talker(folder.root, name, broker.gateways_port) as talker:
            talker.retain(Up.EVENTS, payload(1, event(66)))
            start_peer(PROGRAM, "cloud", "run", "--dir", folder.root, ready=["ingest"])
            talker.say(Up.STATUS, payload(1, status(load_pct=1.0)))
            talker.wait_through(Lane.STATUS, 1)
        with Reader(folder.root / "data" / FILE_NAME) as reader:
            assert list(reader.events(EventFilter())) == []


def test_a_database_of_a_later_version_is_refused_as_a_setting_is(cloud: Cloud) -> None:
    cloud.ingest().terminate()
    with sqlite3.connect(cloud.database) as db:
        db.execute("UPDATE _sqlite_migrations SET name = '0999_future' WHERE name LIKE '0002%'")
    db.close()
    done = subprocess.run(
        [PROGRAM, "cloud", "run", "--dir", cloud.folder, "--only", "ingest"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "0999_future" in done.stderr
    assert str(cloud.database) in done.stderr
    assert STREAM not in done.stderr
