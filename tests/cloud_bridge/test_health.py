"""What is told of a gateway's own health, and how outages look."""

from __future__ import annotations

import json

import msgspec
import pytest

from cloud_bridge.entries import read_record
from cloud_bridge.health import Log, concerns, is_cut, stored_health
from cloud_bridge.outages import outage_cells, outage_json
from cloud_bridge.presence import LinkState, gateway_json, unit_json, unit_view
from cloud_bridge.rows import GatewayRow, OutageRow
from cloud_bridge.views import event_json, event_line
from gateway.wire.health import Health, Host, OutboxHealth
from gateway.wire.limits import INSTANT_MAX
from gateway.wire.outage import OutageBody
from tests.cloud_bridge.test_cli_views import EVENT, GATEWAY, HOSTILE, UNIT, printed
from tests.cloud_bridge.words import T0, outage, stamp, unset

WELL = Health(
    conn="c1",
    stamp=stamp(),
    version="1",
    running_s=900.0,
    certificate_days_left=60.0,
    host=Host(cpu_temp_c=50.0, under_voltage=False, disk_free_bytes=2**33),
    outbox=OutboxHealth(bytes=1, quota_bytes=100),
)


def gateway(**changes: object) -> GatewayRow:
    health = msgspec.structs.replace(WELL, **changes)
    return msgspec.structs.replace(GATEWAY, health=health, health_at=T0)


def outage_row(**changes: object) -> OutageRow:
    body = read_record(outage(), 1, 1).body
    assert isinstance(body, OutageBody)
    row = OutageRow(
        id=1,
        gateway="pi-a",
        unit="rack-1",
        at=T0,
        dated_at=None,
        clock="synchronised",
        history=False,
        received_at=T0,
        body=body,
    )
    return msgspec.structs.replace(row, **changes)


def test_of_a_gateway_that_is_well_nothing_is_told() -> None:
    assert concerns(gateway(), T0) == []
    assert concerns(GATEWAY, T0) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"host": Host(under_voltage=True)}, "under-voltage"),
        ({"host": Host(cpu_temp_c=80.0)}, "80 °C"),
        ({"host": Host(disk_free_bytes=128 * 1024 * 1024 - 1)}, "127 MiB free"),
        ({"stamp": unset(5)}, "nothing keeps its clock right"),
        ({"stamp": stamp(T0 + 61_000)}, "61 s apart"),
        ({"stamp": stamp(T0 - 61_000)}, "61 s apart"),
        ({"outbox": OutboxHealth(trouble="disk full")}, "can't be written: disk full"),
        ({"outbox": OutboxHealth(bytes=81, quota_bytes=100)}, "its outbox holds"),
        ({"certificate_days_left": 13.5}, "ends in 14 days"),
        ({"certificate_days_left": -2.0}, "ended 2 days ago"),
    ],
)
def test_what_is_wrong_with_a_gateway_is_told_in_a_sentence(changes: dict[str, object], what: str) -> None:
    (sentence,) = concerns(gateway(**changes), T0)
    assert sentence.startswith("pi-a: ")
    assert what in sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"host": Host(cpu_temp_c=79.9, disk_free_bytes=128 * 1024 * 1024)},
        {"stamp": unset(5), "running_s": 299.0},
        {"stamp": stamp(T0 + 60_000)},
        {"outbox": OutboxHealth(bytes=80, quota_bytes=100)},
        {"certificate_days_left": 14.0},
        {"host": Host(), "certificate_days_left": None},
    ],
    ids=["just-well", "just-started", "just-right", "just-room", "just-long-enough", "unknown"],
)
def test_what_is_just_well_enough_or_unknown_is_not_told(changes: dict[str, object]) -> None:
    assert concerns(gateway(**changes), T0) == []


def test_an_old_word_is_told_with_its_age() -> None:
    assert concerns(gateway(host=Host(under_voltage=True)), T0 + 600_000)[0].endswith("(10 min ago)")


def test_a_cut_audit_log_is_told() -> None:
    (sentence,) = concerns(msgspec.structs.replace(gateway(), audit_broken_at=T0), T0)
    assert "audit log lost lines" in sentence
    assert "2026-11-24" in sentence


def test_an_audit_log_only_grows() -> None:
    assert not is_cut(None, Log(0, ""))
    assert not is_cut(Log(3, "a"), Log(3, "a"))
    assert not is_cut(Log(3, "a"), Log(4, "b"))
    assert is_cut(Log(3, "a"), Log(3, "b"))
    assert is_cut(Log(3, "a"), Log(2, "a"))


def test_a_gateways_line_has_its_health_whole() -> None:
    line = json.loads(gateway_json(gateway(host=Host(under_voltage=True)), LinkState.ONLINE))
    assert line["health"]["host"]["under_voltage"] is True
    assert line["health"]["certificate_days_left"] == 60.0
    assert line["health_at"] == "2026-11-24T02:30:55.000Z"
    assert json.loads(gateway_json(GATEWAY, LinkState.ONLINE))["health"] is None


def test_a_health_record_of_another_version_breaks_no_status() -> None:
    assert stored_health(b'{"conn":5}') is None
    assert stored_health(None) is None
    assert stored_health(msgspec.json.encode(WELL)) == WELL


def test_a_dated_event_shows_its_date_and_keeps_what_it_said() -> None:
    row = msgspec.structs.replace(EVENT, at=7_000, after_at=5_000, dated_at=T0, clock="unsynchronised")
    line = json.loads(event_json(row))
    assert (line["at"], line["original_at"], line["clock"]) == (
        "2026-11-24T02:30:55.000Z",
        "1970-01-01T00:00:07.000Z",
        "unsynchronised",
    )
    assert line["after_at"] == "2026-11-24T02:30:53.000Z"
    assert printed(event_line(row)).startswith("2026-11-24T02:30:55.000Z")
    assert "original_at" not in json.loads(event_json(EVENT))


def test_the_reading_before_what_was_found_afterwards_may_be_of_another_boot_and_is_not_moved() -> None:
    row = msgspec.structs.replace(EVENT, at=7_000, after_at=5_000, dated_at=T0, found_afterwards=True)
    assert json.loads(event_json(row))["after_at"] == "1970-01-01T00:00:05.000Z"


def test_a_units_line_shows_when_its_values_were_read() -> None:
    row = msgspec.structs.replace(UNIT, at=7_000, dated_at=T0)
    line = json.loads(unit_json(unit_view(row, LinkState.ONLINE, T0)))
    assert (line["at"], line["original_at"]) == ("2026-11-24T02:30:55.000Z", "1970-01-01T00:00:07.000Z")


@pytest.mark.parametrize("dated_at", [None, 0, INSTANT_MAX])
@pytest.mark.parametrize("at", [0, INSTANT_MAX])
def test_times_out_of_range_never_break_a_line(at: int, dated_at: int | None) -> None:
    body = msgspec.structs.replace(outage_row().body, began_at=INSTANT_MAX, ended_at=0)
    row = outage_row(at=at, dated_at=dated_at, body=body)
    assert json.loads(outage_json(row))["began_at"] >= "1970-01-01T00:00:00.000Z"
    assert outage_cells(row)
    event = msgspec.structs.replace(EVENT, at=at, dated_at=dated_at, after_at=INSTANT_MAX)
    assert json.loads(event_json(event))["after_at"] <= "9999-12-31T23:59:59.999Z"


def test_an_outages_line_has_the_black_boxs_record_whole() -> None:
    line = json.loads(outage_json(outage_row()))
    assert (line["gateway"], line["unit"], line["at"]) == ("pi-a", "rack-1", "2026-11-24T02:30:55.000Z")
    assert (line["began_at"], line["ended_at"]) == ("2026-11-24T02:29:15.000Z", "2026-11-24T02:29:55.000Z")
    assert (line["delivered_s"], line["energy_wh"], line["cause"]) == (40.0, 7.5, "input_voltage_low")
    assert line["lowest_battery_v"] is None
    assert line["trace"][1] == [0, 0.0, 228.0, 20.0, 100.0, True]


def test_a_dated_outage_is_moved_whole() -> None:
    row = outage_row(at=200_000, dated_at=T0)
    body = msgspec.structs.replace(row.body, began_at=100_000, ended_at=140_000)
    line = json.loads(outage_json(msgspec.structs.replace(row, body=body)))
    assert (line["began_at"], line["ended_at"]) == ("2026-11-24T02:29:15.000Z", "2026-11-24T02:29:55.000Z")
    assert line["original_at"] == "1970-01-01T00:03:20.000Z"


def test_a_person_reads_how_long_why_how_deep_and_what_it_cost() -> None:
    assert [cell.plain for cell in outage_cells(outage_row())] == [
        "2026-11-24T02:29:15.000Z",
        "pi-a/rack-1",
        "40 s",
        "input voltage low",
        "0 V",
        "8 Wh",
        "91%",
        "20 min, 40 s",
    ]


def test_an_outage_that_ended_badly_says_so_and_an_estimate_is_called_one() -> None:
    body = msgspec.structs.replace(
        outage_row().body, ended="output_off", energy_estimated=True, expected_runtime_s=None, lowest_charge_pct=None
    )
    cells = [cell.plain for cell in outage_cells(outage_row(body=body))]
    assert cells[2] == "40 s until the output went off"
    assert cells[5:] == ["about 8 Wh", "-", "-, 40 s"]
    silent = msgspec.structs.replace(body, ended="silent", test=True)
    assert [cell.plain for cell in outage_cells(outage_row(body=silent))][2:4] == [
        "40 s until nothing was heard",
        "test",
    ]


def test_s6_no_text_of_an_outage_steers_a_terminal() -> None:
    body = msgspec.structs.replace(outage_row().body, cause=HOSTILE, ended=HOSTILE, id=HOSTILE)
    row = outage_row(body=body, unit=HOSTILE, gateway=HOSTILE)
    for cell in outage_cells(row):
        assert printed(cell)[:-1].isprintable()
    assert len(outage_json(row).splitlines()) == 1


def test_s6_no_text_of_a_health_record_steers_a_terminal() -> None:
    for sentence in concerns(gateway(outbox=OutboxHealth(trouble=HOSTILE)), T0):
        assert sentence.isprintable()
