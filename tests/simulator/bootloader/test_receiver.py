"""The receiving end of XMODEM, byte by byte."""

from __future__ import annotations

from binascii import crc_hqx

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bootloader.faults import NOISE, Fault, Faults, Kind
from simulator.bootloader.reasons import Reason
from simulator.bootloader.receiver import MAX_RETRIES, Receiver, Verdict
from simulator.bootloader.settings import LoaderSettings

from .bench import ACK, CAN, EOT, NAK, STEP_S, C, block, blocks

DIGITS = b"123456789" + bytes(119)
FIRST = b"\x01\x01\xfe" + DIGITS + b"\xd0\x53"
"""Block 1, 128 bytes."""


class Kept:
    """Takes everything, unless told otherwise."""

    def __init__(self) -> None:
        self.data = b""
        self.verdict: Verdict | Reason = Verdict.TAKEN
        self.complaint: Reason | None = None

    def take(self, data: bytes, now: float) -> Verdict | Reason:
        if not isinstance(self.verdict, Reason):
            self.data += data
        return self.verdict

    def finish(self) -> Reason | None:
        return self.complaint


class Line:
    def __init__(self) -> None:
        self.kept, self.faults, self.settings = Kept(), Faults(), LoaderSettings()
        self.now = 100.0
        self.receiver = Receiver(self.kept, self.faults, self.settings, self.now)

    def say(self, data: bytes) -> bytes:
        return self.receiver.receive(data, self.now)

    def wait(self, seconds: float) -> bytes:
        said, end = b"", self.now + seconds
        while self.now < end:
            self.now += STEP_S
            said += self.receiver.tick(self.now)
        return said

    def answers(self, *pieces: bytes) -> list[bytes]:
        return [self.say(piece) for piece in pieces]


def test_the_check_sum_is_crc_16_xmodem() -> None:
    assert crc_hqx(b"123456789", 0) == 0x31C3


def test_it_says_c_again_and_again_until_the_first_block() -> None:
    line = Line()
    assert line.wait(9.5) == C * 4
    assert line.say(FIRST) == ACK
    assert line.wait(3.5) == b""


def test_a_block_of_128_is_these_bytes() -> None:
    line = Line()
    assert line.say(FIRST) == ACK
    assert line.kept.data == DIGITS


def test_blocks_of_128_and_1024_may_be_mixed() -> None:
    line = Line()
    data = bytes(range(256)) * 4
    assert line.answers(block(1, data), block(2, data[:128]), block(3, data)) == [ACK, ACK, ACK]
    assert line.kept.data == data + data[:128] + data


def test_a_block_may_come_in_any_pieces() -> None:
    line = Line()
    assert b"".join(line.say(bytes([byte])) for byte in FIRST) == ACK
    assert line.kept.data == DIGITS


def test_the_number_wraps_from_255_to_0() -> None:
    line = Line()
    content = b"".join(number.to_bytes(2, "big") * 64 for number in range(600))
    assert set(line.answers(*blocks(content, 128))) == {ACK}
    assert line.kept.data == content


def test_the_block_before_is_acknowledged_again_and_dropped() -> None:
    line = Line()
    second = block(2, bytes(128))
    assert line.answers(FIRST, FIRST, second, second, second) == [ACK] * 5
    assert line.kept.data == DIGITS + bytes(128)


@pytest.mark.parametrize("number", [0, 3, 255])
def test_a_number_that_cannot_be_cancels(number: int) -> None:
    line = Line()
    assert line.say(FIRST) == ACK
    assert line.say(block(2, bytes(128))) == ACK
    assert line.say(block(number + 2 if number == 3 else number, bytes(128))) == CAN
    assert line.receiver.failed is Reason.LOST_SYNC
    assert line.say(block(3, bytes(128))) == b""


def test_block_0_before_block_1_cancels() -> None:
    line = Line()
    assert line.say(block(0, bytes(128))) == CAN


@pytest.mark.parametrize("place", [1, 2, 3, 130, 131, 132])
def test_a_damaged_block_is_asked_for_again_when_the_line_is_quiet(place: int) -> None:
    line = Line()
    damaged = bytearray(FIRST)
    damaged[place] ^= 0x40
    assert line.say(bytes(damaged)) == b""
    assert line.say(b"\x01\x01 the rest of it") == b""
    assert line.wait(0.2) == NAK
    assert line.say(FIRST) == ACK
    assert line.kept.data == DIGITS


def test_a_long_block_whose_kind_was_damaged_is_not_read_as_two() -> None:
    line = Line()
    long = block(1, bytes(range(256)) * 4)
    assert line.say(b"\x01" + long[1:]) == b""
    assert line.wait(0.2) == NAK
    assert line.say(long) == ACK


def test_a_block_half_said_is_asked_for_again() -> None:
    line = Line()
    assert line.say(FIRST) == ACK
    assert line.say(block(2, bytes(128))[:50]) == b""
    assert line.wait(0.9) == b""
    assert line.wait(0.2) == NAK
    assert line.say(block(2, bytes(128))) == ACK


def test_before_the_first_block_nothing_but_c_is_said_for_a_block_half_said() -> None:
    line = Line()
    assert line.wait(0.1) == C
    assert line.say(FIRST[:50]) == b""
    assert line.wait(3.2) == C


def test_silence_between_blocks_is_answered_by_nak_ten_times_then_cancelled() -> None:
    line = Line()
    assert line.say(FIRST) == ACK
    assert line.wait(9.9) == b""
    assert line.wait(200) == NAK * MAX_RETRIES + CAN
    assert line.receiver.failed is Reason.TIMED_OUT


def test_the_end_is_refused_once_and_then_acknowledged() -> None:
    line = Line()
    assert line.answers(FIRST, EOT, EOT) == [ACK, NAK, ACK]
    assert line.receiver.done


def test_an_end_that_was_a_damaged_block_is_not_the_end() -> None:
    line = Line()
    assert line.answers(FIRST, EOT, block(2, bytes(128)), EOT) == [ACK, NAK, ACK, NAK]
    assert not line.receiver.done


def test_an_end_that_is_not_taken_is_cancelled() -> None:
    line = Line()
    line.kept.complaint = Reason.CHECKSUM
    assert line.answers(FIRST, EOT, EOT) == [ACK, NAK, CAN]
    assert line.receiver.failed is Reason.CHECKSUM
    assert not line.receiver.done


def test_two_cans_cancel_and_one_does_not() -> None:
    line = Line()
    assert line.answers(FIRST, b"\x18", block(2, bytes(128)), b"\x18x\x18") == [ACK, b"", ACK, b""]
    assert line.receiver.failed is None
    assert line.say(b"\x18") == b""
    assert line.receiver.failed is Reason.CANCELLED


def test_cans_inside_a_block_are_data() -> None:
    line = Line()
    assert line.say(block(1, b"\x18" * 128)) == ACK


def test_noise_between_blocks_is_dropped() -> None:
    line = Line()
    assert line.answers(b"hello\r\n\x00\xff", FIRST, b"\x06\x15C", block(2, bytes(128))) == [b"", ACK, b"", ACK]


def test_a_block_that_waits_for_its_ack_makes_the_unit_deaf() -> None:
    line = Line()
    line.kept.verdict = Verdict.LATER
    assert line.say(FIRST) == b""
    assert line.say(FIRST) == b""
    assert line.wait(30) == b""
    line.kept.verdict = Verdict.TAKEN
    assert line.receiver.acknowledge(line.now) == ACK
    assert line.say(block(2, bytes(128))) == ACK
    assert line.kept.data == DIGITS + bytes(128)


def test_a_block_that_is_refused_cancels() -> None:
    line = Line()
    line.kept.verdict = Reason.WRONG_MODEL
    assert line.say(FIRST) == CAN
    assert line.receiver.failed is Reason.WRONG_MODEL


# faults


def test_an_ordered_nak_refuses_a_good_block_that_often() -> None:
    line = Line()
    line.faults.order(Kind.NAK, Fault(count=2, at=2))
    second = block(2, bytes(128))
    assert line.answers(FIRST, second, second, second) == [ACK, NAK, NAK, ACK]
    assert line.kept.data == DIGITS + bytes(128)


def test_a_lost_ack_leads_to_a_nak_and_the_block_is_taken_once() -> None:
    line = Line()
    line.faults.order(Kind.LOST_ACK, Fault())
    assert line.say(FIRST) == b""
    assert line.wait(10.1) == NAK
    assert line.say(FIRST) == ACK
    assert line.kept.data == DIGITS


def test_an_ordered_cancel_comes_in_place_of_a_block() -> None:
    line = Line()
    line.faults.order(Kind.CANCEL, Fault(at=2))
    assert line.answers(FIRST, block(2, bytes(128))) == [ACK, CAN]
    assert line.receiver.failed is Reason.GAVE_UP
    assert line.kept.data == DIGITS


def test_ordered_noise_comes_before_the_answer_and_means_nothing() -> None:
    line = Line()
    line.faults.order(Kind.GARBAGE, Fault(count=2))
    assert line.wait(0.1) == NOISE + C
    assert line.answers(FIRST, block(2, bytes(128))) == [NOISE + ACK, ACK]
    assert not set(NOISE) & set(b"\x01\x02\x04\x06\x15\x18C")


def test_an_ordered_second_c_is_in_flight_with_the_first_block() -> None:
    line = Line()
    line.faults.order(Kind.SECOND_START, Fault())
    assert line.wait(0.1) == C + C
    assert line.wait(3) == C


# whatever comes

PIECES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([FIRST, FIRST[:-1], block(2, bytes(1024)), block(3, bytes(128)), EOT, EOT * 2, CAN, b"\x18"]),
)


@given(st.lists(st.tuples(PIECES, st.sampled_from([0.0, 0.05, 0.3, 1.5, 12.0])), max_size=40))
def test_any_bytes_end_in_answers_of_xmodem_and_bounded_memory(pieces: list[tuple[bytes, float]]) -> None:
    line = Line()
    for data, pause_s in pieces:
        said = line.say(data) + line.wait(pause_s)
        assert set(said) <= set(ACK + NAK + CAN + C)
        assert line.receiver.held_bytes < 1024 + 5
    assert len(line.kept.data) % 128 == 0


@given(st.binary(min_size=1, max_size=3000), st.sampled_from([128, 1024]), st.lists(st.integers(1, 200), max_size=30))
def test_however_it_is_cut_the_content_comes_whole(content: bytes, size: int, cuts: list[int]) -> None:
    line = Line()
    for each in blocks(content, size):
        at, answer = 0, b""
        for cut in cuts:
            answer += line.say(each[at : at + cut])
            at += cut
        assert answer + line.say(each[at:]) == ACK
    assert line.kept.data.startswith(content)
    assert line.kept.data[len(content) :].strip(b"\x1a") == b""
