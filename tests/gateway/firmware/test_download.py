"""The receiver's decisions, by a clock that the test turns."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.firmware import download
from gateway.firmware.download import begin, cancel, dropped, hold, next_at, refused, take, tick, wrote
from gateway.firmware.download_state import (
    ATTEMPTS,
    BYTES_LEAST,
    PATIENCE_S,
    STALL_S,
    TRYING_S,
    Ask,
    Download,
    End,
    Hold,
    Progress,
    Spent,
    Step,
    Stop,
    Store,
    byte_budget,
    patience_s,
    progress,
)
from gateway.wire import chunks
from gateway.wire.chunks import ChunksRefused, Frame, Why, pack
from tests.gateway.firmware.images import image_bytes, image_of

DATA = image_bytes(100 * 1024 - 5)
IMAGE = image_of(DATA)
NOBODY = Spent()


def frame(index: int, transfer: int = 7) -> bytes:
    return pack(Frame(transfer, index, DATA[index * 1024 : (index + 1) * 1024]))


def begun(have: int = 0, spent: Spent = NOBODY, now: float = 0.0) -> Step:
    return begin(IMAGE, 7, have, spent, now)


def got(state: Download, index: int, now: float) -> Step:
    """The chunk comes and is written."""
    state, effects = take(state, frame(index, state.transfer), now)
    assert effects == (Store(index, DATA[index * 1024 : (index + 1) * 1024]),)
    return wrote(state, index, now)


def asked(step: Step) -> list[int]:
    """What a step's request names to be sent."""
    (ask,) = step[1]
    assert isinstance(ask, Ask)
    wanted = list(chunks.ones(chunks.unpacked(ask.message.missing)))
    return wanted[: ask.message.window]


def ended(step: Step) -> End | None:
    if step[0].end:
        assert step[1] == (Stop(step[0].end),)
    return step[0].end


def test_it_begins_with_a_window_of_eight_of_all_that_is_missing() -> None:
    step = begun(have=0b101)
    (ask,) = step[1]
    assert isinstance(ask, Ask)
    assert (ask.message.transfer, ask.message.sha256, ask.message.chunk) == (7, IMAGE.sha256, 1024)
    assert chunks.unpacked(ask.message.missing) == (1 << 100) - 1 & ~0b101
    assert asked(step) == [1, 3, 4, 5, 6, 7, 8, 9]


def test_nothing_missing_is_complete_at_once() -> None:
    assert ended(begun(have=(1 << 100) - 1)) is End.COMPLETE


def test_the_next_request_goes_out_when_half_a_window_is_free_and_leaves_out_what_is_under_way() -> None:
    state, _ = begun()
    for index in range(3):
        state, effects = got(state, index, 0.1)
        assert effects == ()
    step = got(state, 3, 0.1)
    assert asked(step) == [8, 9, 10, 11]
    assert not any(flying.index < 4 for flying in step[0].flying)


def test_the_window_grows_by_one_for_each_window_that_came_and_stays_at_thirty_two() -> None:
    state, _ = begun()
    for index in range(8):
        state, _ = got(state, index, 0.1)
    assert 8.9 < state.window < 9.1
    state = msgspec.structs.replace(state, window=31.99)
    for index in range(8, 12):
        state, _ = got(state, index, 0.1)
    assert state.window == 32


def test_what_does_not_come_within_two_seconds_is_asked_for_again_by_half_the_window() -> None:
    state, _ = begun()
    assert next_at(state) == PATIENCE_S == 2.0
    assert tick(state, 1.99)[1] == ()
    step = tick(state, 2.0)
    assert step[0].window == 4
    assert asked(step) == [0, 1, 2, 3]
    assert step[0].given_up == 8


def test_the_window_never_falls_below_one() -> None:
    state, _ = begun()
    for turn in range(1, 8):
        state, _ = tick(state, turn * 2.0)
    assert state.window == 1


def test_patience_is_four_times_the_smoothed_round_trip_where_that_is_longer() -> None:
    state, _ = begun()
    state, _ = got(state, 0, 0.8)
    assert state.rtt_s == 0.8
    assert patience_s(state) == pytest.approx(3.2)
    for index in range(1, 8):
        state, _ = got(state, index, 0.8)
    (timed, *_) = [flying for flying in state.flying if flying.timed]
    state, _ = got(state, timed.index, 0.8 + 1.6)
    assert state.rtt_s == pytest.approx(0.8 + 0.8 / 8)


def test_a_chunk_that_was_asked_for_twice_tells_no_round_trip_time() -> None:
    state, _ = begun()
    state, _ = tick(state, 2.0)
    state, _ = got(state, 0, 2.1)
    assert state.rtt_s is None


def test_on_a_slow_line_chunks_behind_the_one_that_came_are_not_given_up() -> None:
    state, _ = begun()
    for index in range(8):
        state, _ = got(state, index, 1.5 * (index + 1))
    assert state.given_up == 0


def test_a_window_that_takes_too_long_for_acknowledgements_behind_it_does_not_grow_and_is_halved() -> None:
    state, _ = begun()
    slow, _ = got(state, 0, 1.5)
    assert slow.window == 8
    slower, _ = got(tick(state, 1.9)[0], 0, 2.5)
    assert slower.window == 4


def test_a_chunk_out_of_order_doubled_or_never_asked_for_is_taken_once() -> None:
    state, _ = begun()
    state, _ = got(state, 60, 0.1)
    state, _ = got(state, 5, 0.1)
    state, effects = take(state, frame(60), 0.2)
    assert not any(isinstance(effect, Store) for effect in effects)
    assert progress(state) == Progress(2, 100, 2048, len(DATA))
    assert state.bad == 0


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        frame(3)[:-1],
        frame(3, transfer=8),
        pack(Frame(7, 3, DATA[:1024])),
        pack(Frame(7, 3, DATA[3072:4000])),
        pack(Frame(7, 100, DATA[:1024])),
        pack(Frame(7, 99, DATA[99 * 1024 :] + b"12345")),
    ],
    ids=["nothing", "cut-short", "another-transfer", "wrong-bytes", "too-few", "no-such-chunk", "last-too-long"],
)
def test_i26_what_is_not_the_image_is_not_written_and_costs_its_bytes(payload: bytes) -> None:
    state, effects = take(begun()[0], payload, 0.1)
    assert effects == ()
    assert (state.have, state.bad, state.spent.bytes) == (0, 1, len(payload))


def test_i26_endless_bytes_of_no_use_end_it_at_three_times_the_size() -> None:
    data = image_bytes(200 * 1024)
    state, _ = begin(image_of(data), 7, 0, NOBODY, 0.0)
    assert byte_budget(state.image) == 3 * len(data)
    step: Step = (state, ())
    count = 0
    while not step[0].end:
        step = take(step[0], b"x" * 1000, 0.0)
        count += 1000
    assert ended(step) is End.BYTES
    state = step[0]
    assert 3 * len(data) < count <= 3 * len(data) + 1000
    assert take(state, frame(0), 0.0) == (msgspec.structs.replace(state, spent=_more(state, 1040)), ())


def _more(state: Download, count: int) -> Spent:
    return msgspec.structs.replace(state.spent, bytes=state.spent.bytes + count)


def test_the_budget_of_a_small_image_lets_a_few_chunks_be_lost() -> None:
    assert byte_budget(image_of(b"a")) == BYTES_LEAST


def test_frames_that_were_not_even_looked_at_cost_their_bytes() -> None:
    state, _ = dropped(begun()[0], 1000, 0.1)
    assert state.spent.bytes == 1000
    assert ended(dropped(state, 3 * len(DATA), 0.1)) is End.BYTES


def test_bytes_that_were_spent_before_a_restart_count() -> None:
    assert ended(begun(spent=Spent(0, 3 * len(DATA) + 1, 0.0))) is End.BYTES


def _stalled(state: Download, now: float) -> tuple[Download, float]:
    """Ticks on until another attempt began or all is over."""
    transfer = state.transfer
    while state.transfer == transfer and not state.end:
        at = next_at(state)
        assert at is not None
        now = max(now, at)
        state, _ = tick(state, now)
    return state, now


def test_a_minute_without_a_chunk_ends_an_attempt_and_the_next_has_another_id_after_a_while() -> None:
    state, now = _stalled(begun()[0], 0.0)
    assert now == STALL_S
    assert (state.transfer, state.spent.attempts, state.flying) == (8, 2, ())
    assert 15 <= state.ask_from - now <= 30
    assert next_at(state) == state.ask_from
    assert asked(tick(state, state.ask_from)) == list(range(8))


def test_only_a_chunk_on_the_disk_resets_the_stall() -> None:
    state, _ = begun()
    for second in range(1, 60):
        state, _ = take(state, frame(3, transfer=99), float(second))
        state, _ = refused(state, ChunksRefused(transfer=99, why=Why.GONE), float(second))
    state, now = _stalled(state, 59.0)
    assert now == STALL_S
    state, _ = begun()
    state, _ = tick(state, 50.0)
    state, _ = got(state, 0, 59.0)
    assert _stalled(state, 59.0)[1] == 59.0 + STALL_S


def test_ten_attempts_in_a_row_that_bring_nothing_end_it() -> None:
    state, now, attempts = begun()[0], 0.0, 0
    while not state.end:
        state, now = _stalled(state, now)
        attempts += 1
    assert state.end is End.ATTEMPTS
    assert attempts == ATTEMPTS == 10


def test_a_restart_is_an_attempt_and_a_chunk_makes_them_begin_anew() -> None:
    assert ended(begun(spent=Spent(ATTEMPTS, 0, 0.0))) is End.ATTEMPTS
    state, _ = begun(spent=Spent(ATTEMPTS - 1, 0, 0.0))
    assert got(state, 0, 0.1)[0].spent.attempts == 0


def test_a_week_of_trying_ends_it_but_time_in_which_it_is_paused_does_not_count() -> None:
    state, _ = begun()
    state, _ = hold(state, Hold.PAUSED, 10.0, on=True)
    assert next_at(state) is None
    state, _ = hold(state, Hold.PAUSED, 9e6, on=False)
    assert not state.end
    assert state.spent.seconds == 10.0
    state, _ = hold(state, Hold.OFFLINE, 9e6, on=True)
    at = next_at(state)
    assert at == 9e6 + TRYING_S - 10.0
    assert ended(tick(state, at)) is End.DAYS


@pytest.mark.parametrize("why", list(Hold))
def test_while_it_is_held_nothing_is_asked_for_and_no_stall_runs(why: Hold) -> None:
    state, _ = begun()
    state, effects = hold(state, why, 0.5, on=True)
    assert effects == ()
    state, effects = tick(state, 1000.0)
    assert effects == ()
    assert state.idle_s == 0.5
    assert len(asked(hold(state, why, 1000.0, on=False))) == (8 if why is Hold.OFFLINE else 4)


def test_it_stays_held_until_the_last_reason_is_gone() -> None:
    state, _ = begun()
    state, _ = hold(state, Hold.OFFLINE, 0.1, on=True)
    state, _ = hold(state, Hold.TELEMETRY, 0.1, on=True)
    state, effects = hold(state, Hold.OFFLINE, 0.2, on=False)
    assert effects == ()
    assert asked(hold(state, Hold.TELEMETRY, 0.3, on=False)) == list(range(8))


def test_what_comes_while_an_event_goes_first_is_kept_all_the_same() -> None:
    state, _ = begun()
    state, _ = hold(state, Hold.TELEMETRY, 0.1, on=True)
    state, effects = got(state, 0, 0.2)
    assert effects == ()
    assert state.have == 1


@pytest.mark.parametrize(("why", "end"), [(Why.GONE, End.GONE), (Why.CANCELLED, End.CANCELLED)])
def test_the_bridge_can_end_it_at_once_and_another_transfer_s_word_means_nothing(why: Why, end: End) -> None:
    state, _ = begun()
    assert refused(state, ChunksRefused(transfer=6, why=why), 0.1) == (msgspec.structs.replace(state, **_at(0.1)), ())
    assert ended(refused(state, ChunksRefused(transfer=7, why=why), 0.1)) is end


def _at(now: float) -> dict[str, object]:
    return {"at": now, "idle_s": now, "spent": Spent(1, 0, now)}


def test_a_busy_bridge_is_asked_again_when_it_said_and_that_is_no_stall() -> None:
    state, _ = begun()
    state, effects = refused(state, ChunksRefused(transfer=7, why=Why.BUSY, after_s=600), 0.0)
    assert effects == ()
    assert next_at(state) == 600.0
    assert tick(state, 599.0)[1] == ()
    step = tick(state, 600.0)
    assert asked(step) == list(range(8))
    assert step[0].idle_s == 0.0


def test_a_busy_bridge_that_names_no_time_is_not_asked_in_a_loop() -> None:
    state, effects = refused(begun()[0], ChunksRefused(transfer=7, why=Why.BUSY), 0.0)
    assert effects == ()
    assert next_at(state) == 1.0


def test_cancelled_is_cancelled_and_nothing_follows() -> None:
    step = cancel(begun()[0], 0.1)
    assert ended(step) is End.CANCELLED
    state = step[0]
    assert next_at(state) is None
    for nothing in (tick(state, 9.0), cancel(state, 9.0), hold(state, Hold.PAUSED, 9.0, on=True)):
        assert nothing[1] == ()
        assert nothing[0].end is End.CANCELLED


def test_an_image_whose_size_and_digests_contradict_each_other_is_never_asked_for() -> None:
    odd = msgspec.structs.replace(IMAGE, chunks=IMAGE.chunks[:-1])
    assert ended(begin(odd, 7, 0, NOBODY, 0.0)) is End.NOT_WHOLE


@given(st.floats(0, 1e9), st.floats(0.001, 100), st.floats(0.001, 59))
def test_a_tick_when_it_is_due_is_never_due_again_at_once(now: float, rtt_s: float, came_s: float) -> None:
    """Else a runner that waits for `next_at` would go round for ever."""
    state, _ = begun(now=now)
    state, _ = got(msgspec.structs.replace(state, rtt_s=rtt_s), 0, now + came_s)
    now += came_s
    for _ in range(300):
        at = next_at(state)
        if at is None:
            break
        now = max(now, at)
        state, _ = tick(state, now)
        following = next_at(state)
        assert following is None or following > now
    assert state.end or now > 1000


def test_a_clock_that_stands_or_goes_back_spends_nothing() -> None:
    state, _ = begun(now=5.0)
    assert tick(state, 4.0)[0].spent.seconds == 0.0
    assert download.tick(state, 5.0)[1] == ()
