"""The rules of cloud_bridge.ingest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.entries import Stored, cloned_record, read_record
from cloud_bridge.greeting import cleaned_hello, live_from, remembered
from cloud_bridge.ingest import CONTRADICTION, DECLARED_LOST, Held, Known, Parcel, Verdict, judge, unpack
from drivers.ups import Identity, Severity
from gateway.wire import codec, limits
from gateway.wire.errors import WireError
from gateway.wire.messages import EventBody, IdentityBody, Lane, LaneAck, Origin, Stamp
from tests.cloud_bridge.words import OTHER_STREAM, STREAM, T0, event, gap, hello, parcel, payload, record, status

HOSTILE = "\r\nEvil\x1b[31m\u202e[link=x]<script>=cmd\"'\u0000" + "x" * 100


def held(number: int, raw: bytes, kind: Stored = Stored.EVENT, last: int | None = None) -> Held:
    return Held(number, last or number, kind, codec.digest(raw))


def judged(
    batch: Parcel,
    through: int,
    rows: Sequence[Held] = (),
    origins: Mapping[int, bytes] | None = None,
    live: Mapping[str, int] | None = None,
) -> Verdict:
    return judge(batch, Known(through=through, held=tuple(rows), origins=origins or {}, live_from=live or {}))


def test_a_first_batch_begins_at_one_and_is_acknowledged_to_its_end() -> None:
    verdict = judged(parcel(1, event(1), event(2)), 0, [])
    assert [entry.first for entry in verdict.entries] == [1, 2]
    assert verdict.ack == LaneAck(stream=STREAM, through=2)


def test_behind_a_hole_nothing_is_taken_and_the_missing_number_is_asked_for() -> None:
    verdict = judged(parcel(4, event(4)), 2, [])
    assert verdict == Verdict(ack=LaneAck(stream=STREAM, through=2, again=True))


def test_of_a_batch_that_overlaps_what_is_stored_only_the_rest_is_new() -> None:
    one, two, three = event(1), event(2), event(3)
    verdict = judged(parcel(1, one, two, three), 2, [held(1, one), held(2, two)])
    assert [entry.first for entry in verdict.entries] == [3]
    assert verdict.letters == ()
    assert verdict.ack.through == 3


def test_s16_another_record_under_a_stored_number_is_a_dead_letter_and_tells_of_a_clone() -> None:
    verdict = judged(parcel(1, event(1), event(99)), 2, [held(1, event(1)), held(2, event(2))])
    assert verdict.contradicted == 2
    assert [(letter.number, letter.reason, letter.raw) for letter in verdict.letters] == [(2, CONTRADICTION, event(99))]
    assert verdict.entries == ()
    assert verdict.ack == LaneAck(stream=STREAM, through=2)


def test_s16_a_record_stored_under_its_origins_name_is_a_repeat_and_only_its_number_is_kept() -> None:
    batch = parcel(1, event(7), event(8), stream=OTHER_STREAM, origin=Origin(stream=STREAM, first=7))
    verdict = judged(batch, 0, [], {7: codec.digest(event(7)), 8: codec.digest(event(80))})
    assert [(entry.first, entry.kind) for entry in verdict.entries] == [(1, Stored.REPEAT), (2, Stored.EVENT)]
    assert verdict.entries[0].raw == b""
    assert verdict.contradicted is None


def test_a_gap_covers_its_numbers_and_the_next_record_follows_it() -> None:
    verdict = judged(parcel(3, gap(3, 9), event(10)), 2, [])
    assert [(entry.first, entry.last, entry.kind) for entry in verdict.entries] == [
        (3, 9, Stored.GAP),
        (10, 10, Stored.EVENT),
    ]
    assert verdict.ack.through == 10


def test_a_gap_over_numbers_that_are_stored_explains_only_the_others() -> None:
    verdict = judged(parcel(4, gap(4, 10)), 5, [held(4, event(4)), held(5, event(5))])
    assert [(entry.first, entry.last) for entry in verdict.entries] == [(6, 10)]
    assert verdict.letters == ()
    assert verdict.contradicted is None


def test_a_gap_over_stored_numbers_alone_contradicts_nothing() -> None:
    verdict = judged(parcel(4, gap(4, 5)), 5, [held(4, event(4)), held(5, event(5))])
    assert verdict == Verdict(ack=LaneAck(stream=STREAM, through=5))


def test_a_record_that_was_declared_lost_before_is_a_dead_letter_and_no_clone() -> None:
    verdict = judged(parcel(5, event(5)), 9, [held(3, gap(3, 9), Stored.GAP, last=9)])
    assert [letter.reason for letter in verdict.letters] == [DECLARED_LOST]
    assert verdict.contradicted is None


@pytest.mark.parametrize(
    "bad",
    [
        b'{"kind":"event"}',
        b'{"kind":"event","stamp":{"at":-1,"boot":"b","mono":0},"body":{}}',
        event(2).replace(b'"warning"', b'"apocalyptic"'),
        record("event", EventBody(type="\r\n", severity=Severity.WARNING)),
        b'{"kind":"status","stamp":{"at":1,"boot":"b","mono":0},"body":{"values":[]}}',
        b"[1]",
        b'"' + b"x" * (limits.RECORD_BYTES + 1) + b'"',
        record("event", EventBody(type="t", severity=Severity.WARNING, details={"d": "x" * 60})).replace(
            b'"details":{', b'"details":{' + b",".join(b'"k%d":"%s"' % (i, b"v" * 60) for i in range(60)) + b","
        ),
    ],
    ids=["no-stamp", "bad-instant", "severity", "no-type", "status-body", "no-object", "too-large", "details"],
)
def test_a_record_that_does_not_parse_is_a_dead_letter_and_its_number_counts_as_handled(bad: bytes) -> None:
    verdict = judged(parcel(1, event(1), bad, event(3)), 0, [])
    assert [entry.kind for entry in verdict.entries] == [Stored.EVENT, Stored.DEAD_LETTER, Stored.EVENT]
    assert [(letter.number, letter.raw) for letter in verdict.letters] == [(2, bad)]
    assert verdict.letters[0].reason
    assert verdict.ack.through == 3


def test_a_dead_letter_that_comes_again_is_a_repeat() -> None:
    bad = b"{}"
    verdict = judged(parcel(1, bad), 1, [held(1, bad, Stored.DEAD_LETTER)])
    assert verdict == Verdict(ack=LaneAck(stream=STREAM, through=1))


def test_an_unknown_kind_is_kept_raw_and_unknown_fields_are_ignored() -> None:
    raw = b'{"kind":"forecast","stamp":{"at":5,"boot":"b","mono":0,"new":1},"body":{"a":[1,2]},"later":true}'
    (entry,) = judged(parcel(1, raw), 0, []).entries
    assert (entry.kind, entry.raw, entry.body) == (Stored.UNKNOWN, raw, None)


def test_s17_history_is_what_was_numbered_before_the_connections_hello() -> None:
    live = live_from(hello(next_=3), Lane.EVENTS)
    verdict = judged(parcel(1, event(1), event(2), event(3)), 0, [], live=live)
    assert [entry.history for entry in verdict.entries] == [True, True, False]


def test_s17_a_record_is_never_history_for_its_time() -> None:
    verdict = judged(parcel(1, event(1, at=0)), 0, [], live=live_from(hello(next_=1), Lane.EVENTS))
    assert [entry.history for entry in verdict.entries] == [False]


def test_s17_a_renumbered_record_is_history_by_its_former_number() -> None:
    live = live_from(hello(next_=8), Lane.EVENTS)
    batch = parcel(1, event(7), event(8), stream=OTHER_STREAM, origin=Origin(stream=STREAM, first=7))
    assert [entry.history for entry in judged(batch, 0, [], live=live).entries] == [True, False]


def test_s17_a_hello_said_again_does_not_turn_live_records_into_history() -> None:
    first, again = hello(next_=3), hello(next_=9)
    assert remembered(first, again).lanes[Lane.EVENTS].next == 3
    assert remembered(first, hello("c2", next_=9)).lanes[Lane.EVENTS].next == 9
    assert remembered(None, first) == first


def test_a_stream_changed_within_a_connection_has_its_own_range() -> None:
    kept = remembered(hello(next_=3), hello(next_=1, stream=OTHER_STREAM))
    assert (kept.lanes[Lane.EVENTS].stream, kept.lanes[Lane.EVENTS].next) == (OTHER_STREAM, 1)


def test_s6_texts_are_cut_to_printable_characters_again_at_ingest() -> None:
    body = EventBody(type="on_\x1b[31mbattery\r\n", severity=Severity.WARNING, details={"na\x07me": HOSTILE, "n": 1})
    stamp = Stamp(at=T0, boot="b\x1boot", mono=0, clock="\nsynchronised")
    said = codec.decode_record(record("event", body))
    raw = codec.encode_record(msgspec.structs.replace(said, unit="rack\n-1", stamp=stamp))
    entry = read_record(raw, 1, 1)
    assert isinstance(entry.body, EventBody)
    assert (entry.unit, entry.body.type) == ("rack-1", "on_[31mbattery")
    assert entry.stamp == Stamp(at=T0, boot="boot", mono=0, clock="synchronised")
    texts = [text for text in (*entry.body.details, *entry.body.details.values()) if isinstance(text, str)]
    assert all(text.isprintable() and len(text) <= limits.TEXT_LENGTH for text in texts)
    assert entry.raw == raw


def test_s6_an_identitys_and_a_hellos_texts_are_cleaned() -> None:
    identity = Identity(serial="AS\x1b1", model=HOSTILE, outlet_groups=((1, "group\n1"),))
    entry = read_record(record("identity", IdentityBody(identity=identity, transport="a\nb")), 1, 1)
    assert isinstance(entry.body, IdentityBody)
    assert entry.body.identity.serial == "AS1"
    assert entry.body.identity.outlet_groups == ((1, "group1"),)
    assert entry.body.transport == "ab"
    assert (entry.body.identity.model or "").isprintable()
    cleaned = cleaned_hello(hello("c\n1", units=["u\x1b1"]))
    assert (cleaned.conn, cleaned.units) == ("c1", ["u1"])


def test_a_gap_that_stands_at_another_number_is_a_dead_letter_and_spoils_nothing() -> None:
    verdict = judged(parcel(3, gap(4, 5), event(4)), 2, [])
    assert [(entry.first, entry.last, entry.kind) for entry in verdict.entries] == [
        (3, 3, Stored.DEAD_LETTER),
        (4, 4, Stored.EVENT),
    ]
    assert [letter.number for letter in verdict.letters] == [3]
    assert verdict.ack.through == 4


def test_numbers_beyond_what_a_database_holds_are_refused() -> None:
    with pytest.raises(WireError):
        parcel(limits.SEQUENCE_MAX, event(1), event(2))
    with pytest.raises(WireError):
        parcel(1, gap(1, limits.SEQUENCE_MAX), event(2))
    with pytest.raises(WireError):
        parcel(1, event(1), event(2), origin=Origin(stream=OTHER_STREAM, first=limits.SEQUENCE_MAX))


def test_the_cloned_event_is_critical_and_names_the_record() -> None:
    entry = read_record(cloned_record("events", STREAM, 7, T0), 1, 1)
    assert isinstance(entry.body, EventBody)
    assert (entry.body.type, entry.body.severity) == ("gateway_cloned", Severity.CRITICAL)
    assert entry.body.details == {"lane": "events", "stream": STREAM, "seq": 7}


@given(st.binary(max_size=400))
def test_any_payload_is_a_parcel_or_a_wire_error(payload: bytes) -> None:
    try:
        unpack(Lane.EVENTS, payload)
    except WireError as error:
        assert error.what


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(event(1)), st.just(status(load_pct=4)))), st.data())
def test_any_bytes_as_records_are_judged_number_by_number(records: list[bytes], data: st.DataObject) -> None:
    raws = [raw for raw in records if _is_json(raw)][:20]
    if not raws:
        return
    through = data.draw(st.integers(0, 20))
    batch = unpack(Lane.EVENTS, payload(1, *raws))
    verdict = judged(batch, through, [held(n, b"other") for n in range(1, through + 1)])
    assert [entry.first for entry in verdict.entries] == list(range(through + 1, len(raws) + 1))
    dead = [entry.first for entry in verdict.entries if entry.kind is Stored.DEAD_LETTER]
    assert [letter.number for letter in verdict.letters if letter.number > through] == dead


def _is_json(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True
