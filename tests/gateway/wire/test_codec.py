"""The language on MQTT: exact bytes, limits, and no surprise whatever arrives."""

from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Severity
from gateway.wire import codec, limits
from gateway.wire.errors import Malformed, TooLarge, WireError
from gateway.wire.messages import (
    Ack,
    Batch,
    EventBody,
    GapBody,
    Heartbeat,
    Hello,
    Kind,
    Lane,
    LaneAck,
    Message,
    Offline,
    Record,
    Stamp,
    StatusBody,
)

STREAM = "00c0ffee00c0ffee"
STAMP = Stamp(at=1_795_487_455_123, boot="7c3f", mono=993_211)


def record(body: Message, kind: str = Kind.EVENT) -> bytes:
    return codec.encode_record(Record(kind=kind, stamp=STAMP, unit="rack-1", body=codec.encode_body(body)))


def batch(records: list[bytes], first: int = 1) -> Batch:
    return Batch(stream=STREAM, first=first, records=[msgspec.Raw(r) for r in records], sent_at=STAMP.at)


def test_an_event_record_has_exactly_these_bytes() -> None:
    body = EventBody(type="on_battery", severity=Severity.WARNING, details={"cause": "low_input_voltage"})
    assert record(body) == (
        b'{"kind":"event","stamp":{"at":1795487455123,"boot":"7c3f","mono":993211},"unit":"rack-1",'
        b'"body":{"type":"on_battery","severity":"warning","details":{"cause":"low_input_voltage"}}}'
    )


def test_an_ack_has_exactly_these_bytes() -> None:
    ack = Ack(
        lanes={
            Lane.EVENTS: LaneAck(stream=STREAM, through=7),
            Lane.STATUS: LaneAck(stream=STREAM, through=0, again=True),
        }
    )
    assert codec.encode(ack) == (
        b'{"lanes":{"events":{"stream":"00c0ffee00c0ffee","through":7},'
        b'"status":{"stream":"00c0ffee00c0ffee","through":0,"again":true}}}'
    )


def test_records_number_themselves_from_first_and_a_gap_covers_its_range() -> None:
    event = record(EventBody(type="on_battery", severity=Severity.WARNING))
    gap = record(GapBody(first=12, last=19, why="crash"), Kind.GAP)
    numbers = [(a, b) for a, b, _ in codec.numbered(batch([event, event, gap, event], first=10))]
    assert numbers == [(10, 10), (11, 11), (12, 19), (20, 20)]


@pytest.mark.parametrize(("first", "last"), [(3, 9), (2, 1), (1, 1)])
def test_a_gap_that_does_not_fit_its_own_number_covers_that_number_alone(first: int, last: int) -> None:
    gap = record(GapBody(first=first, last=last, why="crash"), Kind.GAP)
    event = record(EventBody(type="on_battery", severity=Severity.WARNING))
    assert [(a, b) for a, b, _ in codec.numbered(batch([gap, event]))] == [(1, 1), (2, 2)]


def test_an_event_that_merely_mentions_a_gap_is_no_gap() -> None:
    event = record(EventBody(type="on_battery", severity=Severity.WARNING, details={"kind": "gap"}))
    assert [(a, b) for a, b, _ in codec.numbered(batch([event], first=5))] == [(5, 5)]


def test_unknown_fields_and_unknown_kinds_are_let_through() -> None:
    raw = b'{"kind":"newer","stamp":{"at":1,"boot":"b","mono":2,"zone":"x"},"body":[1,2],"extra":{}}'
    assert codec.decode_record(raw).kind == "newer"


def test_a_large_batch_is_deflated_and_comes_back_to_the_byte() -> None:
    whole = batch([record(EventBody(type="on_battery", severity=Severity.WARNING))] * limits.BATCH_RECORDS)
    payload = codec.encode(whole)
    assert payload[0] == 0x78
    assert len(payload) < 4096
    assert codec.decode(payload, Batch) == whole


def test_a_single_event_is_sent_as_plain_json() -> None:
    assert codec.encode(batch([record(EventBody(type="on_battery", severity=Severity.WARNING))]))[:1] == b"{"


def test_a_deflated_bomb_is_refused_before_it_is_parsed() -> None:
    bomb = zlib.compress(b" " * (limits.INFLATED_BYTES + 1))
    assert len(bomb) < limits.PAYLOAD_BYTES
    with pytest.raises(TooLarge):
        codec.decode(bomb, Batch)


def test_bytes_behind_a_deflated_text_are_refused() -> None:
    with pytest.raises(Malformed):
        codec.decode(zlib.compress(b"{}") + b"x", Offline)


def test_a_payload_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(TooLarge):
        codec.decode(b"{" * (limits.PAYLOAD_BYTES + 1), Heartbeat)


def test_a_record_over_the_limit_is_neither_made_nor_read() -> None:
    body = StatusBody(values={"x": msgspec.Raw(b'"' + b"a" * limits.RECORD_BYTES + b'"')})
    with pytest.raises(TooLarge):
        record(body, Kind.STATUS)
    with pytest.raises(TooLarge):
        codec.decode_record(b'"' + b"a" * limits.RECORD_BYTES + b'"')


def test_more_records_than_allowed_are_refused() -> None:
    event = record(EventBody(type="on_battery", severity=Severity.WARNING))
    with pytest.raises(Malformed):
        codec.decode(codec.encode(batch([event] * (limits.BATCH_RECORDS + 1))), Batch)


@pytest.mark.parametrize("first", [0, -1, limits.SEQUENCE_MAX + 1])
def test_numbers_outside_their_range_are_refused(first: int) -> None:
    with pytest.raises(Malformed):
        codec.decode(b'{"stream":"%s","first":%d,"records":[1],"sent_at":1}' % (STREAM.encode(), first), Batch)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(Malformed):
        codec.decode(b'{"conn":"c","extra":' + b"[" * 100_000, Heartbeat)


@given(st.binary(max_size=300), st.sampled_from([Batch, Hello, Heartbeat, Offline, Ack]))
def test_any_bytes_end_in_a_message_or_a_declared_error(payload: bytes, kind: type[Message]) -> None:
    try:
        decoded = codec.decode(payload, kind)
    except WireError:
        return
    assert isinstance(decoded, kind)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.text(), s),
    )
)
def test_any_json_as_a_record_ends_in_a_record_or_a_declared_error(value: object) -> None:
    try:
        codec.decode_record(msgspec.json.encode(value))
    except WireError:
        return


@given(st.binary(max_size=64))
def test_two_records_differ_in_their_digests(raw: bytes) -> None:
    assert len(codec.digest(raw)) == 16
    assert codec.digest(raw) != codec.digest(raw + b"x")
