"""Quiet hours by the wall clock, through the hours that summer time takes and gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloud_bridge.alerts.quiet import quiet_until, zone_of
from cloud_bridge.alerts.terms import Quiet
from drivers.ups import Severity

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "Pacific/Apia")
NIGHT = Quiet(since="22:00", until="07:00")
DAY = timedelta(days=1)


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def utc(day: int, hour: int, minute: int = 0, month: int = 11) -> int:
    return ms(datetime(2026, month, day, hour, minute, tzinfo=UTC))


ENDS = [
    (
        "what comes when that hour is shown again waits for the second",
        Quiet(since="22:00", until="02:30"),
        utc(25, 1, 10, month=10),
        utc(25, 1, 30, month=10),
    ),
    ("a night in which summer time ends is an hour longer", NIGHT, utc(24, 20, month=10), utc(25, 6, month=10)),
    ("a night in which it begins is an hour shorter", NIGHT, utc(28, 21, month=3), utc(29, 5, month=3)),
    ("before the evening it is not quiet", NIGHT, utc(24, 20, 59), None),
    ("in the evening it is quiet until the morning", NIGHT, utc(24, 21), utc(25, 6)),
    ("after midnight it is quiet until the same morning", NIGHT, utc(25, 1), utc(25, 6)),
    ("in the morning it is over", NIGHT, utc(25, 6), None),
    ("within one day", Quiet(since="12:00", until="14:00"), utc(24, 11, 30), utc(24, 13)),
    ("since and until at one time are a whole day", Quiet(since="08:00", until="08:00"), utc(24, 6), utc(24, 7)),
    (
        "a night belongs to the day on which it begins",
        Quiet(since="22:00", until="07:00", days=(1,)),
        utc(25, 1),
        utc(25, 6),
    ),
    ("the night after it is none", Quiet(since="22:00", until="07:00", days=(1,)), utc(25, 22), None),
    (
        "an end in the hour that summer time takes is where it ends",
        Quiet(since="22:00", until="02:30"),
        utc(28, 22, month=3),
        utc(29, 1, month=3),
    ),
    (
        "an end in the hour that comes twice is the first",
        Quiet(since="22:00", until="02:30"),
        utc(24, 22, month=10),
        utc(25, 0, 30, month=10),
    ),
]


@pytest.mark.parametrize(("quiet", "now", "end"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_quiet_hours_in_berlin(quiet: Quiet, now: int, end: int | None) -> None:
    assert quiet_until(quiet, BERLIN, now) == end


clocks = st.integers(0, 24 * 60 - 1).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
quiets = st.builds(
    Quiet,
    since=clocks,
    until=clocks,
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    breaks_through=st.none() | st.sampled_from(Severity),
)
# The days around both changes of the year, and plain ones.
instants = st.integers(ms(datetime(2026, 1, 1, tzinfo=UTC)), ms(datetime(2027, 1, 1, tzinfo=UTC))) | st.sampled_from(
    [
        utc(8, 6, month=3),
        utc(29, 0, month=3),
        utc(5, 14, month=4),
        utc(25, 0, 30, month=10),
        utc(25, 1, 30, month=10),
        utc(1, 6),
    ]
).flatmap(lambda around: st.integers(around - 30 * 3_600_000, around + 30 * 3_600_000))
# Nights that end in the hours around the change: what plain chance seldom draws.
nights = st.tuples(st.sampled_from(["00:30", "01:00", "01:30", "02:00", "02:15", "02:30", "03:00"]), clocks).map(
    lambda pair: Quiet(since=pair[1], until=pair[0])
)


def shows_quiet(quiet: Quiet, at: datetime) -> bool:
    """By the wall clock alone: within it today, or within the rest of yesterday's."""
    clock, today, yesterday = at.strftime("%H:%M"), at.weekday(), (at.date() - DAY).weekday()
    if quiet.since < quiet.until:
        return today in quiet.days and quiet.since <= clock < quiet.until
    return (today in quiet.days and clock >= quiet.since) or (yesterday in quiet.days and clock < quiet.until)


@example(Quiet(since="02:01", until="02:00"), "Europe/Berlin", 1_774_659_660_000)
@given(quiets | nights, st.sampled_from(ZONES), instants)
@settings(max_examples=400, deadline=None)
def test_it_is_quiet_exactly_while_the_wall_clock_says_so(quiet: Quiet, zone: str, now: int) -> None:
    at = datetime.fromtimestamp(now / 1000, ZoneInfo(zone))
    end = quiet_until(quiet, ZoneInfo(zone), now)
    assert (end is not None) == shows_quiet(quiet, at)
    if end is not None:
        assert now < end <= now + 50 * 3_600_000
        before = datetime.fromtimestamp((end - 1) / 1000, ZoneInfo(zone))
        assert shows_quiet(quiet, before)
        after = datetime.fromtimestamp(end / 1000, ZoneInfo(zone))
        ended, begun = before.strftime("%H:%M"), after.strftime("%H:%M")
        # The second: in the hour that summer time takes, where both ends of a quiet are one moment.
        begins_anew = quiet.since in (quiet.until, begun) or ended < quiet.since < begun
        assert begins_anew or not shows_quiet(quiet, after)


def test_a_time_zone_that_is_none_stops_no_alert() -> None:
    for name in ("Nowhere/Atlantis", "", "../etc/passwd", "\0"):
        assert zone_of(name) == ZoneInfo("UTC")
