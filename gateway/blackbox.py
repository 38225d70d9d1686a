"""One unit's black box: a ring of the last minute's readings, and the outage that is going on.

An outage reaches from a transfer to battery to the return; another transfer within AFTER_MS of the return belongs to
the same one. Pure: readings in, finished outages out.
"""

from __future__ import annotations

from collections import deque

import msgspec

from gateway import outage
from gateway.outage import Open, Sample, between_ms
from gateway.trace import thinned
from gateway.wire import limits
from gateway.wire.outage import OutageBody

BEFORE_MS = AFTER_MS = 60_000
SILENT_MS = 120_000
"""A unit unread for so long during an outage: what followed is not known, and the record says so."""
RING_READINGS = 600
"""At most so many readings are held from before a transfer: a minute at twice the fastest polling (S4)."""

_decoder = msgspec.json.Decoder(Open)


class UnitBox:
    """`going_on` is the outage that is open, if any."""

    def __init__(self) -> None:
        self.going_on: Open | None = None
        self._ring: deque[Sample] = deque(maxlen=RING_READINGS)

    def resume(self, raw: bytes) -> bool:
        """Take up an outage that an earlier process left open; False if it can't be read."""
        try:
            self.going_on = _decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        self.going_on.resumed = True
        return True

    def seen(self, sample: Sample, new_id: str) -> OutageBody | None:
        """An outage that is over with this reading. `new_id`: for one that begins with it."""
        over = self._lost_sight(sample)
        if self.going_on is not None:
            outage.follow(self.going_on, sample)
            over = over or self._returned_for_long()
        elif sample.on_battery:
            self.going_on = outage.begin(new_id, sample, self._before(sample))
        self._ring.append(sample)
        return over

    def ticked(self, boot: str, mono: int) -> OutageBody | None:
        """The same without a reading: a unit that is silent for too long ends its outage."""
        last = None if self.going_on is None else self.going_on.last
        if last is None or (last.boot == boot and mono - last.mono < SILENT_MS):
            return None
        return self._close()

    def _lost_sight(self, sample: Sample) -> OutageBody | None:
        """An outage whose end, and perhaps more, went by unseen. On battery then and now is most likely one outage:
        what lies between is counted where this boot has seen the time."""
        open_ = self.going_on
        if open_ is None or (open_.last.on_battery and sample.on_battery):
            return None
        unseen_ms = between_ms(open_.last, sample)
        return None if unseen_ms is not None and unseen_ms < SILENT_MS else self._close()

    def _returned_for_long(self) -> OutageBody | None:
        open_ = self.going_on
        if open_ is None or open_.returned_ms is None or open_.elapsed_ms - open_.returned_ms < AFTER_MS:
            return None
        return self._close()

    def _close(self) -> OutageBody | None:
        open_, self.going_on = self.going_on, None
        return None if open_ is None else outage.body(open_, "silent")

    def _before(self, sample: Sample) -> list[Sample]:
        ages = [(between_ms(each, sample), each) for each in self._ring]
        return [each for age_ms, each in ages if age_ms is not None and age_ms <= BEFORE_MS]


def kept(open_: Open) -> bytes:
    """For the disk: a few KiB."""
    return msgspec.json.encode(msgspec.structs.replace(open_, trace=thinned(open_.trace, limits.TRACE_POINTS)))
