"""The receiving end of XMODEM-CRC and XMODEM-1K. No port and no clock in here.

After Chuck Forsberg's "XMODEM/YMODEM Protocol Reference" (1988): C starts it, blocks of 128 (SOH) or 1024 (STX) bytes
with a number that wraps, its complement and CRC-16/XMODEM, ACK or NAK, EOT at the end, two CAN to give up.
"""

from __future__ import annotations

from binascii import crc_hqx
from enum import StrEnum
from typing import Protocol

from simulator.bootloader.faults import NOISE, Faults, Kind
from simulator.bootloader.reasons import Reason
from simulator.bootloader.settings import LoaderSettings

SOH, STX, EOT, ACK, NAK, CAN = 0x01, 0x02, 0x04, 0x06, 0x15, 0x18
START = b"C"
CANCEL = bytes([CAN, CAN])
SIZES = {SOH: 128, STX: 1024}
AROUND = 5
"""Bytes of a block beside its data: kind, number, complement, check sum."""
MAX_RETRIES = 10
CHARACTER_S = 1.0
"""Silence that ends a block half said."""
PURGE_S = 0.1
"""Silence awaited after a damaged block before it is asked for again, so that the rest of it is not read."""


class Verdict(StrEnum):
    """TAKEN; or LATER: taken, and the ACK comes when `acknowledge` is called."""

    TAKEN = "taken"
    LATER = "later"


class Taker(Protocol):
    """Who gets the data, each block once and in order. A reason ends the transfer."""

    def take(self, data: bytes, now: float) -> Verdict | Reason: ...
    def finish(self) -> Reason | None:
        """All was sent."""
        ...


class Receiver:
    """One transfer, from the first C to `done` or `failed`. It holds less than one block.

    `receive` the bytes that come and `tick` often; what either gives goes on the line. Times are monotonic seconds.
    """

    def __init__(self, taker: Taker, faults: Faults, settings: LoaderSettings, start_at: float) -> None:
        self._taker, self._faults, self._settings = taker, faults, settings
        self._buffer = bytearray()
        self._last_at = self._due_at = start_at
        self._cans = self._retries = 0
        self._purging = self._ending = self._busy = False
        self.blocks = 0
        self.done = False
        self.failed: Reason | None = None

    def receive(self, data: bytes, now: float) -> bytes:
        """The answer to these bytes. While a block waits for its ACK, nobody listens and they are lost."""
        if self._deaf():
            return b""
        self._last_at = now
        self._buffer += data
        answer = b""
        while not self._reads_no_more() and (frame := self._next_frame()):
            answer += self._answer(frame, now)
        if self._reads_no_more():
            self._buffer.clear()
        return answer

    @property
    def held_bytes(self) -> int:
        """Bytes of a block that has not come whole."""
        return len(self._buffer)

    def _deaf(self) -> bool:
        return self.done or self.failed is not None or self._busy

    def _reads_no_more(self) -> bool:
        return self._deaf() or self._purging

    def acknowledge(self, now: float) -> bytes:
        """The ACK that had to wait."""
        self._busy = False
        return self._ack(now)

    def tick(self, now: float) -> bytes:
        """What the time that has passed makes it say."""
        if self._deaf():
            return b""
        silent_s = now - self._last_at
        if self._purging:
            return self._purged(now) if silent_s >= PURGE_S else b""
        if self._buffer:
            return self._broken_off(now) if silent_s >= CHARACTER_S else b""
        if now < self._due_at:
            return b""
        return self._again(NAK, now) if self.blocks or self._ending else self._start(now)

    def _purged(self, now: float) -> bytes:
        """The line is quiet after a damaged block."""
        self._purging = False
        return self._again(NAK, now)

    def _broken_off(self, now: float) -> bytes:
        """A block half said. A NAK before the first block would be taken for a wish of plain check sums."""
        self._buffer.clear()
        return self._again(NAK, now) if self.blocks else b""

    # frames

    def _next_frame(self) -> bytes:
        """A whole block, EOT, or CAN where it came twice; nothing as long as there is none. Noise is dropped."""
        while self._buffer:
            first = self._buffer[0]
            if (size := SIZES.get(first)) is not None:
                self._cans = 0
                frame = bytes(self._buffer[: size + AROUND])
                if len(frame) < size + AROUND:
                    return b""
                del self._buffer[: size + AROUND]
                return frame
            del self._buffer[0]
            self._cans = self._cans + 1 if first == CAN else 0
            if first == EOT or self._cans == len(CANCEL):
                return bytes([first])
        return b""

    def _answer(self, frame: bytes, now: float) -> bytes:
        if frame[0] == CAN:
            self.failed = Reason.CANCELLED
            return b""
        if frame[0] == EOT:
            return self._end(now)
        self._ending = False
        data = frame[3:-2]
        if frame[1] ^ frame[2] != 0xFF or crc_hqx(data, 0) != int.from_bytes(frame[-2:], "big"):
            self._purging = True
            return b""
        if self.blocks and frame[1] == self.blocks % 256:
            return self._ack(now)
        if frame[1] != (self.blocks + 1) % 256:
            return self._fail(Reason.LOST_SYNC)
        return self._block(data, now)

    def _block(self, data: bytes, now: float) -> bytes:
        """The next block, undamaged."""
        number = self.blocks + 1
        if self._faults.strikes(Kind.CANCEL, number):
            return self._fail(Reason.GAVE_UP)
        if self._faults.strikes(Kind.NAK, number):
            self._due_at = now + self._settings.block_timeout_ms / 1000
            return bytes([NAK])
        verdict = self._taker.take(data, now)
        if isinstance(verdict, Reason):
            return self._fail(verdict)
        self.blocks = number
        self._busy = verdict is Verdict.LATER
        return b"" if self._busy else self._ack(now)

    def _end(self, now: float) -> bytes:
        """The first EOT may be a damaged block: it counts when it comes again."""
        if not self._ending:
            self._ending = True
            return self._again(NAK, now)
        if (reason := self._taker.finish()) is not None:
            return self._fail(reason)
        self.done = True
        return bytes([ACK])

    # answers

    def _ack(self, now: float) -> bytes:
        self._retries = 0
        self._due_at = now + self._settings.block_timeout_ms / 1000
        if self._faults.strikes(Kind.LOST_ACK, self.blocks):
            return b""
        return self._noise() + bytes([ACK])

    def _again(self, answer: int, now: float) -> bytes:
        self._due_at = now + self._settings.block_timeout_ms / 1000
        self._retries += 1
        if self._retries > MAX_RETRIES:
            return self._fail(Reason.TIMED_OUT)
        return bytes([answer])

    def _start(self, now: float) -> bytes:
        self._due_at = now + self._settings.poll_ms / 1000
        return self._noise() + START * (2 if self._faults.strikes(Kind.SECOND_START) else 1)

    def _noise(self) -> bytes:
        return NOISE if self._faults.strikes(Kind.GARBAGE, self.blocks) else b""

    def _fail(self, reason: Reason) -> bytes:
        self.failed = reason
        return CANCEL
