"""One lane's bookkeeping, step by step."""

from __future__ import annotations

import pytest

from gateway.entries import ALWAYS, Entry, Kept, Loaded, Want, explained, gap_entry
from gateway.outbox import (
    BLOCK,
    KEPT_IN_MEMORY,
    NOT_ACKNOWLEDGED_S,
    SAVE_FROM,
    UNSAVED_AT_MOST,
    WINDOW,
    LaneBook,
    Verdict,
)
from gateway.wire import codec, limits
from gateway.wire.messages import GapBody, Kind, Lane, LaneAck, Origin, Stamp

A = "a" * 16
B = "b" * 16
C = "c" * 16
STAMP = Stamp(at=1, boot="b", mono=1)


def events(acked: int = 0, following: int = 1, sent: int = ALWAYS) -> LaneBook:
    return LaneBook(Lane.EVENTS, Kept(A, acked, following, sent), durable=True)


def status(acked: int = 0, following: int = 1) -> LaneBook:
    return LaneBook(Lane.STATUS, Kept(A, acked, following), durable=False)


def append_saved(book: LaneBook, count: int, size: int = 20) -> None:
    for _ in range(count):
        book.saved(book.stream, [book.append(b"x" * size, 0.0)])


def ack(through: int, *, again: bool = False, stream: str = A) -> LaneAck:
    return LaneAck(stream=stream, through=through, again=again)


def sent(book: LaneBook) -> list[tuple[int, int]]:
    """First and last number of every batch that goes out now."""
    batches = []
    while out := book.outgoing(0.0):
        batches.append((out.entries[0].first, out.entries[-1].end))
    return batches


def test_an_event_is_not_sent_before_the_disk_has_it() -> None:
    book = events()
    entry = book.append(b"one", 0.0)
    assert sent(book) == []
    book.saved(A, [entry])
    assert sent(book) == [(1, 1)]


def test_an_event_that_the_disk_refuses_is_sent_from_memory_and_still_counts_as_unsaved() -> None:
    book = events()
    entry = book.append(b"one", 0.0)
    book.released(A, [entry])
    assert sent(book) == [(1, 1)]
    assert book.unsaved() == (entry,)


def test_a_status_is_sent_at_once_as_a_batch_of_one() -> None:
    book = status()
    book.append(b"one", 0.0)
    assert sent(book) == [(1, 1)]
    book.append(b"two", 0.0)
    assert sent(book) == [(2, 2)]


@pytest.mark.parametrize("lane", list(Lane))
def test_no_more_batches_are_in_flight_than_the_window_holds(lane: Lane) -> None:
    book = LaneBook(lane, Kept(A), durable=False)
    batches = []
    for _ in range(20):
        book.append(b"x", 0.0)
        batches += sent(book)
    assert batches == [(n, n) for n in range(1, WINDOW[lane] + 1)]
    book.acknowledged(ack(WINDOW[lane]))
    assert sent(book) == [(WINDOW[lane] + 1, 20)]


def test_a_batch_holds_no_more_records_than_allowed() -> None:
    book = events()
    append_saved(book, limits.BATCH_RECORDS + 1)
    assert sent(book) == [(1, limits.BATCH_RECORDS), (limits.BATCH_RECORDS + 1, limits.BATCH_RECORDS + 1)]


def test_a_batch_holds_no_more_bytes_than_allowed() -> None:
    book = events()
    append_saved(book, 20, size=limits.RECORD_BYTES)
    while out := book.outgoing(0.0):
        assert sum(len(entry.raw) for entry in out.entries) <= limits.BATCH_BYTES


def test_what_is_unacknowledged_is_sent_again_one_batch_at_a_time() -> None:
    book = events()
    for _ in range(3):
        append_saved(book, 1)
        sent(book)
    assert not book.resend_overdue(limits.RESEND_AFTER_S - 0.1)
    assert book.resend_overdue(limits.RESEND_AFTER_S)
    assert sent(book) == [(1, 3)]
    append_saved(book, 1)
    assert sent(book) == []
    book.acknowledged(ack(3))
    assert sent(book) == [(4, 4)]


def test_what_was_acknowledged_within_a_batch_is_not_sent_again_with_its_rest() -> None:
    book = events()
    append_saved(book, 4)
    sent(book)
    book.acknowledged(ack(2))
    assert book.resend_overdue(limits.RESEND_AFTER_S)
    assert sent(book) == [(3, 4)]


def test_again_goes_back_at_once() -> None:
    book = events()
    append_saved(book, 4)
    sent(book)
    assert book.acknowledged(ack(2, again=True)) is Verdict.REWOUND
    assert sent(book) == [(3, 4)]


def test_s16_an_acknowledgement_beyond_what_was_sent_is_refused() -> None:
    book = events()
    append_saved(book, 3)
    book.released(A, [book.append(b"x", 0.0)])
    sent(book)
    assert book.acknowledged(ack(5)) is Verdict.BEYOND
    assert (book.acked, book.waiting) == (0, 4)


def test_an_acknowledgement_of_another_stream_does_nothing() -> None:
    book = events()
    append_saved(book, 3)
    sent(book)
    assert book.acknowledged(ack(3, stream=B)) is Verdict.FOREIGN
    assert book.greeted(ack(3, stream=B)) is Verdict.FOREIGN
    assert book.acked == 0


def test_s16_a_number_that_this_file_never_sent_shows_an_old_copy() -> None:
    """The card knows up to 3, a gateway with its later state sent 5; five events that were made since do not
    hide it."""
    book = events(acked=3, following=4)
    append_saved(book, 5)
    assert book.greeted(ack(5)) is Verdict.NEW_STREAM


def test_numbers_made_before_the_last_crash_may_be_stored() -> None:
    book = events(acked=3, following=6)
    assert book.greeted(ack(5)) is Verdict.TAKEN
    assert book.waiting == 0


def test_s16_numbers_made_while_surely_offline_can_not_be_stored() -> None:
    """Two starts of an old copy without a connection: what the first start made was never sent."""
    book = events(acked=3, following=9, sent=3)
    assert book.greeted(ack(5)) is Verdict.NEW_STREAM


def test_s16_records_move_to_the_new_stream_with_their_old_name() -> None:
    book = events(acked=3, following=4)
    append_saved(book, 2)
    shift = book.renew(B, 0)
    assert (shift.old, shift.new, shift.acked, shift.last) == (A, B, 3, 5)
    assert sent(book) == []
    book.moved(shift)
    out = book.outgoing(0.0)
    assert out is not None
    assert [(entry.first, entry.origin) for entry in out.entries] == [
        (1, Origin(stream=A, first=4)),
        (2, Origin(stream=A, first=5)),
    ]
    assert (book.range.oldest, book.range.next) == (1, 3)


def test_s16_a_record_that_moves_twice_bears_the_name_that_the_cloud_can_have_it_under() -> None:
    """The cloud has the first of stream B; the second it has, if at all, from stream A."""
    book = events(acked=3, following=4)
    append_saved(book, 2)
    book.moved(book.renew(B, 9))
    append_saved(book, 1)
    book.moved(book.renew(C, 1))
    out = [entry for _ in range(3) for batch in [book.outgoing(0.0)] if batch for entry in batch.entries]
    assert [(entry.first, entry.origin) for entry in out] == [
        (1, Origin(stream=B, first=1)),
        (2, Origin(stream=A, first=5)),
        (3, Origin(stream=B, first=3)),
    ]


def test_old_and_new_records_never_share_a_batch() -> None:
    book = events(acked=3, following=4)
    append_saved(book, 2)
    book.moved(book.renew(B, 0))
    append_saved(book, 1)
    assert sent(book) == [(1, 2), (3, 3)]


def test_a_cloud_restored_from_backup_gets_it_again() -> None:
    book = events(acked=5, following=6)
    assert book.greeted(ack(2)) is Verdict.REWOUND
    assert book.want() == Want(Lane.EVENTS, A, 3, 5)


def test_a_backlog_is_asked_for_once_and_sent_in_its_order() -> None:
    book = events(acked=0, following=4)
    want = book.want()
    assert want == Want(Lane.EVENTS, A, 1, 3)
    assert book.want() is None
    book.loaded(Loaded(Lane.EVENTS, A, tuple(Entry(n, b"x") for n in (1, 2, 3))))
    assert sent(book) == [(1, 3)]


def test_a_live_record_ends_what_is_wanted_from_the_file() -> None:
    book = events(acked=0, following=4)
    append_saved(book, 1)
    assert book.want() == Want(Lane.EVENTS, A, 1, 3)


def test_a_page_that_comes_after_a_new_stream_is_not_taken() -> None:
    book = events(acked=0, following=3)
    book.want()
    book.moved(book.renew(B, 0))
    book.loaded(Loaded(Lane.EVENTS, A, (Entry(1, b"x"), Entry(2, b"y"))))
    assert sent(book) == []


def test_a_status_goes_to_disk_only_after_ten_seconds_without_an_answer() -> None:
    book = status()
    first = book.append(b"x", 100.0)
    second = book.append(b"y", 105.0)
    assert book.overdue(100.0 + NOT_ACKNOWLEDGED_S - 0.1) == ()
    assert book.overdue(100.0 + NOT_ACKNOWLEDGED_S) == (first, second)
    sent(book)
    book.acknowledged(ack(2))
    assert book.overdue(1000.0) == ()


def test_without_any_answer_status_goes_to_disk_every_five_minutes() -> None:
    book = status()
    saves = []
    for second in range(560):
        book.append(b"x", float(second))
        if entries := book.overdue(float(second)):
            saves.append((second, len(entries)))
            book.saving(float(second))
            book.saved(A, entries)
    assert saves == [(10, 11), (310, 300)]


def test_status_is_unheard_from_its_first_save_to_the_next_acknowledgement() -> None:
    book = status()
    book.append(b"x", 0.0)
    assert not book.is_unheard(9.0)
    book.saving(10.0)
    assert book.is_unheard(11.0)
    sent(book)
    book.acknowledged(ack(1))
    assert not book.is_unheard(12.0)


def test_much_status_without_any_answer_goes_to_disk_before_memory_is_full() -> None:
    book = status()
    most = 0
    for second in range(200):
        for _ in range(70):
            book.append(b"x", float(second))
        most = max(most, len(book.unsaved()))
        if entries := book.overdue(float(second)):
            book.saving(float(second))
            book.saved(A, entries)
    assert SAVE_FROM < most < UNSAVED_AT_MOST


def test_after_an_answer_ten_seconds_count_again() -> None:
    book = status()
    first = book.append(b"x", 0.0)
    book.saving(10.0)
    book.saved(A, [first])
    sent(book)
    book.acknowledged(ack(1))
    second = book.append(b"y", 20.0)
    assert book.overdue(20.0 + NOT_ACKNOWLEDGED_S) == (second,)


def test_status_numbers_are_reserved_in_blocks_and_an_event_needs_none() -> None:
    book = status()
    assert book.reserve()
    assert not book.reserve()
    assert book.kept(online=True) == Kept(A, 0, BLOCK + 2, ALWAYS)
    assert book.kept_at_stop() == Kept(A, 0, 1, 0)
    assert not events().reserve()


def test_memory_is_bounded_however_long_the_cloud_is_away() -> None:
    book = events()
    append_saved(book, 10 * KEPT_IN_MEMORY)
    assert book.in_memory <= KEPT_IN_MEMORY + 1
    unsaved = status()
    for _ in range(UNSAVED_AT_MOST + 10):
        unsaved.append(b"x", 0.0)
    assert len(unsaved.unsaved()) == UNSAVED_AT_MOST


def test_every_hole_is_explained_by_a_gap_record() -> None:
    want = Want(Lane.STATUS, A, 1, 10)
    rows = [Entry(3, b"x"), Entry(4, b"y", last=6, gap=True), Entry(8, b"z")]
    found = explained(want, rows, True, lambda first, last: gap_entry(first, last, "crash", STAMP))
    assert [(entry.first, entry.end, entry.gap) for entry in found] == [
        (1, 2, True),
        (3, 3, False),
        (4, 6, True),
        (7, 7, True),
        (8, 8, False),
        (9, 10, True),
    ]


def test_a_page_that_goes_on_has_no_gap_at_its_end() -> None:
    want = Want(Lane.STATUS, A, 1, 10)
    found = explained(want, [Entry(1, b"x")], False, lambda first, last: gap_entry(first, last, "", STAMP))
    assert [entry.first for entry in found] == [1]


def test_a_gap_record_says_from_where_to_where_and_why() -> None:
    record = codec.decode_record(gap_entry(4, 9, "crash", STAMP).raw)
    assert record.kind == Kind.GAP
    assert codec.decode_body(record, GapBody) == GapBody(first=4, last=9, why="crash")
