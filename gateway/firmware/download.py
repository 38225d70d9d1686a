"""How an image is got chunk by chunk over a line that loses, doubles and reorders (gateway-ota.md A4). Pure.

Each function takes a `Download`, what happened, and `now` in monotonic seconds; it gives the next `Download` and what
is to be done. Chunks count as there once `wrote` says that they are on the disk, and by their signed digest alone.
"""

from __future__ import annotations

import hashlib

import msgspec

from gateway.firmware.download_state import (
    AGAIN_MOST_S,
    AGAIN_S,
    ATTEMPTS,
    GRAIN_S,
    RTT_SHARE,
    SLOW_S,
    STALL_S,
    TRYING_S,
    WINDOW_FIRST,
    Ask,
    Download,
    End,
    Flying,
    Hold,
    Spent,
    Step,
    Stop,
    Store,
    all_chunks,
    byte_budget,
    chunk_bytes,
    missing,
    patience_s,
)
from gateway.wire import chunks
from gateway.wire.chunks import ChunksRefused, ChunksWanted, Frame, Why, ones
from gateway.wire.errors import WireError
from gateway.wire.firmware import Image


def begin(
    image: Image, transfer: int, have: int, spent: Spent, now: float, holds: frozenset[Hold] = frozenset()
) -> Step:
    """With the chunks in `have` on the disk. `transfer`: a random id."""
    spent = msgspec.structs.replace(spent, attempts=spent.attempts + 1)
    state = Download(
        image=image,
        transfer=transfer % chunks.TRANSFERS,
        have=have & all_chunks(image),
        spent=spent,
        at=now,
        ask_from=now,
        holds=holds,
    )
    if -(-image.size // image.chunk) != len(image.chunks):
        return _ended(state, End.NOT_WHOLE)
    return _ended(state, End.ATTEMPTS) if spent.attempts > ATTEMPTS and missing(state) else _go_on(state, now)


def take(state: Download, payload: bytes, now: float) -> Step:
    """A frame as it came on the chunk topic."""
    state = _counted(state, len(payload), now)
    if state.end:
        return state, ()
    frame = _good(state, payload)
    if frame is None:
        return _go_on(_with(state, bad=state.bad + 1), now)
    if state.have >> frame.index & 1:
        return _go_on(state, now)
    return _landed(state, frame.index, now), (Store(frame.index, frame.data),)


def dropped(state: Download, count: int, now: float) -> Step:
    """So many bytes of frames came faster than they could be looked at: they cost what any cost."""
    return _go_on(_counted(state, count, now), now)


def wrote(state: Download, index: int, now: float) -> Step:
    """The chunk of a `Store` is on the disk: the only thing that counts as progress."""
    state = _accounted(state, now)
    spent = msgspec.structs.replace(state.spent, attempts=0)
    return _go_on(_with(state, have=state.have | 1 << index, idle_s=0.0, spent=spent), now)


def refused(state: Download, reply: ChunksRefused, now: float) -> Step:
    """The bridge's word on a request; another transfer's means nothing."""
    state = _accounted(state, now)
    if state.end or reply.transfer != state.transfer:
        return state, ()
    match reply.why:
        case Why.GONE:
            return _ended(state, End.GONE)
        case Why.CANCELLED:
            return _ended(state, End.CANCELLED)
        case Why.BUSY:
            given_up = state.given_up + len(state.flying)
            return _with(state, ask_from=now + max(1, reply.after_s), flying=(), given_up=given_up), ()


def hold(state: Download, why: Hold, now: float, *, on: bool) -> Step:
    """Nothing is asked for while there is a reason not to. What is under way comes, unless the line is gone."""
    state = _accounted(state, now)
    holds = state.holds | {why} if on else state.holds - {why}
    if why is Hold.OFFLINE and on:
        state = _with(state, flying=())
    return _go_on(_with(state, holds=holds), now)


def cancel(state: Download, now: float) -> Step:
    state = _accounted(state, now)
    return (state, ()) if state.end else _ended(state, End.CANCELLED)


def tick(state: Download, now: float) -> Step:
    """Due at `next_at`."""
    return _go_on(_accounted(state, now), now)


def next_at(state: Download) -> float | None:
    """When `tick` is due, by the monotonic clock; None: when something happens."""
    if state.end or Hold.PAUSED in state.holds:
        return None
    times = [flying.patient_from + patience_s(state) for flying in state.flying]
    times.append(state.at + TRYING_S - state.spent.seconds)
    if not state.holds:
        times.append(max(state.at, state.ask_from) + STALL_S - state.idle_s)
        if state.ask_from > state.at:
            times.append(state.ask_from)
    return min(times)


def _go_on(state: Download, now: float) -> Step:
    """What follows from how things are: an end, another attempt, or a request."""
    if state.end:
        return state, ()
    if not missing(state):
        return _ended(state, End.COMPLETE)
    if state.spent.bytes > byte_budget(state.image):
        return _ended(state, End.BYTES)
    if state.spent.seconds >= TRYING_S - GRAIN_S:
        return _ended(state, End.DAYS)
    state = _without_overdue(state, now)
    if state.idle_s >= STALL_S - GRAIN_S:
        if state.spent.attempts >= ATTEMPTS:
            return _ended(state, End.ATTEMPTS)
        return _another_attempt(state, now), ()
    return _asking(state, now)


def _asking(state: Download, now: float) -> Step:
    """A request as soon as half a window is free: so one is under way while the chunks of the other come."""
    window = int(state.window)
    free = window - len(state.flying)
    wanted = missing(state) & ~sum(1 << flying.index for flying in state.flying)
    if state.holds or now < state.ask_from or not wanted or free < max(1, window // 2):
        return state, ()
    request = state.requests + 1
    now_asked = [index for index, _ in zip(ones(wanted), range(free), strict=False)]
    message = ChunksWanted(
        transfer=state.transfer,
        sha256=state.image.sha256,
        chunk=state.image.chunk,
        missing=chunks.packed(wanted),
        window=len(now_asked),
    )
    # A chunk that was asked for before may be the late answer to that: it tells no round-trip time (Karn).
    more = tuple(Flying(index, request, now, now, not state.asked >> index & 1) for index in now_asked)
    asked = state.asked | sum(1 << index for index in now_asked)
    return _with(state, flying=state.flying + more, asked=asked, requests=request), (Ask(message),)


def _landed(state: Download, index: int, now: float) -> Download:
    """A chunk came: the window grows, and what was asked for behind it is on its way."""
    found = next((each for each in state.flying if each.index == index), None)
    if found is None:
        return state
    flying = tuple(_patient_anew(each, found, now) for each in state.flying if each is not found)
    state = _with(state, flying=flying)
    if found.timed:
        state = _timed(state, now - found.asked_at)
    if (state.rtt_s or 0.0) <= SLOW_S:
        state = _with(state, window=min(chunks.WINDOW_MOST, state.window + 1 / state.window))
    return state


def _patient_anew(flying: Flying, came: Flying, now: float) -> Flying:
    """Of one request only the first chunk that comes tells a round-trip time: the others wait behind it."""
    if (flying.request, flying.index) < (came.request, came.index):
        return flying
    timed = flying.timed and flying.request != came.request
    return msgspec.structs.replace(flying, patient_from=now, timed=timed)


def _timed(state: Download, sample_s: float) -> Download:
    smoothed = sample_s if state.rtt_s is None else state.rtt_s + RTT_SHARE * (sample_s - state.rtt_s)
    window = _halved(state.window) if sample_s > 2 * SLOW_S else state.window
    return _with(state, rtt_s=smoothed, window=window)


def _without_overdue(state: Download, now: float) -> Download:
    """Chunks that did not come in time are missing again; however many they are, the window is halved once."""
    limit_s = patience_s(state) - GRAIN_S
    left = tuple(each for each in state.flying if now - each.patient_from < limit_s)
    if len(left) == len(state.flying):
        return state
    given_up = state.given_up + len(state.flying) - len(left)
    return _with(state, flying=left, window=_halved(state.window), given_up=given_up)


def _another_attempt(state: Download, now: float) -> Download:
    """Under another id, so that what the old one brings late is known for what it is."""
    attempts = state.spent.attempts
    wait_s = min(AGAIN_MOST_S, AGAIN_S * 2 ** (attempts - 1))
    # The id is random, and so are the waits of gateways that were all left without an answer at the same moment.
    wait_s *= 0.5 + 0.5 * (state.transfer % 1024) / 1024
    return _with(
        state,
        transfer=(state.transfer + 1) % chunks.TRANSFERS,
        spent=msgspec.structs.replace(state.spent, attempts=attempts + 1),
        ask_from=now + wait_s,
        flying=(),
        window=WINDOW_FIRST,
        idle_s=0.0,
    )


def _accounted(state: Download, now: float) -> Download:
    """Time passes: for the budget unless paused, towards a stall only while something is asked for."""
    if state.end or now <= state.at:
        return state
    spent, idle_s = state.spent, state.idle_s
    if Hold.PAUSED not in state.holds:
        spent = Spent(spent.attempts, spent.bytes, spent.seconds + now - state.at)
    if not state.holds:
        idle_s += max(0.0, now - max(state.at, state.ask_from))
    return _with(state, at=now, spent=spent, idle_s=idle_s)


def _counted(state: Download, count: int, now: float) -> Download:
    state = _accounted(state, now)
    return _with(state, spent=msgspec.structs.replace(state.spent, bytes=state.spent.bytes + count))


def _good(state: Download, payload: bytes) -> Frame | None:
    """The frame, if it is a chunk of this image in this transfer."""
    try:
        frame = chunks.unpack(payload)
    except WireError:
        return None
    image = state.image
    if frame.transfer != state.transfer or len(frame.data) != chunk_bytes(image, frame.index):
        return None
    digests = image.chunks
    if frame.index >= len(digests) or hashlib.sha256(frame.data).hexdigest() != digests[frame.index]:
        return None
    return frame


def _ended(state: Download, end: End) -> Step:
    return _with(state, end=end, flying=()), (Stop(end),)


def _halved(window: float) -> float:
    return max(1.0, window / 2)


def _with(state: Download, **changes: object) -> Download:
    return msgspec.structs.replace(state, **changes)
