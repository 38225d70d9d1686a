"""What the uplink says, and when."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from gateway.actions import Action, Connect, Keep, Level, Publish, Tell
from gateway.uplink import HELLO_EVERY_S, LONGEST_WAIT_S, QUIET_CLOUD_S, TOLD_AT_MOST_EVERY_S, Me, Phase, delays
from gateway.wire import codec, limits
from gateway.wire.messages import Ack, Batch, GapBody, Heartbeat, Hello, Kind, Lane, LaneAck, Offline
from gateway.wire.topics import Up
from tests.gateway.world import World


@pytest.fixture
def world() -> World:
    return World()


def connected() -> World:
    world = World()
    world.settle()
    return world


def kinds(world: World) -> list[Up]:
    return [kind for kind, _ in world.up]


def said(actions: list[Action]) -> list[Tell]:
    return [action for action in actions if isinstance(action, Tell)]


def answer(world: World, *, events: int = 0, status: int = 0, conn: str | None = None) -> bytes:
    through = {Lane.EVENTS: events, Lane.STATUS: status}
    lanes = {lane: LaneAck(stream=book.stream, through=through[lane]) for lane, book in world.books.items()}
    return codec.encode(Ack(lanes=lanes, conn=world.uplink.conn if conn is None else conn))


def test_nothing_is_sent_in_a_lane_before_the_cloud_has_answered_hello(world: World) -> None:
    world.event()
    world.status()
    world.commit()
    world.connect()
    assert kinds(world) == [Up.HELLO]
    world.act(world.uplink.received(answer(world), world.moment()))
    assert sorted(kinds(world)) == [Up.EVENTS, Up.HELLO, Up.STATUS]


def test_s17_hello_says_what_was_in_the_outbox_before_it(world: World) -> None:
    for _ in range(3):
        world.event()
    world.commit()
    world.connect()
    hello = codec.decode(world.up[0][1], Hello)
    assert (hello.lanes[Lane.EVENTS].oldest, hello.lanes[Lane.EVENTS].next) == (1, 4)
    assert hello.units == ["rack-1"]


def test_hello_is_repeated_every_five_seconds_until_it_is_answered(world: World) -> None:
    world.connect()
    before_s = world.now_s
    while kinds(world).count(Up.HELLO) < 4:
        world.tick()
    assert world.now_s - before_s == 3 * limits.RESEND_AFTER_S
    world.act(world.uplink.received(answer(world), world.moment()))
    assert world.uplink.ready


def test_an_answer_to_another_connections_hello_is_no_answer(world: World) -> None:
    world.connect()
    world.act(world.uplink.received(answer(world, conn="f" * 16), world.moment()))
    assert world.uplink.phase is Phase.GREETING


def test_a_cloud_that_does_not_answer_is_told_once(world: World) -> None:
    world.connect()
    start_s = world.now_s
    while world.now_s < start_s + 3 * QUIET_CLOUD_S:
        world.tick()
    assert sum("nobody behind it answers" in text for text in world.told) == 1


def test_a_live_event_is_a_batch_of_one_sent_at_once() -> None:
    world = connected()
    world.event()
    world.commit()
    (kind, payload) = world.up[-1]
    assert kind is Up.EVENTS
    assert len(codec.decode(payload, Batch).records) == 1


def test_events_go_first_and_no_backlog_of_status_stands_before_them(world: World) -> None:
    for _ in range(2000):
        world.status()
    world.event()
    world.commit()
    world.connect()
    world.act(world.uplink.received(answer(world), world.moment()))
    assert kinds(world)[:3] == [Up.HELLO, Up.EVENTS, Up.STATUS]
    assert kinds(world).count(Up.STATUS) == 2


def test_a_large_backlog_goes_deflated(world: World) -> None:
    for _ in range(200):
        world.status()
    world.connect()
    world.act(world.uplink.received(answer(world), world.moment()))
    payload = dict(world.up)[Up.STATUS]
    assert payload[0] == 0x78
    assert len(codec.decode(payload, Batch).records) == 200


def test_the_heartbeat_says_what_waits() -> None:
    world = connected()
    world.event()
    world.commit()
    world.up.clear()
    while Up.HEARTBEAT not in kinds(world):
        world.tick()
    beat = codec.decode(dict(world.up)[Up.HEARTBEAT], Heartbeat)
    assert (beat.conn, beat.waiting[Lane.EVENTS]) == (world.uplink.conn, 1)


def test_a_clean_stop_says_offline_with_its_connection() -> None:
    world = connected()
    words = world.uplink.farewell()
    assert words == [Publish(Up.OFFLINE, Offline(conn=world.uplink.conn, why="stopped"))]
    assert world.uplink.next_at() is None


def test_s16_an_acknowledgement_beyond_what_was_sent_is_refused_told_and_counted() -> None:
    world = connected()
    world.event()
    world.commit()
    actions = world.uplink.received(answer(world, events=99), world.moment())
    assert "refused an acknowledgement of events up to 99: only 1 were sent" in [tell.text for tell in said(actions)]
    assert world.uplink.counters.refused_acks == 1
    assert world.books[Lane.EVENTS].waiting == 1


def test_s16_a_restored_card_says_hello_again_with_a_new_stream(world: World) -> None:
    world.settle()
    world.event()
    world.commit()
    card = world.snapshot()
    old = world.books[Lane.EVENTS].stream
    for _ in range(5):
        world.event()
    world.settle()
    world.restore(card)
    fresh = [world.event() for _ in range(9)]
    world.settle()
    assert world.cloud.contradictions == []
    assert world.cloud.stored[Lane.EVENTS][-9:] == fresh
    assert len(world.cloud.stored[Lane.EVENTS]) == 6 + 9
    assert world.cloud.hellos[-1].lanes[Lane.EVENTS].stream == world.books[Lane.EVENTS].stream != old


def test_s16_what_the_old_copy_had_sent_already_is_not_stored_twice(world: World) -> None:
    world.settle()
    raw = world.event()
    world.commit()
    card = world.snapshot()
    world.event()
    world.settle()
    world.restore(card)
    world.settle()
    assert world.cloud.stored[Lane.EVENTS].count(raw) == 1


def test_s16_what_a_cloud_put_back_no_longer_has_is_marked_unsent_on_the_disk_at_once() -> None:
    world = connected()
    for _ in range(3):
        world.event()
    world.settle()
    world.lose()
    world.connect()
    actions = world.uplink.received(answer(world, events=1), world.moment())
    kept = {action.lane: (action.kept.acked, action.soon) for action in actions if isinstance(action, Keep)}
    assert kept[Lane.EVENTS] == (1, True)


def test_s16_a_card_restored_twice_is_not_stored_twice(world: World) -> None:
    """The second copy is made between the change to the new stream and its first batch, which is all the cloud gets."""
    world.settle()
    raws = [world.event()]
    world.commit()
    world.books[Lane.EVENTS].next += 1  # a number lost on the way: its gap ends the first batch
    raws.append(world.event())
    world.commit()
    card = world.snapshot()
    world.event()
    world.settle()
    world.restore(card)
    world.connect()
    while not world.jobs:
        (world.deliver_down if world.down else world.deliver_up)()
    world.commit()
    world.lose()
    world.commit()
    second_card = world.snapshot()
    world.tick()
    world.connect()
    while not any(stream.through == 1 for stream in world.cloud.streams.values()):
        world.commit()
        (world.deliver_down if world.down else world.deliver_up)()
    world.random = Loses()
    world.restore(second_card)
    world.event()
    world.settle()
    assert world.uplink.counters.new_streams == 1
    assert [world.cloud.stored[Lane.EVENTS].count(raw) for raw in raws] == [1, 1]
    assert world.cloud.contradictions == []


class Loses(Random):
    """Nothing that was under way arrives."""

    def randint(self, a: int, b: int) -> int:
        return a


def test_a_crash_is_explained_by_a_gap_record(world: World) -> None:
    world.settle()
    world.status()
    world.settle()
    world.status()
    world.up.clear()
    world.kill()
    world.settle()
    raw = next(raw for raw in gaps(world))
    assert raw.why == "crash"
    assert raw.first == 2


def gaps(world: World) -> list[GapBody]:
    found = []
    for (lane, _), stream in world.cloud.streams.items():
        assert lane is Lane.STATUS
        found += [codec.decode_body(codec.decode_record(raw), GapBody) for raw in stream.gaps]
    return found


def test_a_clean_stop_leaves_no_gap(world: World) -> None:
    world.status()
    world.settle()
    world.stop()
    world.start()
    world.status()
    world.settle()
    assert gaps(world) == []
    assert world.cloud.streams[(Lane.STATUS, world.books[Lane.STATUS].stream)].through == 2


def test_a_cloud_put_back_is_noticed_by_the_next_hello() -> None:
    world = connected()
    backup = world.cloud_snapshot()
    raw = world.event()
    world.settle()
    world.restore_cloud(backup)
    world.now_s += HELLO_EVERY_S
    world.tick()
    world.settle()
    assert world.cloud.stored[Lane.EVENTS] == [raw]


def test_any_bytes_as_an_acknowledgement_are_told_and_change_nothing() -> None:
    world = connected()
    actions = world.uplink.received(b"\x78\x00", world.moment())
    assert [tell.level for tell in said(actions)] == [Level.WARNING]
    assert world.uplink.ready


def test_the_first_failure_is_a_warning_and_its_repetitions_are_not(world: World) -> None:
    first = world.uplink.lost(world.moment(), "no route")
    second = world.uplink.lost(world.moment(), "no route")
    assert [tell.level for tell in said([*first, *second])] == [Level.WARNING, Level.DEBUG]


def test_a_gateway_that_has_other_units_now_says_hello_again_at_once() -> None:
    world = connected()
    actions = world.uplink.introduced(Me("1", "pi", ("rack-1", "rack-2")), world.moment())
    (hello,) = [action.message for action in actions if isinstance(action, Publish)]
    assert isinstance(hello, Hello)
    assert hello.units == ["rack-1", "rack-2"]
    assert world.uplink.ready


def test_one_that_waits_to_connect_is_introduced_when_it_connects(world: World) -> None:
    world.uplink.lost(world.moment(), "no route")
    actions = world.uplink.introduced(Me("1", "pi", ("rack-2",)), world.moment())
    assert not [action for action in actions if isinstance(action, Publish)]


def test_a_gateway_with_new_settings_tries_again_at_once(world: World) -> None:
    world.uplink.lost(world.moment(), "refused", hopeless=True)
    assert [action for action in world.uplink.hurried(world.moment()) if isinstance(action, Connect)]


def test_two_troubles_that_take_turns_are_told_once_each_until_the_cloud_answers(world: World) -> None:
    told = [tell for why in ("refused", "timed out") * 2 for tell in said(world.uplink.lost(world.moment(), why))]
    assert [each.level for each in told] == [Level.WARNING, Level.WARNING, Level.DEBUG, Level.DEBUG]
    world.settle()
    assert [tell.level for tell in said(world.uplink.lost(world.moment(), "refused"))] == [Level.WARNING]


def test_a_broker_that_says_wrong_things_for_ever_is_told_once_a_minute(world: World) -> None:
    world.settle()
    began_s, levels = world.now_s, []
    for after_s in (0.0, 1.0, TOLD_AT_MOST_EVERY_S - 1.0, TOLD_AT_MOST_EVERY_S):
        world.now_s = began_s + after_s
        levels += [tell.level for tell in said(world.uplink.received(b"?", world.moment()))]
    assert levels == [Level.WARNING, Level.DEBUG, Level.DEBUG, Level.WARNING]


def test_a_refused_certificate_waits_the_longest_at_once_and_says_so(world: World) -> None:
    actions = world.uplink.lost(world.moment(), "the broker's certificate is refused", hopeless=True)
    assert said(actions)[0].level is Level.ERROR
    assert world.uplink.next_at() == world.now_s + LONGEST_WAIT_S


def test_each_connection_has_a_name_of_its_own(world: World) -> None:
    first = world.uplink.conn
    world.uplink.lost(world.moment(), "cut")
    world.now_s += LONGEST_WAIT_S
    (action,) = [each for each in world.uplink.tick(world.moment()) if isinstance(each, Connect)]
    assert action.conn == world.uplink.conn != first


def test_the_first_delay_is_random_and_the_longest_is_a_minute() -> None:
    assert list(islice(delays(lambda: 0.25), 1)) == [0.25]
    largest = list(islice(delays(lambda: 1.0), 12))
    assert largest[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(largest) == LONGEST_WAIT_S
    assert min(islice(delays(lambda: 0.0), 1, 12)) == 1.0


def test_records_keep_their_kind_on_the_way(world: World) -> None:
    raw = world.event()
    world.settle()
    assert world.cloud.stored[Lane.EVENTS] == [raw]
    assert codec.decode_record(raw).kind == Kind.EVENT
