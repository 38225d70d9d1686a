"""How often a unit is asked: the owner's choice, until the line shows that it is too often (S4)."""

from __future__ import annotations

import msgspec

from drivers.driver import LineCounters

WINDOW_REQUESTS = 100
"""The error rate is judged over so many requests."""

ERROR_RATE = 0.1
"""From here on asking less often is worth more than asking again."""

DEAD_RATE = 0.5
"""A line with more errors than this is broken, not overtaxed: asking slowly would not help it."""

CLEAN_RATE = 0.01
CLEAN_S = 24 * 3600.0
"""After so long with hardly an error the next faster pace is tried: what disturbed the line may be gone."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """`asked_s`: what settings or driver say. `fast_s`: what is done. The rest: the counters when the window began, and
    since when (monotonic) the line is clean."""

    asked_s: float
    fast_s: float
    requests: int = 0
    errors: int = 0
    clean_since_s: float | None = None

    @property
    def stepped_down(self) -> bool:
        return self.fast_s > self.asked_s


def begun(asked_s: float, kept: bytes | None) -> Pace:
    """The pace to begin with. What was learnt before a restart holds as long as the owner asks for the same."""
    try:
        learnt = msgspec.json.decode(kept or b"", type=Pace)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        learnt = Pace(asked_s=asked_s, fast_s=asked_s)
    fast_s = max(learnt.fast_s, asked_s) if learnt.asked_s == asked_s else asked_s
    return Pace(asked_s=asked_s, fast_s=fast_s)


def encode(pace: Pace) -> bytes:
    """For the disk."""
    return msgspec.json.encode({"asked_s": pace.asked_s, "fast_s": pace.fast_s})


def judged(pace: Pace, counters: LineCounters, gentle_s: float, now_s: float) -> Pace:
    """The pace from now on: half as fast after a window with many errors, never slower than `gentle_s`; twice as fast
    again after CLEAN_S without any, never faster than asked.
    """
    requests, errors = counters.requests - pace.requests, _errors(counters) - pace.errors
    if requests < WINDOW_REQUESTS:
        return pace
    rate = errors / requests
    fast_s, clean_since_s = pace.fast_s, pace.clean_since_s
    if ERROR_RATE <= rate <= DEAD_RATE and fast_s < gentle_s:
        fast_s = min(fast_s * 2, gentle_s)
    if rate > CLEAN_RATE:
        clean_since_s = None
    elif clean_since_s is None:
        clean_since_s = now_s
    elif pace.stepped_down and now_s - clean_since_s >= CLEAN_S:
        fast_s, clean_since_s = max(fast_s / 2, pace.asked_s), now_s
    return Pace(
        asked_s=pace.asked_s,
        fast_s=fast_s,
        requests=counters.requests,
        errors=_errors(counters),
        clean_since_s=clean_since_s,
    )


def _errors(counters: LineCounters) -> int:
    return counters.timeouts + counters.bad_crc + counters.discarded
