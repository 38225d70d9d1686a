"""A line as the xmodem package reads and writes it, guarded: the package hears only what the transfer needs to hear."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from msgspec.structs import replace

from gateway.firmware.line_guard import (
    ACK,
    ANSWERS,
    CAN,
    CANCEL,
    CRC,
    EOT,
    EOT_RETRIES,
    NAK,
    REQUESTS,
    Meaning,
    Phase,
    meaning,
)
from gateway.firmware.transfer import Limits, Reason, Sent, TransferFailed

WAIT_S = 0.5
"""Longest wait between two looks at `cancelled`."""
STALE_BYTES = 1024
"""Most that is thrown away before a write."""


class Port(Protocol):
    """A line that is open and ours alone."""

    def read(self, n: int, timeout: float) -> bytes:
        """Up to `n` bytes as soon as there are any; b"" after `timeout` seconds. Raises OSError."""
        ...

    def write(self, data: bytes) -> object:
        """All of it; need not wait until it left. Raises OSError, in bounded time."""
        ...


class GuardedLine:
    """`getc` and `putc` for the xmodem package; both raise TransferFailed. `clock`: monotonic seconds.

    `has_begun`: the unit has asked for a block. `sent`: how far it came.
    """

    def __init__(
        self,
        port: Port,
        limits: Limits,
        blocks: int,
        progress: Callable[[Sent], None],
        cancelled: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self.phase = Phase.START
        self.has_begun = False
        self.sent = Sent(blocks=blocks)
        self._port = port
        self._limits = limits
        self._progress = progress
        self._cancelled = cancelled
        self._clock = clock
        self._end_s = clock() + limits.max_s
        self._before = b""
        self._copies = 0
        self._is_answer_due = False
        self._ends = 0
        self._told = 0

    def getc(self, _size: int, _timeout: float = 0.0) -> bytes | None:
        """The request for the first block, or the answer to what was written last; None if there is none."""
        if self.phase is Phase.START:
            return self._request()
        self._tell()
        answer = self._answer()
        if answer is Meaning.TAKEN:
            return ACK
        if self.phase is Phase.END and self._ends > min(EOT_RETRIES, self._limits.retries):
            raise self._failure(Reason.UNCONFIRMED, f"EOT was written {self._ends} times and not acknowledged")
        return NAK if answer is Meaning.AGAIN else None

    def putc(self, data: bytes, _timeout: float = 0.0) -> int:
        frame = bytes(data)
        if frame != CAN:
            self._check()
            if self._ends == 0:  # an answer to an earlier EOT is never stale
                self._drop_stale()
            self._count(frame)
        self._write(frame)
        return len(frame)

    def cancel(self) -> None:
        """Writes CAN CAN, but not right behind a block: lrzsz's rx, for one, throws away what came with it."""
        with suppress(OSError, TransferFailed):
            until_s = self._clock() + (self._limits.settle_s if self._is_answer_due else 0.0)
            while (left_s := until_s - self._clock()) > 0:
                byte = self._port.read(1, left_s)
                if byte and self._judge(byte) in ANSWERS:
                    break
            self._port.write(CANCEL)

    def _count(self, frame: bytes) -> None:
        if frame == EOT:
            self.phase = Phase.END
            self._ends += 1
            return
        self.phase = Phase.BLOCKS
        self._is_answer_due = True
        self._copies += 1
        if self._copies > 1:
            self.sent = replace(self.sent, resent=self.sent.resent + 1)

    def _request(self) -> bytes:
        """A request with nothing behind it; the `C` of a banner has."""
        until_s = self._clock() + self._limits.start_s
        request: Meaning | None = None
        for _ in range(self._limits.banner_bytes):
            heard = self._hear(until_s if request is None else self._clock() + self._limits.lone_s)
            if heard is None:
                return self._begin(request)
            request = heard if heard in REQUESTS else None
        raise self._failure(Reason.NO_START, f"{self._limits.banner_bytes} bytes came, and no request for a block")

    def _begin(self, request: Meaning | None) -> bytes:
        if request is None:
            raise self._failure(Reason.NO_START, f"no request for a block in {self._limits.start_s:g} s")
        self.has_begun = True
        if request is Meaning.BEGIN:
            return CRC
        if not self._limits.checksum:
            raise self._failure(Reason.CHECKSUM_ONLY, "the unit wants blocks without CRC (NAK), which is not allowed")
        return NAK

    def _answer(self) -> Meaning | None:
        """TAKEN, AGAIN, or None after the longest silence."""
        until_s = self._clock() + self._limits.quiet_s
        while (heard := self._hear(until_s)) not in (*ANSWERS, None):
            pass
        self._is_answer_due = False
        if heard is Meaning.TAKEN and self.phase is Phase.BLOCKS:
            self.sent = replace(self.sent, acknowledged=self.sent.acknowledged + 1)
            self._settle()
        return heard

    def _settle(self) -> None:
        """A block that was sent twice may be acknowledged twice, and the second ACK be taken for the next block's."""
        if self._copies > 1:
            until_s = self._clock() + self._limits.settle_s
            while self._hear(until_s) is not None:
                pass
        self._copies = 0

    def _drop_stale(self) -> None:
        """What came before a block was written does not answer it."""
        for value in self._read(STALE_BYTES, 0.0):
            self._judge(bytes([value]))

    def _hear(self, until_s: float) -> Meaning | None:
        """What the next byte means; None if there is none until then."""
        while True:
            self._check()
            now_s = self._clock()
            if now_s >= until_s:
                return None
            if byte := self._read(1, min(until_s - now_s, max(0.0, self._end_s - now_s), WAIT_S)):
                return self._judge(byte)

    def _judge(self, byte: bytes) -> Meaning:
        before, self._before = self._before, byte
        heard = meaning(byte, before, self.phase)
        if heard is Meaning.CANCELLED:
            raise self._failure(Reason.CANCELLED_BY_UNIT, "the unit sent CAN CAN")
        return heard

    def _check(self) -> None:
        if self._clock() >= self._end_s:
            raise self._failure(Reason.TOO_SLOW, f"not done in {self._limits.max_s:g} s")
        if self.phase is not Phase.END and self._cancelled():
            raise self._failure(Reason.CANCELLED_BY_US, "it was stopped here")

    def _read(self, n: int, timeout_s: float) -> bytes:
        try:
            return self._port.read(n, timeout_s)
        except OSError as error:
            raise self._failure(Reason.LINE, f"cannot read: {error}") from error

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            raise self._failure(Reason.LINE, f"cannot write: {error}") from error

    def _tell(self) -> None:
        if self._told < self.sent.acknowledged:
            self._told = self.sent.acknowledged
            self._progress(self.sent)

    def _failure(self, reason: Reason, detail: str) -> TransferFailed:
        return TransferFailed(reason, self.sent, detail)
