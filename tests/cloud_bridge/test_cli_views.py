"""What the reading commands say of what is stored."""

from __future__ import annotations

import io
import json

import msgspec
import pytest
from rich.console import Console
from rich.text import Text

from cloud_bridge.presence import (
    LinkState,
    gateway_cells,
    gateway_json,
    ingest_json,
    ingest_warning,
    link_state,
    unit_cells,
    unit_json,
    unit_view,
)
from cloud_bridge.rows import EventRow, GatewayRow, IngestRow, LetterRow, UnitRow
from cloud_bridge.views import ago_text, event_json, event_line, iso, letter_json, letter_line
from drivers.ups import Identity, Severity, State
from gateway.wire.messages import IdentityBody, Lane
from tests.cloud_bridge.words import STREAM, T0, hello

HOSTILE = "a\r\nb\x1b[31m[red]c[/red][link=http://x]<script>=cmd|' \"\u202e"
HEARING = IngestRow(started_at=T0 - 10**7, alive_at=T0, connected_at=T0 - 10**7)

EVENT = EventRow(
    id=1,
    gateway="pi-a",
    unit="rack-1",
    lane="events",
    stream=STREAM,
    seq=7,
    type="on_battery",
    severity=Severity.WARNING,
    at=T0 + 123,
    after_at=T0,
    found_afterwards=False,
    history=False,
    read_ms=41.5,
    sent_at=T0 + 130,
    received_at=T0 + 140,
    stored_at=T0 + 150,
    clock="synchronised",
    boot="b",
    mono=5,
    details={"input_v": 0.0},
)
GATEWAY = GatewayRow(
    name="pi-a",
    first_seen_at=T0 - 10**6,
    last_seen_at=T0,
    offline_at=None,
    offline_why=None,
    hello=hello(),
    waiting={Lane.EVENTS: 2, Lane.STATUS: 0},
    letters=1,
    letters_dropped=2,
    streams=(),
)
UNIT = UnitRow(
    gateway="pi-a",
    name="rack-1",
    at=T0,
    sent_at=T0,
    received_at=T0,
    status={
        name: msgspec.Raw(msgspec.json.encode(value))
        for name, value in {
            "state": "on_battery",
            "charge_pct": 87.5,
            "load_pct": 20.0,
            "runtime_s": 3725,
            "input_v": 0.0,
        }.items()
    },
    identity=IdentityBody(identity=Identity(serial="AS1", model="Smart-UPS 1500")),
)


def printed(text: Text) -> str:
    out = io.StringIO()
    Console(file=out, force_terminal=False, width=1000, highlight=False).print(text, soft_wrap=True)
    return out.getvalue()


def test_an_event_line_has_what_the_contract_names() -> None:
    line = json.loads(event_json(EVENT))
    assert line["at"] == "2026-11-24T02:30:55.123Z"
    assert line["received_at"] == "2026-11-24T02:30:55.140Z"
    assert line["stored_at"] == "2026-11-24T02:30:55.150Z"
    wanted = {"gateway", "unit", "lane", "stream", "seq", "type", "severity", "history", "found_afterwards", "details"}
    assert wanted <= line.keys()
    assert (line["seq"], line["severity"], line["details"]) == (7, "warning", {"input_v": 0.0})


def test_a_persons_event_line_says_what_it_means() -> None:
    line = printed(event_line(EVENT))
    assert line.startswith("2026-11-24T02:30:55.123Z  warning        pi-a/rack-1  on_battery  The mains failed")
    assert "input_v 0.0" in line


def test_s6_no_text_from_outside_steers_a_terminal_or_forges_a_line() -> None:
    event = msgspec.structs.replace(EVENT, unit=HOSTILE, type=HOSTILE, gateway=HOSTILE, details={HOSTILE: HOSTILE})
    letter = LetterRow(
        gateway="pi-a",
        lane="events",
        stream="",
        seq=0,
        reason=HOSTILE,
        times=2,
        received_at=T0,
        last_at=T0,
        raw=HOSTILE.encode(),
    )
    unit = msgspec.structs.replace(UNIT, name=HOSTILE)
    cells = [*unit_cells(unit_view(unit, LinkState.ONLINE, T0)), *gateway_cells(GATEWAY, LinkState.ONLINE, T0)]
    for text in (event_line(event), letter_line(letter), *cells):
        line = printed(text)
        assert line.endswith("\n")
        assert line[:-1].isprintable()
    assert "[red]" in printed(event_line(event))
    assert "[link=http://x]" in printed(letter_line(letter))
    assert len(event_json(event).splitlines()) == 1
    assert len(letter_json(letter).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "after_ms", "state"),
    [
        ({}, 89_000, LinkState.ONLINE),
        ({}, 91_000, LinkState.LOST),
        ({"offline_at": T0 + 1, "offline_why": "stopped"}, 2, LinkState.STOPPED),
        ({"offline_at": T0 + 1, "offline_why": "will"}, 2, LinkState.LOST),
        ({"offline_at": T0 - 1, "offline_why": "will"}, 2, LinkState.ONLINE),
    ],
)
def test_a_gateway_is_lost_after_ninety_silent_seconds_or_when_it_says_so(
    changes: dict[str, object], after_ms: int, state: LinkState
) -> None:
    gateway = msgspec.structs.replace(GATEWAY, **changes)
    now = T0 + after_ms
    assert link_state(gateway, msgspec.structs.replace(HEARING, alive_at=now), now) is state


def test_a_gateway_that_is_kept_out_is_shown_so_however_lately_it_was_heard() -> None:
    assert link_state(GATEWAY, HEARING, T0, revoked={GATEWAY.name}) is LinkState.REVOKED
    assert link_state(GATEWAY, HEARING, T0, revoked={"another"}) is not LinkState.REVOKED


def test_silence_says_nothing_while_ingest_does_not_hear_the_broker() -> None:
    assert link_state(GATEWAY, None, T0) is LinkState.UNKNOWN
    assert link_state(GATEWAY, HEARING, T0 + 31_000) is LinkState.UNKNOWN
    assert link_state(GATEWAY, msgspec.structs.replace(HEARING, connected_at=None), T0) is LinkState.UNKNOWN


def test_a_gateway_has_its_time_to_speak_once_ingest_hears_again() -> None:
    now = T0 + 10**7
    back = IngestRow(started_at=now, alive_at=now, connected_at=now - 60_000)
    assert link_state(GATEWAY, back, now) is LinkState.ONLINE


def test_stale_values_are_never_shown_as_live() -> None:
    live = unit_view(UNIT, LinkState.ONLINE, T0 + 5000)
    assert (live.stale, live.age_s, live.state, live.runtime_s) == (False, 5.0, State.ON_BATTERY, 3725)
    for view in (unit_view(UNIT, LinkState.LOST, T0), unit_view(UNIT, LinkState.ONLINE, T0 + 91_000)):
        assert view.stale
        assert json.loads(unit_json(view))["stale"] is True
        assert unit_cells(view)[1].plain == "stale, was on_battery"


def test_age_counts_the_wait_in_the_gateway_by_the_gateways_own_clock() -> None:
    waited = msgspec.structs.replace(UNIT, at=T0 - 10**9 - 200_000, sent_at=T0 - 10**9)
    view = unit_view(waited, LinkState.ONLINE, T0 + 1000)
    assert (view.age_s, view.stale) == (201.0, True)


def test_a_unit_that_never_reported_shows_nothing() -> None:
    silent = msgspec.structs.replace(UNIT, at=None, sent_at=None, received_at=None, status={}, identity=None)
    view = unit_view(silent, LinkState.ONLINE, T0)
    assert view.stale
    assert [cell.plain for cell in unit_cells(view)][1:] == ["nothing heard", "-", "-", "-", "-", "-"]
    assert json.loads(unit_json(view))["charge_pct"] is None


def test_a_value_of_the_wrong_type_is_no_value() -> None:
    odd = msgspec.structs.replace(
        UNIT,
        status={
            "state": msgspec.Raw(b'"melting"'),
            "charge_pct": msgspec.Raw(b'"full"'),
            "runtime_s": msgspec.Raw(b"{}"),
        },
    )
    view = unit_view(odd, LinkState.ONLINE, T0)
    assert (view.state, view.charge_pct, view.runtime_s) == (None, None, None)


def test_a_unit_line_has_its_readings_and_who_it_is() -> None:
    line = json.loads(unit_json(unit_view(UNIT, LinkState.ONLINE, T0)))
    assert (line["kind"], line["unit"], line["state"], line["charge_pct"]) == ("unit", "rack-1", "on_battery", 87.5)
    assert (line["serial"], line["model"]) == ("AS1", "Smart-UPS 1500")
    assert line["values"]["input_v"] == 0.0
    cells = [cell.plain for cell in unit_cells(unit_view(UNIT, LinkState.ONLINE, T0))]
    assert cells == ["pi-a/rack-1", "on_battery", "88%", "20%", "62 min", "0 V", "0 s"]


def test_a_gateway_line_has_what_is_stored_and_what_waits() -> None:
    line = json.loads(gateway_json(GATEWAY, LinkState.ONLINE))
    assert (line["kind"], line["link"], line["waiting"]) == ("gateway", "online", {"events": 2, "status": 0})
    assert (line["dead_letters"], line["dead_letters_dropped"]) == (1, 2)
    assert [cell.plain for cell in gateway_cells(GATEWAY, LinkState.ONLINE, T0)][5:] == ["events 2", "3"]


def test_a_status_that_nobody_keeps_up_to_date_says_so() -> None:
    assert ingest_warning(HEARING, T0) is None
    assert "does not run, last 2 min ago" in str(ingest_warning(HEARING, T0 + 120_000))
    assert "does not run" in str(ingest_warning(None, T0))
    deaf = msgspec.structs.replace(HEARING, connected_at=None)
    assert "does not hear the broker" in str(ingest_warning(deaf, T0))
    assert json.loads(ingest_json(deaf, T0))["hears_broker"] is False
    assert json.loads(ingest_json(None, T0))["alive_at"] is None


def test_a_dead_letters_bytes_can_be_read_back() -> None:
    letter = LetterRow(
        gateway="g", lane="events", stream=STREAM, seq=4, reason="r", times=1, received_at=T0, last_at=T0, raw=b"{\xff}"
    )
    assert json.loads(letter_json(letter))["raw"] == "{\\xff}"
    assert f"{STREAM}:4" in printed(letter_line(letter))


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (119.9, "119 s"), (120, "2 min"), (7200, "2 h 0 min"), (200_000, "2 d 7 h")]
)
def test_a_duration_is_told_as_a_person_says_it(seconds: float, text: str) -> None:
    assert ago_text(seconds) == text


def test_an_instant_is_utc_with_milliseconds() -> None:
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso(253_402_300_799_999) == "9999-12-31T23:59:59.999Z"
