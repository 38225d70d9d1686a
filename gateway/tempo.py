"""When a unit is read next, and whether in full: what was asked for, within what its line bears (S4).

Pure: measured durations and monotonic seconds in, intervals out.
"""

from __future__ import annotations

from gateway.pace import Pace

AROUND_S = 60.0
"""How long a unit is read faster once a transfer was seen."""
SHARE_AROUND = 0.25
"""Of the line's time, what readings may take that are made faster for a transfer: half for looks at the state, half for
all the rest. Without a hurry what is read on battery may take all of it."""
FASTER_AT_MOST = 4.0
"""Times as often as usual: what a fragile port is asked has a bound, however short its answers are."""
FASTEST_S = 0.2
"""Five readings a second (S4)."""
FULL_SHARE = 0.03
"""Of the line's time, what full readings may take from an owner who asked for faster looks at the state; where he said
himself how often, that holds."""
LONGEST_FULL_S = 30.0
LONGEST_WAIT_S = 60.0
LONGEST_WAIT_ON_BATTERY_S = 10.0
GROWTH = 1.6
STRANGER_S = 2.0
"""How often at most it is asked whether another unit is accepted."""
TWIN_S = 60.0
"""How often a unit that is read under another name is looked at."""


class Tempo:
    """`usual_s`: the driver's own pace. `full_s`: from one full reading to the next, `owners` if he said so.

    `hurries`: False where each request needs a connection of its own.
    """

    def __init__(self, usual_s: float, full_s: float, *, owners: bool = False, hurries: bool = True) -> None:
        self.usual_s = usual_s
        self.full_s = full_s
        self._owners = owners
        self._hurries = hurries
        self._fast_read_s = self._full_read_s = 0.0
        self._full_at_s: float | None = None
        self._hurry_until_s = float("-inf")
        self._waits = 0

    def took(self, full: bool, seconds: float, now_s: float) -> None:
        """A reading has come, after so long on the line. A longer one counts at once, a shorter one by and by."""
        if full:
            self._full_read_s = _follow(self._full_read_s, seconds)
            self._full_at_s = now_s
        else:
            self._fast_read_s = _follow(self._fast_read_s, seconds)

    def want_full(self) -> None:
        """What was read is out of date: the next reading is a full one."""
        self._full_at_s = None

    def transferred(self, now_s: float) -> None:
        self._hurry_until_s = now_s + AROUND_S

    def answered(self) -> None:
        self._waits = 0

    def failed(self, lost: bool) -> None:
        """A poll without an answer; nothing slows down before the unit counts as lost (S20)."""
        self._waits = self._waits + 1 if lost else 0

    @property
    def has_full(self) -> bool:
        """Whether there is a full reading that is not out of date."""
        return self._full_at_s is not None

    def full_age_s(self, now_s: float) -> float:
        return float("inf") if self._full_at_s is None else now_s - self._full_at_s

    def full_is_due(self, pace: Pace, now_s: float, on_battery: bool) -> bool:
        """With half a look's tolerance, so that full readings keep to the looks' grid."""
        half_s = self.next_s(pace, now_s, on_battery) / 2
        return self.full_age_s(now_s) >= self.full_every_s(pace, now_s, on_battery) - half_s

    def full_every_s(self, pace: Pace, now_s: float, on_battery: bool) -> float:
        """Seconds from one full reading to the next."""
        every_s = self.full_s
        if pace.fast_s < self.usual_s and not self._owners:
            every_s = max(every_s, min(self._full_read_s / FULL_SHARE, LONGEST_FULL_S))
        if on_battery:
            share = SHARE_AROUND / 2 if self._hurrying(pace, now_s) else SHARE_AROUND
            every_s = min(every_s, self._full_read_s / share)
        return every_s

    def next_s(self, pace: Pace, now_s: float, on_battery: bool) -> float:
        """Seconds from one reading's due time to the next one's."""
        if self._waits:
            longest_s = LONGEST_WAIT_ON_BATTERY_S if on_battery else LONGEST_WAIT_S
            return max(pace.fast_s, min(pace.fast_s * GROWTH ** min(self._waits, 64), longest_s))
        if self._hurrying(pace, now_s):
            allowed_s = max(self._fast_read_s / (SHARE_AROUND / 2), pace.fast_s / FASTER_AT_MOST, FASTEST_S)
            return min(pace.fast_s, allowed_s)
        return pace.fast_s

    def _hurrying(self, pace: Pace, now_s: float) -> bool:
        """Never on a line that showed that it takes haste badly."""
        return self._hurries and not pace.stepped_down and now_s < self._hurry_until_s


def _follow(known_s: float, seconds: float) -> float:
    return max(seconds, known_s + (seconds - known_s) / 4)
