"""What a byte from the receiver means, and whether it is told when we give up."""

from __future__ import annotations

import pytest

from gateway.firmware.line_guard import Meaning, Phase, meaning, tells_unit
from gateway.firmware.transfer import Reason, Sent, TransferFailed


@pytest.mark.parametrize(
    ("byte", "phase", "expected"),
    [
        (b"C", Phase.START, Meaning.BEGIN),
        (b"\x15", Phase.START, Meaning.BEGIN_CHECKSUM),
        (b"\x06", Phase.START, Meaning.NOISE),
        (b"\x04", Phase.START, Meaning.NOISE),
        (b"\x06", Phase.BLOCKS, Meaning.TAKEN),
        (b"\x15", Phase.BLOCKS, Meaning.AGAIN),
        (b"C", Phase.BLOCKS, Meaning.NOISE),
        (b"\x04", Phase.BLOCKS, Meaning.NOISE),
        (b"\x06", Phase.END, Meaning.TAKEN),
        (b"\x15", Phase.END, Meaning.AGAIN),
        (b"C", Phase.END, Meaning.NOISE),
    ],
)
def test_a_byte_means_what_the_phase_makes_of_it(byte: bytes, phase: Phase, expected: Meaning) -> None:
    assert meaning(byte, b"", phase) is expected


@pytest.mark.parametrize("phase", Phase)
def test_two_can_in_a_row_cancel_and_one_alone_does_not(phase: Phase) -> None:
    assert meaning(b"\x18", b"\x18", phase) is Meaning.CANCELLED
    assert meaning(b"\x18", b"\x06", phase) is Meaning.NOISE
    assert meaning(b"\x06", b"\x18", phase) is not Meaning.CANCELLED


@pytest.mark.parametrize("reason", Reason)
def test_nothing_is_cancelled_once_the_end_was_written(reason: Reason) -> None:
    assert not tells_unit(reason, Phase.END, has_begun=True)


@pytest.mark.parametrize("reason", Reason)
def test_a_unit_that_asked_for_nothing_is_told_only_that_we_stop(reason: Reason) -> None:
    assert tells_unit(reason, Phase.START, has_begun=False) is (reason is Reason.CANCELLED_BY_US)


@pytest.mark.parametrize("reason", Reason)
def test_a_unit_in_a_transfer_is_told_unless_it_said_so_itself_or_the_line_is_gone(reason: Reason) -> None:
    silent = {Reason.CANCELLED_BY_UNIT, Reason.LINE}
    assert tells_unit(reason, Phase.BLOCKS, has_begun=True) is (reason not in silent)


def test_a_failure_says_why_and_how_far_it_came() -> None:
    failure = TransferFailed(Reason.TOO_SLOW, Sent(blocks=9, acknowledged=4, resent=1), "not done in 5 s")
    assert str(failure) == "too_slow: not done in 5 s (4 of 9 blocks acknowledged)"
