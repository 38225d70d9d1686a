"""What one watch of a unit has seen: the last reading, what changed in it and when, whether the line is lost.

Times of the clock on the wall are aware UTC, for people; `now` is monotonic seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from drivers.show import FLAGS, UNIT, Sections, sections, words
from drivers.ups import Identity, OutletGroup, Snapshot, clean_text

NOTES = 10
"""Events that are remembered for the view."""
NOTE_LIMIT = 300
NEVER_MARKED = frozenset({UNIT, FLAGS, "Link"})
"""Headings whose values are not marked when they change: who it is, what an event tells, the answer time."""


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"
    PLAIN = "plain"


class Note(msgspec.Struct, frozen=True):
    """One event of this watch."""

    at: datetime
    text: str
    mood: Mood = Mood.PLAIN


class Watch:
    """`take` each reading, `lose` the line; both return what is worth a line to a person."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.snapshot: Snapshot | None = None
        self.sections: Sections = {}
        self.notes: deque[Note] = deque(maxlen=NOTES)
        self.read_at = 0.0
        self.lost_at: float | None = None
        self.lost_because = ""
        self.retry_at: float | None = None
        self._changed_at: dict[tuple[str, str], float] = {}

    def take(self, snapshot: Snapshot, now: float) -> list[Note]:
        shown = sections(self.identity, snapshot)
        notes = []
        if self.lost_at is not None:
            text = f"the unit answers again after {now - self.lost_at:.0f} s"
            notes.append(Note(snapshot.at, text, Mood.GOOD))
            self.lost_at = self.retry_at = None
        if self.snapshot is not None:
            notes += _events(self.identity, self.snapshot, snapshot)
            self._mark(shown, now)
        self.snapshot, self.sections, self.read_at = snapshot, shown, now
        self.notes.extend(notes)
        return notes

    def lose(self, why: str, retry_in_s: float | None, now: float, at: datetime) -> list[Note]:
        """The line does not answer; `retry_in_s` is when it is tried again, None at the next reading."""
        self.retry_at = None if retry_in_s is None else now + retry_in_s
        if self.lost_at is not None:
            return []
        self.lost_at, self.lost_because = now, clean_text(why, NOTE_LIMIT)
        note = Note(at, f"line lost: {self.lost_because}", Mood.BAD)
        self.notes.append(note)
        return [note]

    def changed_since(self, heading: str, label: str, now: float) -> float | None:
        """Seconds since this value changed; None if it has not during this watch."""
        changed_at = self._changed_at.get((heading, label))
        return None if changed_at is None else now - changed_at

    def _mark(self, shown: Sections, now: float) -> None:
        for heading in shown.keys() - NEVER_MARKED:
            before = dict(self.sections.get(heading, ()))
            for label, value in shown[heading]:
                if before.get(label) != value:
                    self._changed_at[heading, label] = now


def _events(identity: Identity, before: Snapshot, after: Snapshot) -> Iterator[Note]:
    """A transfer with its cause, flags that rose or fell with it, outlets, a test's result."""
    raised, cleared = after.flags - before.flags, before.flags - after.flags
    flags = [f"+{words(flag)}" for flag in sorted(raised)] + [f"-{words(flag)}" for flag in sorted(cleared)]
    if after.state != before.state:
        cause = f", cause: {words(after.cause)}" if after.cause else ""
        told = f" ({', '.join(flags)})" if flags else ""
        mood = Mood.GOOD if after.state == "online" else Mood.BAD
        yield Note(after.at, f"{words(after.state or 'unknown state')}{cause}{told}", mood)
    elif flags:
        yield Note(after.at, ", ".join(flags))
    if after.self_test != before.self_test and after.self_test:
        yield Note(after.at, f"self-test: {words(after.self_test.status)}")
    yield from _outlet_events(dict(identity.outlet_groups), before, after)


def _outlet_events(names: dict[int, str], before: Snapshot, after: Snapshot) -> Iterator[Note]:
    was = {group.index: group.on for group in _outlets(before)}
    for group in _outlets(after):
        if group.on is not None and was.get(group.index) not in (None, group.on):
            name = names.get(group.index) or f"group {group.index}"
            yield Note(
                after.at, f"outlets of {name}: {'on' if group.on else 'off'}", Mood.PLAIN if group.on else Mood.BAD
            )


def _outlets(snapshot: Snapshot) -> tuple[OutletGroup, ...]:
    return (*((snapshot.main_outlet,) if snapshot.main_outlet else ()), *snapshot.switched_outlets)
