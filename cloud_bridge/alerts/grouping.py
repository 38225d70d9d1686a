"""When a notice leaves: the first of a group at once, what follows it together; criticals always at once. Pure.

A group is a channel, and by default a site and a condition. Instants are UTC milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cloud_bridge.alerts.matching import Case


class Slot(msgspec.Struct, frozen=True):
    """`due_at`: when what is in the group leaves."""

    group: str
    due_at: int


def group_of(case: Case, channel: int, group_by: Sequence[str]) -> str:
    """What may be joined into one notice while it waits."""
    parts = {
        "site": case.matter.place,
        "condition": case.alert.condition,
        "owner": ",".join(map(str, case.matter.owners)),
        "gateway": case.matter.subject.gateway,
    }
    return "|".join([str(channel), *(f"{key}={parts[key]}" for key in group_by)])


def slot(group: str, group_s: int, grouped: Mapping[str, int], now: int, *, over: bool, at_once: bool) -> Slot:
    """`over`: an end. The first of them leaves at once as the first beginning does; but while a beginning waits in the
    group it goes out with that, never before it."""
    waiting = grouped.get(group, 0)
    if at_once:
        return Slot(group, now)
    if over and waiting > now:
        return Slot(group, waiting)
    timed = f"{group}|over" if over else group
    return Slot(timed, _next(grouped.get(timed), group_s * 1000, now))


def _next(last: int | None, every: int, now: int) -> int:
    if last is None or now >= last + every:
        return now
    return last if last > now else last + every
