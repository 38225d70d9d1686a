from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Event, Flag, Identity, Severity
from gateway.records import event_body, identity_body, milliseconds, record
from gateway.wire import limits
from gateway.wire.codec import decode_body, decode_record, encode_record
from gateway.wire.messages import EventBody, IdentityBody, Kind, Stamp

AT = datetime(2026, 11, 24, 3, 0, 0, 123_999, tzinfo=UTC)
STAMP = Stamp(at=milliseconds(AT), boot="b", mono=5)


def event(**details: str | int | float | bool) -> Event:
    return Event(
        type="on_battery",
        severity=Severity.WARNING,
        at=AT,
        after=AT - timedelta(seconds=2),
        found_afterwards=True,
        details=details,
    )


def test_an_event_crosses_the_wire_as_it_was() -> None:
    body = event_body(event(cause="distorted_input", charge_pct=99.5, test=False), read_ms=41.27)
    raw = encode_record(record(Kind.EVENT, STAMP, "rack-1", body))
    back = decode_record(raw)
    assert (back.kind, back.unit, back.stamp) == ("event", "rack-1", STAMP)
    assert decode_body(back, EventBody) == EventBody(
        type="on_battery",
        severity=Severity.WARNING,
        after=1_795_489_198_123,
        found_afterwards=True,
        read_ms=41.3,
        details={"cause": "distorted_input", "charge_pct": 99.5, "test": False},
    )


def test_an_identity_crosses_the_wire_as_it_was() -> None:
    identity = Identity(serial="AS123", outlet_groups=((1, "Racks"),))
    raw = encode_record(record(Kind.IDENTITY, STAMP, "rack-1", identity_body(identity, "modbus+tcp")))
    body = decode_body(decode_record(raw), IdentityBody)
    assert (body.identity, body.transport) == (identity, "modbus+tcp")


def test_milliseconds_are_utc_rounded_down_and_never_negative() -> None:
    assert milliseconds(AT) == 1_795_489_200_123
    assert milliseconds(AT.astimezone(timezone(timedelta(hours=5)))) == 1_795_489_200_123
    assert milliseconds(datetime(1969, 12, 31, tzinfo=UTC)) == 0


def test_s6_texts_in_details_are_cleaned_and_cut() -> None:
    body = event_body(event(name="a\r\nb\x1b[0m" + "x" * 99))
    assert body.details["name"] == "ab[0m" + "x" * 59


def test_a_number_that_json_does_not_have_is_left_out() -> None:
    assert event_body(event(load_pct=float("nan"), input_v=float("inf"), charge_pct=1.5)).details == {"charge_pct": 1.5}


@given(
    st.dictionaries(
        st.text(max_size=80), st.text(max_size=200) | st.integers(-(2**53), 2**53) | st.floats(), max_size=60
    )
)
def test_details_never_grow_beyond_their_limit(details: dict[str, str | int | float | bool]) -> None:
    body = event_body(msgspec.structs.replace(event(), details=details))
    assert len(msgspec.json.encode(body.details)) <= limits.DETAILS_BYTES
    assert decode_record(encode_record(record(Kind.EVENT, STAMP, "u", body))).unit == "u"


def test_details_beyond_the_limit_keep_the_first_ones() -> None:
    body = event_body(event(**{f"d{number:02}": "x" * 64 for number in range(60)}))
    assert list(body.details) == [f"d{number:02}" for number in range(len(body.details))]
    assert 20 < len(body.details) < 60


def test_what_a_protocol_can_report_does_not_go_to_the_cloud() -> None:
    body = identity_body(Identity(serial="AS1", reported_flags=frozenset(Flag)))
    assert body.identity == Identity(serial="AS1")
