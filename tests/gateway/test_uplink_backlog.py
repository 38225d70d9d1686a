"""The broker was gone for a week: what waited comes whole and in order, and an event does not wait behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
import pytest

from gateway.entries import Entry
from gateway.outbox import KEPT_IN_MEMORY, WINDOW
from gateway.store.outbox import LOADED_AT_ONCE, OutboxFile
from gateway.wire import codec, limits
from gateway.wire.messages import Kind, Lane, Record, Stamp, StatusBody
from gateway.wire.topics import Up
from tests.gateway.world import World

UNITS = 8
WEEK_S = 7 * 24 * 3600
FULL_EVERY_S = 60
EVENTS = 300


def full_status(number: int) -> bytes:
    at_ms = number * FULL_EVERY_S * 1000 // UNITS
    body = StatusBody(full=True, values={"load_pct": msgspec.Raw(b"%d" % (number % 100))})
    stamp = Stamp(at=at_ms, boot="b", mono=at_ms)
    unit = f"rack-{number % UNITS}"
    return codec.encode_record(Record(kind=Kind.STATUS.value, stamp=stamp, unit=unit, body=codec.encode_body(body)))


def event(number: int) -> bytes:
    stamp = Stamp(at=number, boot="b", mono=number)
    return codec.encode_record(
        Record(kind=Kind.EVENT.value, stamp=stamp, unit="rack-1", body=msgspec.Raw(b"%d" % number))
    )


@pytest.fixture(scope="module")
def week() -> dict[Lane, list[bytes]]:
    count = UNITS * WEEK_S // FULL_EVERY_S
    return {
        Lane.STATUS: [full_status(number) for number in range(1, count + 1)],
        Lane.EVENTS: [event(number) for number in range(1, EVENTS + 1)],
    }


@pytest.fixture
def world(week: dict[Lane, list[bytes]]) -> World:
    """A gateway that starts on a week's records, none of which the cloud has."""
    world = World()
    file = OutboxFile(world.file)
    for lane, kept in file.kept().items():
        file.put(lane, kept.stream, [Entry(number, raw) for number, raw in enumerate(week[lane], start=1)], 0)
    world.start()
    return world


def step(world: World) -> None:
    """One message on its way, or one commit."""
    if world.up:
        world.deliver_up()
    elif world.down:
        world.deliver_down()
    else:
        world.commit()


def has_stored(world: World, count: float) -> bool:
    return len(world.cloud.stored[Lane.STATUS]) > count


def run_until(world: World, come: Callable[[], bool]) -> int:
    """Steps until it has come about, at most as many as a drain can take."""
    for taken in range(100_000):
        if come():
            return taken
        step(world)
    raise AssertionError("does not come about")


def test_a_week_without_a_broker_is_drained_whole_and_in_order(world: World, week: dict[Lane, list[bytes]]) -> None:
    world.settle()
    assert world.cloud.stored == week
    assert world.cloud.contradictions == []
    assert not any(stream.gaps for stream in world.cloud.streams.values())


def test_a_backlog_goes_in_full_batches(world: World, week: dict[Lane, list[bytes]]) -> None:
    world.connect()
    sizes: list[int] = []
    while any(book.waiting for book in world.books.values()):
        if world.up and world.up[0][0] is Up.STATUS:
            sizes.append(len(world.up[0][1]))
        step(world)
    assert len(sizes) <= len(week[Lane.STATUS]) / limits.BATCH_RECORDS * 1.2
    assert max(sizes) <= limits.BATCH_BYTES


@pytest.mark.parametrize("drained", [0.0, 0.3, 0.9])
def test_an_event_in_the_middle_of_a_drain_waits_for_no_more_than_the_batches_in_flight(
    world: World, week: dict[Lane, list[bytes]], drained: float
) -> None:
    world.connect()
    stored = world.cloud.stored
    run_until(world, lambda: len(stored[Lane.STATUS]) >= drained * len(week[Lane.STATUS]) and world.uplink.ready)
    run_until(world, lambda: len(stored[Lane.EVENTS]) == EVENTS)
    raw, before = world.event(), len(stored[Lane.STATUS])
    world.commit()
    run_until(world, lambda: stored[Lane.EVENTS][-1] == raw)
    assert len(stored[Lane.STATUS]) - before <= (WINDOW[Lane.STATUS] + 1) * limits.BATCH_RECORDS
    assert world.books[Lane.STATUS].waiting > 0
    world.settle()
    assert stored[Lane.STATUS] == week[Lane.STATUS]


def test_a_drain_that_is_cut_again_and_again_doubles_and_loses_nothing(
    world: World, week: dict[Lane, list[bytes]]
) -> None:
    for part in (0.1, 0.4, 0.7):
        world.connect()
        run_until(world, partial(has_stored, world, part * len(week[Lane.STATUS])))
        if part == 0.4:
            world.kill()
        else:
            world.lose()
        world.tick()
    world.settle()
    assert world.cloud.stored == week


def test_no_more_of_a_backlog_is_in_memory_than_two_pages(world: World) -> None:
    world.connect()
    book, most = world.books[Lane.STATUS], 0
    while book.waiting:
        step(world)
        most = max(most, book.in_memory)
    assert most <= KEPT_IN_MEMORY + LOADED_AT_ONCE
