"""lrzsz's rx, on the other end of a pty, receives what the gateway sends by XMODEM."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import select
import signal
import struct
import subprocess
import termios
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.firmware.transfer import Limits, Reason, Sent, TransferFailed
from gateway.runtime.firmware.blocking_port import BlockingPort
from gateway.runtime.firmware.xmodem import send
from tests.gateway.firmware.sending import Block, padded

pytestmark = pytest.mark.peer

LIMITS = Limits(max_s=60.0, quiet_s=15.0, start_s=20.0)
END_S = 15.0


@pytest.fixture
def rx(lrzsz_dir: Path) -> Path:
    return lrzsz_dir / "rx"


class Line:
    """The gateway's end of two ptys, a way each, that loses nothing a line would bring.

    rx throws away its input right behind each answer, and before it leaves its terminal's output too. On a line the
    next block is not there yet by then, and the last ACK is out; a pty has no such delay. So the way back has a
    terminal of its own, and the way there is in packet mode (tty_ioctl(4), TIOCPKT), which tells of a flush: an answer
    has come once rx has thrown away what it wanted to. Far ends stay open: rx's end is no hang-up.
    """

    def __init__(self) -> None:
        (self._to, self._rx_in), (self._from, self._rx_out) = pty.openpty(), pty.openpty()
        tty.setraw(self._rx_in)
        tty.setraw(self._rx_out)
        os.set_blocking(self._to, False)
        fcntl.ioctl(self._to, termios.TIOCPKT, struct.pack("i", 1))
        self._notices = select.poll()
        self._notices.register(self._to, select.POLLIN | select.POLLPRI)
        self._writer, self._reader = BlockingPort(self._to), BlockingPort(self._from)

    def read(self, n: int, timeout: float) -> bytes:
        data = self._reader.read(n, timeout)
        if data in (b"C", b"\x06", b"\x15"):
            self._await_flush()
        return data

    def _await_flush(self) -> None:
        notice = 0
        while not notice & termios.TIOCPKT_FLUSHREAD:
            assert self._notices.poll(END_S * 1000), "rx threw nothing away behind its answer"
            notice = os.read(self._to, 1)[0]

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def receive(self, rx: Path, path: Path, *options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [rx, "--quiet", "--binary", *options, path.name],
            stdin=self._rx_in,
            stdout=self._rx_out,
            stderr=subprocess.DEVNULL,
            cwd=path.parent,
        )

    def close(self) -> None:
        for descriptor in (self._to, self._rx_in, self._from, self._rx_out):
            os.close(descriptor)


@pytest.fixture
def line() -> Iterator[Line]:
    opened = Line()
    yield opened
    opened.close()


def never() -> bool:
    return False


def status_of(receiver: subprocess.Popen[bytes]) -> int:
    try:
        return receiver.wait(END_S)
    finally:
        receiver.kill()


@pytest.mark.parametrize(("block", "size"), [(128, 128 * 260 + 1), (1024, 1024 * 260 - 1), (1024, 1)])
def test_rx_receives_the_same_bytes(rx: Path, line: Line, tmp_path: Path, block: Block, size: int) -> None:
    image = random.Random(size).randbytes(size)
    received = tmp_path / "received.bin"
    receiver = line.receive(rx, received, "--with-crc")
    told: list[int] = []
    sent = send(
        line,
        image,
        block=block,
        limits=LIMITS,
        progress=lambda done: told.append(done.acknowledged),
        cancelled=never,
    )
    assert status_of(receiver) == 0
    assert received.read_bytes() == padded(image, block)
    whole = len(padded(image, block)) // block
    assert sent == Sent(blocks=whole, acknowledged=whole)
    assert told == list(range(1, whole + 1))


def test_rx_without_crc_is_refused_and_leaves(rx: Path, line: Line, tmp_path: Path) -> None:
    receiver = line.receive(rx, tmp_path / "received.bin")
    with pytest.raises(TransferFailed) as caught:
        send(line, b"image", block=128, limits=LIMITS, progress=lambda _: None, cancelled=never)
    assert caught.value.reason is Reason.CHECKSUM_ONLY
    assert status_of(receiver) != 0


def test_rx_leaves_when_we_stop(rx: Path, line: Line, tmp_path: Path) -> None:
    receiver = line.receive(rx, tmp_path / "received.bin", "--with-crc")
    stop = threading.Event()

    def stop_at_ten(sent: Sent) -> None:
        if sent.acknowledged == 10:
            stop.set()

    with pytest.raises(TransferFailed) as caught:
        send(
            line,
            bytes(50_000),
            block=128,
            limits=LIMITS,
            progress=stop_at_ten,
            cancelled=stop.is_set,
        )
    assert caught.value.reason is Reason.CANCELLED_BY_US
    assert caught.value.sent.acknowledged >= 10
    assert status_of(receiver) != 0


def test_our_end_sees_at_once_that_rx_was_stopped(rx: Path, line: Line, tmp_path: Path) -> None:
    """On SIGINT rx writes CAN, some times over, and ends."""
    receiver = line.receive(rx, tmp_path / "received.bin", "--with-crc")

    def interrupt_at_ten(sent: Sent) -> None:
        if sent.acknowledged == 10:
            receiver.send_signal(signal.SIGINT)

    with pytest.raises(TransferFailed) as caught:
        send(
            line,
            bytes(5_000_000),
            block=128,
            limits=LIMITS,
            progress=interrupt_at_ten,
            cancelled=never,
        )
    assert caught.value.reason is Reason.CANCELLED_BY_UNIT
    assert status_of(receiver) != 0
