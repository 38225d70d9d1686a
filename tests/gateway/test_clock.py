"""What is told of the clock: each change of a clock that is right, once, in whatever direction."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import STEP_MS, ClockState, encode, resume, step
from gateway.runtime.clock import ClockWatch, SystemClock
from gateway.wire.messages import Clock, ClockBody, Stamp

YEAR_MS = 365 * 86_400_000
NOW_MS = 1_795_000_000_000

Look = tuple[int, int, bool]
"""How far the clock was set since the last look, what passed since, and whether it is synchronised now."""


def stamp(at: int, mono: int, *, right: bool, boot: str = "b1") -> Stamp:
    return Stamp(at=at, boot=boot, mono=mono, clock=Clock.SYNCHRONISED if right else Clock.UNSYNCHRONISED)


SLIPS = st.integers(-STEP_MS + 1, STEP_MS - 1)
STEPS = st.integers(STEP_MS, 40 * YEAR_MS).flatmap(lambda moved: st.sampled_from([moved, -moved]))
ALL_MOVES = st.just(0) | SLIPS | STEPS


def looks(moves: st.SearchStrategy[int] = ALL_MOVES) -> st.SearchStrategy[list[Look]]:
    return st.lists(st.tuples(moves, st.integers(0, 20_000), st.booleans()), min_size=1, max_size=30)


def stamps(script: list[Look]) -> list[Stamp]:
    """As a machine whose clock does that would give them."""
    at, mono, made = NOW_MS, 5_000, list[Stamp]()
    for moved, passed, right in script:
        mono += passed
        at = max(0, at + passed + moved)
        made.append(stamp(at, mono, right=right))
    return made


def told(looked: list[Stamp]) -> list[tuple[Stamp, ClockBody]]:
    state: ClockState | None = None
    bodies = []
    for each in looked:
        state, body = step(state, each)
        if body is not None:
            bodies.append((each, body))
    return bodies


def test_the_first_synchronisation_of_a_boot_is_told_with_all_that_the_clock_moved() -> None:
    looked = [
        stamp(1_000, 1_000, right=False),
        stamp(NOW_MS, 11_000, right=False),
        stamp(NOW_MS + 10_500, 21_000, right=True),
        stamp(NOW_MS + 20_500, 31_000, right=True),
    ]
    assert told(looked) == [(looked[2], ClockBody(moved_ms=NOW_MS + 10_500 - 21_000, why="set"))]


def test_a_clock_that_was_right_from_the_start_is_told_too_so_that_what_an_earlier_process_wrote_is_dated() -> None:
    looked = [stamp(NOW_MS, 1_000, right=True), stamp(NOW_MS + 10, 1_010, right=True)]
    assert told(looked) == [(looked[0], ClockBody(moved_ms=0, why="set"))]


@pytest.mark.parametrize("moved", [-YEAR_MS, 10 * YEAR_MS, STEP_MS, -STEP_MS], ids=str)
def test_a_step_of_a_synchronised_clock_is_told_once(moved: int) -> None:
    looked = stamps([(0, 0, True), (0, 10_000, True), (moved, 10_000, True), (0, 10_000, True)])
    assert [(at, body.why, body.moved_ms) for at, body in told(looked)] == [
        (looked[0], "set", 0),
        (looked[2], "stepped", moved),
    ]


def test_what_is_no_step_is_not_told() -> None:
    looked = stamps([(0, 0, True), (STEP_MS - 1, 10_000, True), (-STEP_MS + 1, 10_000, True)])
    assert [body.why for _, body in told(looked)] == ["set"]


def test_a_clock_that_strayed_unsynchronised_is_told_when_it_is_right_again_even_if_it_came_back() -> None:
    looked = stamps([(0, 0, True), (YEAR_MS, 10_000, False), (-YEAR_MS, 10_000, False), (0, 10_000, True)])
    assert [(body.why, body.moved_ms) for _, body in told(looked)] == [("set", 0), ("stepped", 0)]


def test_losing_synchronisation_alone_is_told_neither_then_nor_later() -> None:
    looked = stamps([(0, 0, True), (0, 10_000, False), (0, 10_000, True)])
    assert [body.why for _, body in told(looked)] == ["set"]


def test_another_boot_begins_anew() -> None:
    looked = [stamp(NOW_MS, 99_000, right=True), stamp(500, 500, right=False, boot="b2")]
    looked.append(stamp(NOW_MS + 60_000, 1_500, right=True, boot="b2"))
    assert [(at.boot, body.why) for at, body in told(looked)] == [("b1", "set"), ("b2", "set")]


@given(looks())
def test_each_real_change_is_told_exactly_once(script: list[Look]) -> None:
    """All that was told, and what is to be told yet, is all that the clock did; nothing is told of an unsynchronised
    clock, and nothing at all while nothing happened."""
    looked = stamps(script)
    bodies = told(looked)
    assert all(at.clock == Clock.SYNCHRONISED for at, _ in bodies)
    right = [at for at in looked if at.clock == Clock.SYNCHRONISED]
    assert [body.why for _, body in bodies] == ["set", *["stepped"] * (len(bodies) - 1)][: len(bodies)]
    assert bool(bodies) is bool(right)
    previous = looked[0]
    for at, body in bodies:
        following = looked[looked.index(previous) + 1 : looked.index(at) + 1]
        slips = sum(
            abs(moved)
            for (one, two) in pairwise([previous, *following])
            if abs(moved := offset(two) - offset(one)) < STEP_MS
        )
        assert abs(body.moved_ms - (offset(at) - offset(previous))) <= slips
        previous = at


@given(looks())
def test_what_is_told_dates_every_earlier_record_of_the_boot(script: list[Look]) -> None:
    """As a reader does it: a record of an unsynchronised clock, by the two times since boot."""
    looked = stamps(script)
    for at, _ in told(looked):
        earlier = [each for each in looked[: looked.index(at)] if each.clock != Clock.SYNCHRONISED]
        dated = [at.at - (at.mono - each.mono) for each in earlier]
        assert dated == sorted(dated), "their order stays"
        assert all(when <= at.at for when in dated)


@given(looks(st.just(0) | STEPS), st.data())
def test_a_restart_anywhere_tells_nothing_twice_and_leaves_nothing_out(script: list[Look], data: st.DataObject) -> None:
    """The state is kept with what is told; a step that was seen unsynchronised alone may be forgotten, not invented."""
    looked = [at for at in stamps(script) if at.clock == Clock.SYNCHRONISED]
    restarts = data.draw(st.sets(st.integers(0, max(0, len(looked) - 1))))
    state: ClockState | None = None
    kept, bodies = b"", list[ClockBody]()
    for number, each in enumerate(looked):
        if number in restarts:
            state = resume(kept)
        state, body = step(state, each)
        if body is not None:
            kept = encode(state)
            bodies.append(body)
    assert len(bodies) == len(told(looked))
    assert sum(1 for body in bodies if body.why == "set") == bool(looked)


@pytest.mark.parametrize("raw", [None, b"", b"{", b"\xff", b"[]", b'{"boot":1}'])
def test_what_can_not_be_read_is_no_history(raw: bytes | None) -> None:
    assert resume(raw) is None


def test_the_real_clocks_go_forward_and_are_told_at_most_once() -> None:
    clock = SystemClock()
    first, second = clock.stamp(), clock.stamp()
    assert 0 < first.mono <= second.mono
    assert first.boot == second.boot
    watch = ClockWatch(clock)
    news = [watch.look(), watch.look(), ClockWatch(clock, watch.kept()).look()]
    told_ = [each for each in news if each is not None]
    assert len(told_) == clock.is_right()
    assert all(at.clock == Clock.SYNCHRONISED and body.why == "set" for at, body in told_)


class Kept(SystemClock):
    """A clock that somebody keeps right, or nobody."""

    def __init__(self, quality: Clock) -> None:
        super().__init__()
        self._is = quality

    def quality(self) -> Clock:
        return self._is


def test_a_clock_that_nobody_keeps_right_is_not_believed() -> None:
    assert Kept(Clock.UNSYNCHRONISED).believed_utc() is None
    now_at = Kept(Clock.SYNCHRONISED).believed_utc()
    assert now_at is not None
    assert now_at <= SystemClock().utc()


def offset(at: Stamp) -> int:
    return at.at - at.mono
