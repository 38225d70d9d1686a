"""`ridethrough cloud ...` as a person types it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cloud_bridge.runtime.init import init
from cloud_bridge.store.database import FILE_NAME, open_writer
from cloud_bridge.store.telemetry import Telemetry
from gateway.wire.messages import Lane
from tests.cloud_bridge.talker import free_port
from tests.cloud_bridge.words import T0, event, hello, parcel, status
from tests.conftest import Start
from tests.process import PROGRAM

G = "pi-a"


def cloud(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([PROGRAM, "cloud", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init(tmp_path / "cloud", f"127.0.0.1:{free_port()}", [G])
    return tmp_path / "cloud"


@pytest.fixture
def telemetry(folder: Path) -> Iterator[Telemetry]:
    opened = Telemetry(open_writer(folder / "data" / FILE_NAME), lambda: time.time_ns() // 1_000_000)
    yield opened
    opened.close()


def take(telemetry: Telemetry, first: int, *records: bytes, lane: Lane = Lane.EVENTS, gateway: str = G) -> None:
    now = time.time_ns() // 1_000_000
    with telemetry.transaction():
        telemetry.take(gateway, parcel(first, *records, lane=lane), now)
        telemetry.see(gateway, now)


def test_init_makes_a_cloud_whose_gateway_has_its_units(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    done = cloud(
        "init",
        "--dir",
        folder,
        "--mqtts",
        "bridge.example.net:8883",
        "--gateway",
        G,
        "--unit",
        "rack-1=modbus+tcp://10.0.0.5:502?unit=1",
    )
    gateway = folder / "gateways" / G
    assert f"ridethrough gateway run --config {gateway / 'gateway.yaml'}" in done.stdout
    assert "modbus+tcp://10.0.0.5:502?unit=1" in (gateway / "gateway.yaml").read_text()
    assert "mqtts://bridge.example.net:8883" in (gateway / "gateway.yaml").read_text()
    assert stat.S_IMODE((gateway / "gateway.key").stat().st_mode) == 0o600


def test_init_overwrites_nothing(folder: Path) -> None:
    before = (folder / "cloud.yaml").read_bytes()
    assert str(folder) in cloud("init", "--dir", folder, status=1).stderr
    assert (folder / "cloud.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--gateway", G, "--unit", "rack-1"], "expected NAME=URL"),
        (["--gateway", G, "--unit", "a=u://1", "--unit", "a=u://2"], "'a' is named twice"),
        (["--unit", "a=u://1"], "name exactly one with --gateway"),
    ],
)
def test_a_wrong_unit_is_bad_usage(tmp_path: Path, arguments: list[str], told: str) -> None:
    done = cloud("init", "--dir", tmp_path / "c", *arguments, status=2)
    assert told in done.stderr
    assert not (tmp_path / "c").exists()


def test_a_gateway_is_added_and_one_that_is_there_is_left(folder: Path) -> None:
    cloud("gateway", "add", "--dir", folder, "pi-new", "--unit", "u=modbus+tcp://h:502")
    key = (folder / "gateways" / "pi-new" / "gateway.key").read_bytes()
    again = cloud("gateway", "add", "--dir", folder, "pi-new")
    assert "there already" in again.stderr
    assert (folder / "gateways" / "pi-new" / "gateway.key").read_bytes() == key
    assert "reserved" in cloud("gateway", "add", "--dir", folder, "bridge", status=1).stderr


def test_check_says_what_is_wrong_and_fails(folder: Path) -> None:
    assert "nothing wrong" in cloud("check", "--dir", folder).stdout
    (folder / "bridge.key").chmod(0o644)
    done = cloud("check", "--dir", folder, status=1)
    assert str(folder / "bridge.key") in done.stdout
    (problem,) = lines(cloud("check", "--dir", folder, "--json", status=1))
    assert problem["serious"] is True


def test_a_folder_without_a_cloud_is_bad_configuration(tmp_path: Path) -> None:
    for command in ("run", "status", "events", "dead-letters"):
        assert str(tmp_path / "cloud.yaml") in cloud(command, "--dir", tmp_path, status=2).stderr


def test_reading_before_anything_was_stored_says_how_to_begin(folder: Path) -> None:
    for command in ("status", "events", "dead-letters"):
        assert "ridethrough cloud run" in cloud(command, "--dir", folder, status=1).stderr


def test_events_are_json_lines_oldest_first_and_all_of_them(folder: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, *(event(n) for n in range(1, 61)))
    rows = lines(cloud("events", "--dir", folder, "--json"))
    assert [row["seq"] for row in rows] == list(range(1, 61))
    newest = lines(cloud("events", "--dir", folder, "--json", "--limit", "2"))
    assert [row["seq"] for row in newest] == [59, 60]
    assert len(cloud("events", "--dir", folder).stdout.splitlines()) == 50


def test_events_are_chosen_by_gateway_unit_severity_and_time(folder: Path, telemetry: Telemetry) -> None:
    now = time.time_ns() // 1_000_000
    take(telemetry, 1, event(1, at=T0), event(2, at=now))
    take(telemetry, 1, event(3, at=now), gateway="pi-b")

    def chosen(*arguments: str) -> list[object]:
        rows = lines(cloud("events", "--dir", folder, "--json", *arguments))
        return [(row["gateway"], row["seq"]) for row in rows]

    assert chosen("--gateway", "pi-b") == [("pi-b", 1)]
    assert chosen("--unit", "rack-1", "--severity", "warning") == [(G, 1), (G, 2), ("pi-b", 1)]
    assert chosen("--severity", "critical") == []
    later = "2026-11-24T02:30:55.001Z"
    assert chosen("--since", later, "--gateway", G) == ([(G, 2)] if now > T0 else [])
    assert "15min" in cloud("events", "--dir", folder, "--since", "yesterday", status=2).stderr


def test_since_takes_how_long_ago(folder: Path, telemetry: Telemetry) -> None:
    now = time.time_ns() // 1_000_000
    take(telemetry, 1, event(1, at=now - 7_200_000), event(2, at=now - 60_000))
    for since, seqs in {"5min": [2], "3h": [1, 2], "1s": []}.items():
        assert [row["seq"] for row in lines(cloud("events", "--dir", folder, "--json", "--since", since))] == seqs


def test_follow_shows_what_is_stored_while_it_watches(folder: Path, telemetry: Telemetry, start: Start) -> None:
    take(telemetry, 1, event(1))
    watching = start("cloud", "events", "--dir", folder, "--follow", "--json")
    watching.said('"seq":1,')
    take(telemetry, 2, event(2))
    watching.said('"seq":2,')
    assert [json.loads(line)["seq"] for line in watching.stdout.splitlines()] == [1, 2]
    assert watching.interrupt() == 130


def test_follow_can_begin_at_the_end(folder: Path, telemetry: Telemetry, start: Start) -> None:
    take(telemetry, 1, event(1), event(2))
    watching = start("cloud", "events", "--dir", folder, "--follow", "--json", "--limit", "0")
    number = 3
    while not watching.stdout:
        take(telemetry, number, event(number))
        number += 1
        with suppress(AssertionError):
            watching.said('"seq"', within_s=0.3)
    seqs = [json.loads(line)["seq"] for line in watching.stdout.splitlines()]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert seqs[0] > 2


def test_status_has_gateways_units_and_whether_anyone_keeps_it_up_to_date(folder: Path, telemetry: Telemetry) -> None:
    now = time.time_ns() // 1_000_000
    with telemetry.transaction():
        telemetry.greet(G, hello(units=["rack-1", "rack-2"]), now)
        telemetry.live(now, now)
    take(telemetry, 1, status(state="online", charge_pct=100.0, runtime_s=1800), lane=Lane.STATUS)
    ingest, gateway, rack_1, rack_2 = lines(cloud("status", "--dir", folder, "--json"))
    assert (ingest["kind"], ingest["hears_broker"]) == ("ingest", True)
    assert (gateway["gateway"], gateway["link"]) == (G, "online")
    assert gateway["streams"] == [{"lane": "status", "stream": "00000000000000aa", "through": 1}]
    assert (rack_1["unit"], rack_1["state"], rack_1["runtime_s"], rack_1["stale"]) == ("rack-1", "online", 1800, False)
    assert (rack_2["unit"], rack_2["state"], rack_2["stale"]) == ("rack-2", None, True)
    shown = cloud("status", "--dir", folder).stdout
    assert "pi-a/rack-1" in shown
    assert "does not run" not in shown


def test_status_without_ingest_warns_and_calls_nothing_live(folder: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, status(state="online"), lane=Lane.STATUS)
    assert "Ingest does not run" in cloud("status", "--dir", folder).stdout
    assert lines(cloud("status", "--dir", folder, "--json"))[2]["stale"] is True


def test_dead_letters_are_shown_with_their_reason(folder: Path, telemetry: Telemetry) -> None:
    take(telemetry, 1, b'{"kind":7}')
    (letter,) = lines(cloud("dead-letters", "--dir", folder, "--json"))
    assert (letter["gateway"], letter["seq"], letter["raw"]) == (G, 1, '{"kind":7}')
    assert str(letter["reason"]) in cloud("dead-letters", "--dir", folder).stdout


def test_help_imports_neither_the_broker_nor_the_client() -> None:
    code = "import cloud_bridge.cli, sys; print(sorted({'amqtt', 'paho'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
