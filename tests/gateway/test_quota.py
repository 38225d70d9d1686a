"""What the outbox gives up when its room is short: the rules, and the file kept within its quota."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Identity
from gateway import quota
from gateway.entries import ALWAYS, Entry, Kept, Want
from gateway.quota import COARSER_MS, CRASH, QUOTA, THINNED, WAL_BYTES, Holds, Loss, Report, Size, Step, with_loss
from gateway.runtime.clock import SystemClock
from gateway.runtime.outbox import Outbox
from gateway.store.outbox import OutboxFile
from gateway.store.prepare import prepare
from gateway.store.shedding import shed, size
from gateway.store.writer import Writer
from gateway.wire import codec, status
from gateway.wire.messages import GapBody, IdentityBody, Kind, Lane, Record, Stamp, StatusBody

STAMP = Stamp(at=1, boot="b", mono=1)
MB = 2**20
PLENTY = 10**12


# the order in which things go


def full(used: int) -> Size:
    return Size(used=used, free=0, disk_free=PLENTY)


def test_nothing_goes_while_there_is_room() -> None:
    assert not quota.too_much(full(80 * MB), 100 * MB, begun=False)


def test_once_begun_it_goes_on_to_some_distance_below_the_limit() -> None:
    used = full(int((100 * MB - WAL_BYTES) * 0.9))
    assert not quota.too_much(used, 100 * MB, begun=False)
    assert quota.too_much(used, 100 * MB, begun=True)


def test_acknowledged_events_go_before_status_is_thinned_dropped_and_at_last_events() -> None:
    used, limit = full(100 * MB), 100 * MB
    everything = Holds(acknowledged=True, thinnable=True, status=True, events=True)
    order = []
    for field in ("acknowledged", "thinnable", "status", "events"):
        order.append(quota.next_step(used, limit, everything))
        everything = msgspec.structs.replace(everything, **{field: False})
    assert order == [Step.FORGET_ACKNOWLEDGED, Step.THIN_STATUS, Step.DROP_STATUS, Step.DROP_EVENTS]
    assert quota.next_step(used, limit, everything) is None


def test_a_disk_that_others_fill_costs_status_and_no_event() -> None:
    crowded = Size(used=20 * MB, free=0, disk_free=MB)
    assert quota.too_much(crowded, 512 * MB, begun=False)
    assert quota.next_step(crowded, 512 * MB, Holds(status=True, events=True)) is Step.DROP_STATUS
    assert quota.next_step(crowded, 512 * MB, Holds(events=True)) is None


def test_what_was_given_up_for_a_crowded_disk_is_not_given_up_again() -> None:
    after = Size(used=12 * MB, free=8 * MB, disk_free=MB)
    assert not quota.too_much(after, 512 * MB, begun=False)


# thinning leaves a true picture


MINUTE = 60_000


def reports(text: str) -> list[Report]:
    """A character each ten seconds: F a full report, p one by exception, i a record that stands for itself."""
    return [
        Report(number, number * 10_000, None if letter == "i" else "rack-1", letter == "F")
        for number, letter in enumerate(text, start=1)
    ]


def kept(text: str, gone: list[int]) -> str:
    return "".join("." if number in gone else letter for number, letter in enumerate(text, start=1))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("FpppppFpppppFpp", "F.....F.....Fpp"),
        ("ppppFppp", "....Fppp"),
        ("pppp", "pppp"),
        ("FFFFFFFFF", "F....F..F"),
        ("FppippFpp", "F..i..Fpp"),
    ],
)
def test_full_reports_are_kept_one_for_each_interval_and_what_follows_the_last(before: str, after: str) -> None:
    assert kept(before, quota.thinned(reports(before), MINUTE)) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [("FpppppFpppppFpp", "............Fpp"), ("FppppppppppppF", ".............F"), ("pppp", "....")],
)
def test_of_what_is_dropped_only_the_basis_of_the_rest_stays(before: str, after: str) -> None:
    assert kept(before, quota.dropped(reports(before))) == after


def test_a_slice_that_is_all_basis_of_the_rest_goes_as_a_whole() -> None:
    assert len(quota.dropped(reports("F" + "p" * 50))) == 51


def test_a_clock_that_jumps_costs_no_more_than_its_interval() -> None:
    fulls = [Report(number, at, "rack-1", True) for number, at in enumerate((0, 10**12, 5, 10**12, 6), start=1)]
    assert quota.thinned(fulls, MINUTE) == []


def test_the_next_stretch_begins_where_the_last_full_report_lies_again() -> None:
    assert quota.goes_on_behind(reports("FpppppFpppppFpp")) == 12


def test_a_unit_that_fell_silent_does_not_hold_up_the_next_stretch() -> None:
    silent = Report(1, 0, "rack-2", True)
    others = [msgspec.structs.replace(each, number=each.number + 1) for each in reports("FpFpFpFpFp")]
    assert quota.goes_on_behind([silent, *others]) == 6


names = st.sampled_from(["rack-1", "rack-2", "rack-3"])
values = st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), min_size=1)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, bool, dict[str, int], list[str]]]:
    """(unit, full, values, gone) one after the other; each unit begins with a full report or goes on from before."""
    return draw(st.lists(st.tuples(names, st.booleans(), values, st.lists(st.sampled_from("abc"), max_size=1))))


def pictures(history: list[tuple[str, bool, dict[str, int], list[str]]], which: set[int]) -> dict[int, object]:
    """The unit's status after each of these numbers, as the cloud adds reports up from a first full one on."""
    known: dict[str, dict[str, msgspec.Raw]] = {}
    seen: dict[int, object] = {}
    for number, (unit, is_full, changed, gone) in enumerate(history, start=1):
        if number not in which or not (is_full or unit in known):
            continue
        raw = {name: msgspec.Raw(b"%d" % value) for name, value in changed.items()}
        known[unit] = status.merge_status(known.get(unit, {}), StatusBody(full=is_full, values=raw, gone=gone))
        seen[number] = {name: bytes(value) for name, value in known[unit].items()}
    return seen


@given(histories(), st.sampled_from([*COARSER_MS, None]))
def test_every_report_that_is_kept_shows_what_it_showed_before(
    history: list[tuple[str, bool, dict[str, int], list[str]]], every_ms: int | None
) -> None:
    rows = [Report(number, number * 20_000, unit, is_full) for number, (unit, is_full, _, _) in enumerate(history, 1)]
    gone = quota.thinned(rows, every_ms) if every_ms else quota.dropped(rows)
    left = {row.number for row in rows} - set(gone)
    before = pictures(history, {row.number for row in rows})
    for number, picture in pictures(history, left).items():
        assert before[number] == picture


@given(histories())
def test_the_newest_status_of_every_unit_outlives_thinning(
    history: list[tuple[str, bool, dict[str, int], list[str]]],
) -> None:
    rows = [Report(number, number * 20_000, unit, is_full) for number, (unit, is_full, _, _) in enumerate(history, 1)]
    left = {row.number for row in rows} - set(quota.thinned(rows, COARSER_MS[-1]))
    for unit in {row.chain for row in rows}:
        assert max(row.number for row in rows if row.chain == unit) in left


# what was lost, and why


def test_what_was_lost_before_stays_lost_for_its_first_reason() -> None:
    assert with_loss([Loss(5, 8, CRASH)], Loss(1, 20, THINNED)) == [
        Loss(1, 4, THINNED),
        Loss(5, 8, CRASH),
        Loss(9, 20, THINNED),
    ]


def test_what_crashed_was_never_there_to_be_dropped() -> None:
    assert with_loss([Loss(5, 8, CRASH)], Loss(1, 8, QUOTA)) == [Loss(1, 4, QUOTA), Loss(5, 8, CRASH)]


def test_what_was_thinned_may_be_dropped() -> None:
    assert with_loss([Loss(1, 20, THINNED)], Loss(1, 10, QUOTA)) == [Loss(1, 10, QUOTA), Loss(11, 20, THINNED)]


ranges = st.tuples(st.integers(1, 40), st.integers(0, 10), st.sampled_from([QUOTA, THINNED, CRASH])).map(
    lambda drawn: Loss(drawn[0], drawn[0] + drawn[1], drawn[2])
)


@given(st.lists(ranges, max_size=12))
def test_losses_never_overlap_and_none_is_forgotten(losses: list[Loss]) -> None:
    known: list[Loss] = []
    for loss in losses:
        known = with_loss(known, loss)
    covered = [number for loss in known for number in range(loss.first, loss.last + 1)]
    assert len(covered) == len(set(covered))
    assert set(covered) == {number for loss in losses for number in range(loss.first, loss.last + 1)}


# the file


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OutboxFile]:
    with closing(sqlite3.connect(prepare(tmp_path), isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        yield OutboxFile(connection)


def status_record(number: int, unit: str, is_full: bool) -> bytes:
    stamp = Stamp(at=number * 1000, boot="b", mono=number * 1000)
    padding = {"charge_pct": msgspec.Raw(b"%d" % number), "text": msgspec.Raw(b'"%s"' % (b"x" * 700 * is_full))}
    body = codec.encode_body(StatusBody(full=is_full, values=padding))
    return codec.encode_record(Record(kind=Kind.STATUS.value, stamp=stamp, unit=unit, body=body))


def event_record(number: int) -> bytes:
    body = msgspec.Raw(msgspec.json.encode({"id": number, "text": "x" * 500}))
    return codec.encode_record(Record(kind=Kind.EVENT.value, stamp=STAMP, unit="rack-1", body=body))


def fill(file: OutboxFile, *, status_records: int = 0, events: int = 0, acked: int = 0) -> dict[Lane, str]:
    """Two units that report in full each minute and by exception each second; then events."""
    lanes = file.kept()
    streams = {lane: kept.stream for lane, kept in lanes.items()}
    file.connection.execute("BEGIN")
    rows = [Entry(n, status_record(n, f"rack-{n % 2}", n % 60 < 2)) for n in range(1, status_records + 1)]
    file.put(Lane.STATUS, streams[Lane.STATUS], rows, 0)
    file.put(Lane.EVENTS, streams[Lane.EVENTS], [Entry(n, event_record(n)) for n in range(1, events + 1)], 0)
    file.keep(Lane.EVENTS, Kept(streams[Lane.EVENTS], acked, events + 1, ALWAYS))
    file.connection.execute("COMMIT")
    return streams


def squeeze(file: OutboxFile, quota_bytes: int) -> list[Step]:
    """The steps taken until there is room, each told once."""
    steps: list[Step] = []
    begun = False
    while True:
        file.connection.execute("BEGIN")
        done = shed(file, quota_bytes, begun=begun)
        file.connection.execute("COMMIT")
        if done is None:
            return steps
        begun = True
        steps += [done.step] if done.step not in steps else []


def loaded(file: OutboxFile, lane: Lane) -> list[Entry]:
    kept = file.kept()[lane]
    entries: list[Entry] = []
    following = kept.acked + 1
    while following < kept.next:
        entries += file.load(Want(lane, kept.stream, following, kept.next - 1), STAMP).entries
        following = entries[-1].end + 1
    return entries


def whys(entries: list[Entry]) -> set[str]:
    return {codec.decode_body(codec.decode_record(each.raw), GapBody).why for each in entries if each.gap}


def quota_for(file: OutboxFile, share: float) -> int:
    return WAL_BYTES + int(size(file).used * share)


def test_a_backlog_of_status_is_thinned_and_each_hole_says_so(file: OutboxFile) -> None:
    fill(file, status_records=6000, events=50)
    limit = quota_for(file, 0.8)
    assert squeeze(file, limit) == [Step.THIN_STATUS]
    assert size(file).used <= (limit - WAL_BYTES) * quota.STOP_AT
    entries = loaded(file, Lane.STATUS)
    assert [each.first for each in entries] == [1, *(each.end + 1 for each in entries[:-1])]
    assert whys(entries) == {"thinned"}
    assert not any(each.gap for each in loaded(file, Lane.EVENTS))


def test_thinning_goes_from_a_minute_over_ten_to_an_hour_before_anything_is_dropped(file: OutboxFile) -> None:
    fill(file, status_records=8000)
    assert squeeze(file, quota_for(file, 0.06)) == [Step.THIN_STATUS]
    fulls = [
        codec.decode_record(each.raw).stamp.at
        for each in loaded(file, Lane.STATUS)[:40]
        if not each.gap and each.first % 2
    ]
    apart = [after - before for before, after in zip(fulls, fulls[1:], strict=False)]
    assert max(apart) >= COARSER_MS[1]


def test_status_is_dropped_from_its_oldest_when_thinning_is_not_enough_and_events_stay(file: OutboxFile) -> None:
    fill(file, status_records=3000, events=400)
    held_by_events = 440 * 1000
    steps = squeeze(file, WAL_BYTES + held_by_events)
    assert steps == [Step.THIN_STATUS, Step.DROP_STATUS]
    assert QUOTA in whys(loaded(file, Lane.STATUS))
    assert [each.first for each in loaded(file, Lane.EVENTS) if not each.gap] == [*range(1, 401)]


def test_acknowledged_events_go_first(file: OutboxFile) -> None:
    fill(file, status_records=500, events=3000, acked=2900)
    assert squeeze(file, quota_for(file, 0.9)) == [Step.FORGET_ACKNOWLEDGED]
    assert not any(each.gap for lane in Lane for each in loaded(file, lane))


def test_events_alone_above_the_quota_lose_their_oldest_and_say_so(file: OutboxFile) -> None:
    fill(file, status_records=200, events=4000)
    assert squeeze(file, quota_for(file, 0.5))[-1] is Step.DROP_EVENTS
    entries = loaded(file, Lane.EVENTS)
    assert (entries[0].gap, entries[0].first) == (True, 1)
    assert whys(entries) == {QUOTA}
    assert [each.first for each in entries[1:]] == [*range(entries[0].end + 1, 4001)]


def test_a_status_dropped_to_the_last_is_explained_by_the_quota_after_a_restart_too(file: OutboxFile) -> None:
    fill(file, status_records=300, events=3000)
    squeeze(file, quota_for(file, 0.3))
    file.lanes()
    assert whys(loaded(file, Lane.STATUS)) == {QUOTA}


def test_room_that_was_given_up_is_used_again_and_the_file_does_not_grow(file: OutboxFile) -> None:
    streams = fill(file, status_records=4000)
    limit, largest = quota_for(file, 1.0), size(file).file
    for begin in range(4001, 16000, 500):
        file.connection.execute("BEGIN")
        rows = [Entry(n, status_record(n, f"rack-{n % 2}", n % 60 < 2)) for n in range(begin, begin + 500)]
        file.put(Lane.STATUS, streams[Lane.STATUS], rows, 0)
        file.connection.execute("COMMIT")
        squeeze(file, limit)
    assert size(file).file <= largest * 1.2


def test_an_identity_outlives_thinning(file: OutboxFile) -> None:
    stream = file.kept()[Lane.STATUS].stream
    body = codec.encode_body(IdentityBody(identity=Identity()))
    told = codec.encode_record(Record(kind=Kind.IDENTITY.value, stamp=STAMP, unit="rack-1", body=body))
    fill(file, status_records=5000)
    file.put(Lane.STATUS, stream, [Entry(7, told)], 0)
    assert squeeze(file, quota_for(file, 0.7)) == [Step.THIN_STATUS]
    assert told in [each.raw for each in loaded(file, Lane.STATUS)]


async def test_a_running_outbox_keeps_to_its_quota_and_tells_once_what_it_gives_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    path = await asyncio.to_thread(prepare, tmp_path)
    outbox = Outbox(Writer(path, loop), SystemClock(), loop, quota_bytes=WAL_BYTES + MB)
    await outbox.open()
    book = outbox.books[Lane.STATUS]
    for begin in range(0, 8000, 1000):
        entries = [
            book.append(status_record(n, f"rack-{n % 2}", n % 60 < 2), loop.time()) for n in range(begin, begin + 1000)
        ]
        await outbox.writer.submit(
            partial(OutboxFile.put, lane=Lane.STATUS, stream=book.stream, entries=entries, now_ms=0)
        )
        book.saved(book.stream, entries)
        await outbox.room.look()
    health = outbox.health()
    assert 0 < health.bytes <= MB
    assert health.quota_bytes == WAL_BYTES + MB
    assert health.waiting[Lane.STATUS] == 8000
    assert health.trouble == "status that the cloud does not have is thinned"
    assert caplog.text.count("no room in the outbox") == 1
    await outbox.close()


async def test_health_says_since_when_something_waits(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    path = await asyncio.to_thread(prepare, tmp_path)
    outbox = Outbox(Writer(path, loop), SystemClock(), loop)
    await outbox.open()
    assert outbox.health().oldest_at is None
    stamp = Stamp(at=123_456, boot="b", mono=1)
    outbox.events("rack-1", [Record(kind="event", stamp=stamp, unit="rack-1", body=msgspec.Raw(b"{}"))])
    await outbox.flushed()
    assert outbox.health().oldest_at == 123_456
    assert outbox.health().commits >= 1
    await outbox.close()
    again = Outbox(Writer(path, loop), SystemClock(), loop)
    await again.open()
    await again.room.look()
    assert (again.health().oldest_at, again.health().waiting[Lane.EVENTS]) == (123_456, 1)
    await again.close()
