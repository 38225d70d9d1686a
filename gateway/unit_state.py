"""What the gateway remembers of one unit between readings, and across a restart.

It is kept on disk in the transaction that keeps the events it led to: a restart neither repeats nor misses
one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from drivers.ups import Calibration, Cause, State, TestResult
from gateway import readings

VERSION = 1
KEEP_EVERY = timedelta(minutes=5)
"""How old the kept time of the last reading may get. Events after a crash say it; a write wears the card."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Ongoing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One condition that was told and has not ended.

    `absent_at`: since when it is no longer seen, while its end is held back; `absent_after` and
    `absent_found` are what the event of its end will say as `after` and `found_afterwards`.
    """

    since_at: Moment
    absent_at: Moment | None = None
    absent_after: Moment | None = None
    absent_found: bool = False


class UnitState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is remembered of one unit; `UnitState()` has no history.

    `watching`: the gateway has looked at the status word without a break since its last reading;
    `watching_all`: at the other parts too. `ongoing`: by Sighting.key. `test_since_at`: on battery for a test
    since. `test_seen`: a test ran since `result_at`, when a start or result was told last. `input_reported`:
    the unit can say that its input is acceptable. `returning`: outlet groups that went off with the whole
    output and were not seen on since; the output came back at `output_on_at`. `lost_at`: when
    communication_lost was told. `stranger`: serial number of another unit that answers in this one's place.
    `twin`: the other name under which the unit that answers is read already.
    """

    version: int = VERSION
    last_at: Moment | None = None
    last_full_at: Moment | None = None
    watching: bool = False
    watching_all: bool = False
    power: State | None = None
    cause: Cause | None = None
    ongoing: dict[str, Ongoing] = {}
    test_since_at: Moment | None = None
    test_seen: bool = False
    self_test: TestResult | None = None
    calibration: Calibration | None = None
    result_at: Moment | None = None
    input_reported: bool = False
    output_on_at: Moment | None = None
    returning: tuple[int, ...] = ()
    failed_polls: int = 0
    lost_at: Moment | None = None
    firmware: str | None = None
    group_names: dict[str, str] = {}
    stranger: str | None = None
    twin: str | None = None


_decoder = msgspec.json.Decoder(UnitState)
_INSTANTS = tuple(name for name in UnitState.__struct_fields__ if name.endswith("_at"))


def encode(state: UnitState) -> bytes:
    """JSON for the disk."""
    return msgspec.json.encode(state)


def resume(raw: bytes | None) -> UnitState:
    """The state after a start: what is seen next happened while nobody watched.

    Fields of a newer version are ignored; what does not decode is replaced by a fresh state.
    """
    try:
        state = _decoder.decode(raw or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return UnitState()
    return unwatched(state)


def moved(state: UnitState, by: timedelta) -> UnitState:
    """The same by a clock that was set, by `by`: what lies between two readings is never the clock's jump."""
    instants = {name: readings.shifted(at, by) for name in _INSTANTS if (at := getattr(state, name)) is not None}
    ongoing = {key: _ongoing_moved(each, by) for key, each in state.ongoing.items()}
    return msgspec.structs.replace(state, ongoing=ongoing, **instants)


def _ongoing_moved(ongoing: Ongoing, by: timedelta) -> Ongoing:
    instants = {name: getattr(ongoing, name) for name in ("since_at", "absent_at", "absent_after")}
    shifted = {name: readings.shifted(at, by) for name, at in instants.items() if at is not None}
    return msgspec.structs.replace(ongoing, **shifted)


def unwatched(state: UnitState) -> UnitState:
    """The same, with nobody having watched since its last reading."""
    return msgspec.structs.replace(state, watching=False, watching_all=False)


def worth_keeping(kept: UnitState, now: UnitState) -> bool:
    """Whether the copy on disk is to be renewed without an event: a real change, or its times are too old."""
    if _without_times(kept) != _without_times(now):
        return True
    if kept.last_at is None or now.last_at is None:
        return kept.last_at is not now.last_at
    return abs(now.last_at - kept.last_at) >= KEEP_EVERY


def _without_times(state: UnitState) -> UnitState:
    return msgspec.structs.replace(
        state, last_at=None, last_full_at=None, watching=True, watching_all=True, failed_polls=0
    )
