"""A download at work: carries out what `gateway.firmware.download` decides, on a line and a disk."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from gateway.firmware import download
from gateway.firmware.download_state import (
    Ask,
    Download,
    Effect,
    End,
    Hold,
    Progress,
    Spent,
    Step,
    Stop,
    Store,
    progress,
)
from gateway.firmware.errors import DiskFailed, FirmwareError, NoRoom, NotWhole
from gateway.runtime.firmware.disk import at_disk
from gateway.runtime.firmware.part import PartFile
from gateway.wire import chunks, codec
from gateway.wire.chunks import ChunksRefused
from gateway.wire.errors import WireError
from gateway.wire.messages import Message
from gateway.wire.topics import Up

logger = logging.getLogger("gateway.firmware")

WAITING_FRAMES = 2 * chunks.WINDOW_MOST
"""Most frames that wait for the disk; what is above is as good as lost, and its bytes count."""

WAITING_WORDS = 64
"""Most that waits of everything else; a bridge that says more is not heard."""

LOOK_S = 0.05
"""How often it is looked whether an event is still under way."""

TELL_PERCENT = 5
"""Progress is told in steps of so much."""

KEEP_BYTES = 1024 * 1024
"""What was spent is kept whenever so much came, and at each attempt's begin and first success."""

Publish = Callable[[Up, Message, int], bool]
"""Kind, message, QoS; False if there is no connection."""


class Line(msgspec.Struct, frozen=True):
    """The uplink, as a download needs it.

    `listen`: subscribe to the chunk topic (True) or leave it. `event_under_way`: the events lane has something that is
    not acknowledged yet.
    """

    publish: Publish
    listen: Callable[[bool], None]
    event_under_way: Callable[[], bool]


class Outcome(msgspec.Struct, frozen=True):
    """`path`: the image, if complete. `why`: a sentence, if not."""

    end: End
    path: Path | None = None
    why: str = ""


class Fetch:
    """One image into one part file. Whoever hears the broker calls `chunk`, `control`, `connected` and `lost`, all
    from the event loop; `run` does the rest."""

    def __init__(
        self,
        part: PartFile,
        line: Line,
        *,
        connected: bool,
        on_progress: Callable[[Progress], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._part = part
        self._line = line
        self._clock = clock
        self._on_progress = on_progress
        self._holds: frozenset[Hold] = frozenset() if connected else frozenset({Hold.OFFLINE})
        self._frames: deque[bytes] = deque()
        self._inputs: deque[Callable[[Download, float], Step]] = deque()
        self._over_bytes = 0
        self._news = asyncio.Event()
        self._kept = Spent()
        self._is_over = False
        self._told_percent = -1
        self.state: Download | None = None

    # what is heard and wanted; each is quick

    def chunk(self, payload: bytes) -> None:
        if self._is_over:
            return
        if len(self._frames) < WAITING_FRAMES:
            self._frames.append(payload)
        else:
            self._over_bytes += len(payload)
        self._news.set()

    def control(self, payload: bytes) -> None:
        try:
            reply = codec.decode(payload, ChunksRefused)
        except WireError as error:
            logger.debug("a word on a download can't be read: %s", error.what)
            return
        if len(self._inputs) < WAITING_WORDS:
            self._put(lambda state, now: download.refused(state, reply, now))

    def connected(self) -> None:
        if not self._is_over:
            self._line.listen(True)
        self._hold(Hold.OFFLINE, on=False)

    def lost(self) -> None:
        self._hold(Hold.OFFLINE, on=True)

    def pause(self) -> None:
        self._hold(Hold.PAUSED, on=True)

    def resume(self) -> None:
        self._hold(Hold.PAUSED, on=False)

    def cancel(self) -> None:
        self._put(download.cancel)

    @property
    def progress(self) -> Progress | None:
        """None until the part file has been read."""
        return progress(self.state) if self.state else None

    async def run(self) -> Outcome:
        """Until the image is whole or something has ended it; the part file stays for another try."""
        try:
            with self._part:
                return await self._run()
        except FirmwareError as error:
            return Outcome(_end_of(error), why=str(error))
        finally:
            self._leave()

    async def _run(self) -> Outcome:
        have = await at_disk(self._part.open)
        spent = await at_disk(self._part.spent)
        if Hold.OFFLINE not in self._holds:
            self._line.listen(True)
        begun = download.begin(
            self._part.image, secrets.randbelow(chunks.TRANSFERS), have, spent, self._clock(), self._holds
        )
        self.state = begun[0]
        await self._keep(self.state.spent)
        self._tell(self.state)
        end = await self._carry_out(begun)
        while end is None:
            end = await self._carry_out(await self._next(self.state))
        return await self._over(end)

    async def _next(self, state: Download) -> Step:
        """The next thing that happens, as a step; telemetry is looked at first."""
        await asyncio.sleep(0)  # whatever comes, and however fast, others have their turn
        now = self._clock()
        busy = self._line.event_under_way()
        if busy is not (Hold.TELEMETRY in state.holds):
            return download.hold(state, Hold.TELEMETRY, now, on=busy)
        if self._inputs:
            return self._inputs.popleft()(state, now)
        if self._over_bytes:
            over, self._over_bytes = self._over_bytes, 0
            return download.dropped(state, over, now)
        if self._frames:
            return download.take(state, self._frames.popleft(), now)
        at = download.next_at(state)
        if at is None or at > now:
            await self._wait(None if at is None else at - now, busy=busy)
        return download.tick(state, self._clock())

    async def _wait(self, wait_s: float | None, *, busy: bool) -> None:
        if busy:
            wait_s = LOOK_S if wait_s is None else min(LOOK_S, wait_s)
        if not self._frames and not self._inputs:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), wait_s)
            except TimeoutError:
                return

    async def _carry_out(self, step: Step) -> End | None:
        """What a step asks for, and what follows from that."""
        steps = deque([step])
        while steps:
            state, todo = steps.popleft()
            self.state = state
            for effect in todo:
                if isinstance(effect, Stop):
                    return effect.end
                following = await self._do(state, effect)
                if following is not None:
                    steps.append(following)
            await self._account(state)
        return None

    async def _account(self, state: Download) -> None:
        spent, kept = state.spent, self._kept
        if spent.attempts != kept.attempts or spent.bytes - kept.bytes >= KEEP_BYTES:
            await self._keep(spent)
        self._tell(state)

    async def _do(self, state: Download, effect: Effect) -> Step | None:
        match effect:
            case Ask(message):
                if not self._line.publish(Up.FIRMWARE, message, 1):
                    return download.hold(state, Hold.OFFLINE, self._clock(), on=True)
            case Store(index, data):
                await at_disk(partial(self._part.write, index, data))
                return download.wrote(state, index, self._clock())
        return None

    async def _keep(self, spent: Spent) -> None:
        self._kept = spent
        await at_disk(partial(self._part.keep, spent))

    async def _over(self, end: End) -> Outcome:
        self._leave()
        path = await at_disk(self._part.finish) if end is End.COMPLETE else None
        await at_disk(self._part.forget_spent)
        return Outcome(end, path, "" if path else _WORDS[end])

    def _leave(self) -> None:
        """Whatever still comes is not ours to pay for."""
        if not self._is_over:
            self._is_over = True
            self._line.listen(False)
        self._frames.clear()

    def _tell(self, state: Download) -> None:
        now_at = progress(state)
        percent = 100 * now_at.bytes // now_at.of_bytes // TELL_PERCENT
        if percent != self._told_percent:
            self._told_percent = percent
            self._on_progress(now_at)

    def _hold(self, why: Hold, *, on: bool) -> None:
        if self.state is None:
            self._holds = self._holds | {why} if on else self._holds - {why}
        self._put(lambda state, now: download.hold(state, why, now, on=on))

    def _put(self, what: Callable[[Download, float], Step]) -> None:
        self._inputs.append(what)
        self._news.set()


_WORDS = {
    End.CANCELLED: "it was cancelled",
    End.GONE: "the cloud no longer has this image",
    End.ATTEMPTS: "the cloud sent no chunk that is this image's, as often as it was asked",
    End.BYTES: "more bytes came than the image may cost",
    End.DAYS: "it took longer than it may",
    End.NOT_WHOLE: "the image's signed size and digests contradict each other",
}


def _end_of(error: FirmwareError) -> End:
    match error:
        case NoRoom():
            return End.NO_ROOM
        case NotWhole():
            return End.NOT_WHOLE
        case DiskFailed(full=True):
            return End.DISK_FULL
        case _:
            return End.DISK_FAILED
