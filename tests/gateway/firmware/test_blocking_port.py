"""A descriptor as the blocking port that a transfer takes."""

from __future__ import annotations

import errno
import os
import pty
import time
import tty
from collections.abc import Iterator

import pytest

from gateway.runtime.firmware.blocking_port import BlockingPort


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    near, far = pty.openpty()
    tty.setraw(far)
    os.set_blocking(near, False)
    yield near, far
    for descriptor in (near, far):
        os.close(descriptor)


def test_what_has_come_is_read_at_once_and_no_more_than_was_asked(ends: tuple[int, int]) -> None:
    near, far = ends
    os.write(far, b"C\x06\x15")
    port = BlockingPort(near)
    assert port.read(1, 30.0) == b"C"
    assert port.read(1024, 30.0) == b"\x06\x15"


def test_silence_is_nothing_after_the_time_that_was_given(ends: tuple[int, int]) -> None:
    port = BlockingPort(ends[0])
    began_s = time.monotonic()
    assert port.read(1, 0.05) == b""
    assert time.monotonic() - began_s >= 0.05
    assert port.read(1, 0.0) == b""


def test_all_of_a_block_is_written_with_every_byte_as_it_is(ends: tuple[int, int]) -> None:
    near, far = ends
    block = bytes(range(256)) * 4 + b"\r\n\x03\x11\x13"
    BlockingPort(near).write(block)
    got = b""
    while len(got) < len(block):
        got += os.read(far, 4096)
    assert got == block


def test_a_line_that_takes_nothing_is_an_error_in_bounded_time(ends: tuple[int, int]) -> None:
    port = BlockingPort(ends[0], write_s=0.05)
    with pytest.raises(OSError, match="takes no bytes") as caught:
        port.write(bytes(1_000_000))
    assert caught.value.errno == errno.ETIMEDOUT


def test_a_line_that_was_hung_up_is_an_error() -> None:
    near, far = os.pipe()
    os.close(far)
    try:
        with pytest.raises(OSError, match="hung up"):
            BlockingPort(near).read(1, 30.0)
    finally:
        os.close(near)
