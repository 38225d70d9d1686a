"""What the outbox gives up when its room is short, and in which order.

Acknowledged events go first, then status is thinned, then dropped from its oldest on; events that the cloud does not
have go last, and only if they alone exceed the quota. A record is kept as it is or not at all: its bytes may have been
sent. What is kept of a stretch of status leaves a true picture, since a report by exception never stays without the
full report it adds to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto

import msgspec

WAL_BYTES = 4 * 1024 * 1024
"""What SQLite's journal takes beside the file: its 1000 pages before it is written back."""

BEGIN_AT = 15 / 16
"""Share of the allowed bytes from which on something is given up: the rest is for what comes between two looks."""

STOP_AT = 7 / 8
OVER_AT = 1 / 2

DISK_RESERVE_BYTES = 8 * 1024 * 1024
"""A disk with less room than this bounds the outbox too: status makes room for events inside the file."""

SLICE_RECORDS = 2048
"""Most records given up in one transaction, so that a live event never waits long for it."""

COARSER_MS = (60_000, 600_000, 3_600_000)
"""One full status a unit is kept for so long: everywhere a minute, then ten from the oldest on, then an hour."""


class Size(msgspec.Struct, frozen=True):
    """`used`: pages that hold something; `free`: pages that can be used again; `disk_free`: room beside the file."""

    used: int
    free: int
    disk_free: int

    @property
    def file(self) -> int:
        return self.used + self.free


class Step(Enum):
    """What is given up next."""

    FORGET_ACKNOWLEDGED = auto()
    THIN_STATUS = auto()
    DROP_STATUS = auto()
    DROP_EVENTS = auto()


class Holds(msgspec.Struct, frozen=True):
    """Which kinds the file holds of what could go."""

    acknowledged: bool = False
    thinnable: bool = False
    status: bool = False
    events: bool = False


def allowed_bytes(size: Size, quota_bytes: int) -> int:
    """Most that may be in use now."""
    return min(quota_bytes - WAL_BYTES, size.file + size.disk_free - DISK_RESERVE_BYTES)


def too_much(size: Size, quota_bytes: int, *, begun: bool) -> bool:
    """Whether something has to go; once `begun`, on to some distance below the limit."""
    return size.used > allowed_bytes(size, quota_bytes) * (STOP_AT if begun else BEGIN_AT)


def plenty(size: Size, quota_bytes: int) -> bool:
    """Whether the shortage is over, and the next one worth to be told anew."""
    return size.used < allowed_bytes(size, quota_bytes) * OVER_AT


def next_step(size: Size, quota_bytes: int, holds: Holds) -> Step | None:
    """What goes next. A disk that others filled costs no event."""
    if holds.acknowledged:
        return Step.FORGET_ACKNOWLEDGED
    if holds.thinnable:
        return Step.THIN_STATUS
    if holds.status:
        return Step.DROP_STATUS
    alone_too_much = size.used > (quota_bytes - WAL_BYTES) * STOP_AT
    return Step.DROP_EVENTS if holds.events and alone_too_much else None


class Report(msgspec.Struct, frozen=True):
    """A record of the status lane. `chain`: of what its unit's reports add up to; `full`: it needs none before it.

    None as chain: a record that stands for itself, as an identity.
    """

    number: int
    at: int
    chain: str | None
    full: bool


class Thinning(msgspec.Struct, frozen=True):
    """How far each of COARSER_MS has gone through a stream's status."""

    stream: str = ""
    through: tuple[int, ...] = (0,) * len(COARSER_MS)

    def level(self, last: int) -> int | None:
        """Which of COARSER_MS is at work while `last` is the newest number; None once all are through."""
        return next((level for level, through in enumerate(self.through) if through < last), None)

    def gone_on(self, level: int, through: int) -> Thinning:
        """With that level through to there."""
        new = [*self.through]
        new[level] = max(new[level], through)
        return msgspec.structs.replace(self, through=tuple(new))


def thinned(reports: Sequence[Report], every_ms: int) -> list[int]:
    """The numbers that go if one full report of each unit is kept for each `every_ms`."""
    last_full = _last_full(reports)
    kept_at: dict[str, int] = {}
    gone = []
    for report in reports:
        if report.chain is None or report.number >= last_full.get(report.chain, 0):
            continue
        interval = report.at // every_ms
        if report.full and kept_at.get(report.chain) != interval:
            kept_at[report.chain] = interval
        else:
            gone.append(report.number)
    return gone


def dropped(reports: Sequence[Report]) -> list[int]:
    """The numbers that go from the oldest of the lane: all but what the status behind them adds to.

    If that is nearly everything, all of it goes.
    """
    last_full = _last_full(reports)
    gone = [each.number for each in reports if each.chain is None or each.number < last_full.get(each.chain, 0)]
    return gone if 4 * len(gone) >= len(reports) else [each.number for each in reports]


def goes_on_behind(reports: Sequence[Report]) -> int:
    """The number behind which the next stretch begins: each unit's last full report lies in it again, so that what
    follows that can go too. In any case the first half is done."""
    half = reports[(len(reports) - 1) // 2].number
    return max(half, min(_last_full(reports).values(), default=half + 1) - 1)


def _last_full(reports: Iterable[Report]) -> Mapping[str, int]:
    return {report.chain: report.number for report in reports if report.full and report.chain is not None}


class Loss(msgspec.Struct, frozen=True):
    """Numbers that no record bears any more, or bore ever, and why."""

    first: int
    last: int
    why: str


DAMAGED, CRASH, THINNED, QUOTA = "damaged", "crash", "thinned", "quota"


def with_loss(known: Iterable[Loss], new: Loss) -> list[Loss]:
    """The losses that touch `new`, and it, as ranges that overlap nowhere.

    What was lost before stays lost for its first reason; only what was thinned may be dropped.
    """
    news, others = [new], []
    for loss in known:
        if not (new.why == QUOTA and loss.why == THINNED):
            news = [part for piece in news for part in _without(piece, loss)]
            others.append(loss)
        else:
            others += _without(loss, new)
    return _joined(sorted([*news, *others], key=lambda part: part.first))


def _without(loss: Loss, cut: Loss) -> list[Loss]:
    if cut.last < loss.first or loss.last < cut.first:
        return [loss]
    ends = [Loss(loss.first, cut.first - 1, loss.why), Loss(cut.last + 1, loss.last, loss.why)]
    return [end for end in ends if end.first <= end.last]


def _joined(losses: Iterable[Loss]) -> list[Loss]:
    joined: list[Loss] = []
    for loss in losses:
        if joined and joined[-1].why == loss.why and joined[-1].last + 1 >= loss.first:
            joined[-1] = Loss(joined[-1].first, max(joined[-1].last, loss.last), loss.why)
        else:
            joined.append(loss)
    return joined
