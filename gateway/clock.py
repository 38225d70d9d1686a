"""What the wall clock did, by CLOCK_BOOTTIME beside it, which nothing sets: only a step parts the two.

Steps below STEP_MS are leap seconds and rounding, and nothing that a record's reader would miss.
"""

from __future__ import annotations

import msgspec

from gateway.wire.messages import Clock, ClockBody, Stamp

STEP_MS = 2_000


class ClockState(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds are the wall clock's less those since boot.

    `right_ms`: when the clock was synchronised last, before that at the first look of this boot. `last_ms`: at the last
    look. `told`: the first synchronisation of this boot was told. `strayed`: it stepped since `right_ms`.
    """

    boot: str
    right_ms: int
    last_ms: int
    told: bool = False
    strayed: bool = False


_decoder = msgspec.json.Decoder(ClockState)


def encode(state: ClockState) -> bytes:
    """For the disk: a gateway that starts again in the same boot repeats and misses nothing."""
    return msgspec.json.encode(state)


def resume(raw: bytes | None) -> ClockState | None:
    """What was kept; None if there is nothing that can be read."""
    try:
        return _decoder.decode(raw or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def step(state: ClockState | None, stamp: Stamp) -> tuple[ClockState, ClockBody | None]:
    """What is remembered after a look at the clocks, and what is to be told, if anything.

    Nothing is told while the clock is not synchronised: then it may be wrong before and after. Its steps add up in the
    `moved_ms` that is told once it is right.
    """
    offset_ms = offset(stamp)
    if state is None or state.boot != stamp.boot:
        state = ClockState(boot=stamp.boot, right_ms=offset_ms, last_ms=offset_ms)
    strayed = state.strayed or is_step(offset_ms - state.last_ms)
    if stamp.clock != Clock.SYNCHRONISED:
        return msgspec.structs.replace(state, last_ms=offset_ms, strayed=strayed), None
    following = ClockState(boot=state.boot, right_ms=offset_ms, last_ms=offset_ms, told=True)
    if state.told and not strayed:
        return following, None
    return following, ClockBody(moved_ms=offset_ms - state.right_ms, why="stepped" if state.told else "set")


def offset(stamp: Stamp) -> int:
    """Milliseconds of the wall clock less those since boot: the same until the clock is set."""
    return stamp.at - stamp.mono


def is_step(moved_ms: int) -> bool:
    return abs(moved_ms) >= STEP_MS
