"""What the demo draws, read back as text."""

from __future__ import annotations

import msgspec
from rich.console import Console

from cloud_bridge.rows import EventRow, GatewayRow, IngestRow, UnitRow
from drivers.ups import Identity, Severity
from gateway.wire.messages import IdentityBody
from simulator.rig.view import duration, gauge, picture

NOW_MS = 1_795_487_455_123
HOSTILE = "\r\n\x1b[31m[link=http://x]<script>=cmd\"'"


def drawn(unit: str = "rack-1", model: str = "Smart-UPS 1500", kind: str = "on_battery", age_ms: int = 500) -> str:
    gateway = GatewayRow(
        name="demo",
        first_seen_at=NOW_MS - 60_000,
        last_seen_at=NOW_MS - 1000,
        offline_at=None,
        offline_why=None,
        hello=None,
        waiting={},
        letters=0,
        letters_dropped=0,
        streams=(),
    )
    row = UnitRow(
        gateway="demo",
        name=unit,
        at=NOW_MS - age_ms,
        sent_at=NOW_MS - age_ms,
        received_at=NOW_MS - age_ms,
        status={
            "state": msgspec.Raw(b'"on_battery"'),
            "charge_pct": msgspec.Raw(b"42.5"),
            "load_pct": msgspec.Raw(b"33"),
            "runtime_s": msgspec.Raw(b"605"),
        },
        identity=IdentityBody(identity=Identity(model=model)),
    )
    event = EventRow(
        id=1,
        gateway="demo",
        unit=unit,
        lane="events",
        stream="0" * 16,
        seq=1,
        type=kind,
        severity=Severity.WARNING,
        at=NOW_MS,
        after_at=None,
        found_afterwards=False,
        history=False,
        read_ms=None,
        sent_at=None,
        received_at=NOW_MS,
        stored_at=NOW_MS,
        clock="synchronised",
        boot="b",
        mono=1,
        details={},
    )
    ingest = IngestRow(started_at=NOW_MS - 60_000, alive_at=NOW_MS - 1000, connected_at=NOW_MS - 60_000)
    console = Console(width=160, record=True, force_terminal=False)
    urls = {unit: "modbus+tcp://127.0.0.1:5020?unit=1"}
    with console.capture() as capture:
        console.print(picture([gateway], [row], [event], ingest, urls, "the foot", NOW_MS))
    return capture.get()


def test_a_unit_shows_state_charge_load_runtime_input_and_wire() -> None:
    text = drawn()
    for part in ("rack-1", "ON BATTERY", "42.5 %", "33 %", "10 min 05 s", "modbus+tcp://127.0.0.1:5020", "the foot"):
        assert part in text


def test_an_event_shows_what_it_means_and_what_to_do() -> None:
    text = drawn()
    assert "The mains failed" in text
    assert "Check the supply" in text


def test_where_there_is_nothing_to_do_nothing_is_said_about_it() -> None:
    text = drawn(kind="mains_restored")
    assert "The mains are back" in text
    assert "Nothing" not in text


def test_old_values_are_never_shown_as_live() -> None:
    text = drawn(age_ms=120_000)
    assert "stale, was on_battery" in text
    assert "ON BATTERY" not in text


def test_s6_a_hostile_text_reaches_the_terminal_as_plain_text() -> None:
    text = drawn(unit=HOSTILE, model=HOSTILE, kind=HOSTILE)
    assert "\x1b" not in text
    assert "\r" not in text
    assert "[link=http://x]" in text.replace("\n", "")


def test_a_gauge_is_as_full_as_the_battery() -> None:
    assert gauge(50.0).plain.count("█") == 10
    assert gauge(0.0).plain.count("█") == 0
    assert gauge(250.0).plain.count("█") == 20
    assert gauge(None).plain == "-"


def test_runtime_is_told_in_minutes_and_seconds() -> None:
    assert duration(61) == "1 min 01 s"
    assert duration(0) == "0 min 00 s"
    assert duration(None) == "-"
