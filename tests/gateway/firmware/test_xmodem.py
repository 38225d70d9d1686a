"""The sender against a whole receiver, and against answers that are no receiver's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import pytest

from gateway.firmware.transfer import Limits, Reason, Sent, TransferFailed
from tests.gateway.firmware.sending import LIMITS, Block, frames, padded, transfer
from tests.gateway.firmware.serial_wire import Receiver, Wire

CANCEL = b"\x18\x18"
ENDS = b"\x04"


def image_of(size: int) -> bytes:
    return bytes((at * 7 + at // 251) % 256 for at in range(size))


class Scripted:
    """Says the next of `replies` to each write, then nothing more."""

    def __init__(self, wire: Wire, replies: Iterable[bytes]) -> None:
        self._wire = wire
        self._replies = iter(replies)
        wire.unit = self.hear
        wire.say(b"C", 0.5)

    def hear(self, _data: bytes) -> None:
        self._wire.say(next(self._replies, b""), 0.02)


def failure_of(wire: Wire, image: bytes, limits: Limits = LIMITS, stop: bool = False) -> TransferFailed:
    with pytest.raises(TransferFailed) as caught:
        transfer(wire, image, limits=limits, cancelled=lambda: stop)
    return caught.value


@pytest.mark.parametrize(("block", "size"), [(128, 1), (128, 128), (128, 128 * 300 + 5), (1024, 1024 * 300 - 1)])
def test_every_block_arrives_in_order_however_often_the_number_wraps(block: Block, size: int) -> None:
    wire = Wire()
    receiver = Receiver(wire, busy_s={})
    image = image_of(size)
    sent = transfer(wire, image, block)
    assert receiver.complete
    assert receiver.image == padded(image, block)
    assert sent == Sent(blocks=len(receiver.blocks), acknowledged=len(receiver.blocks))
    assert wire.written == [*frames(image, block), ENDS, ENDS]


def test_a_frame_is_what_the_protocol_says_to_the_byte() -> None:
    wire = Wire()
    Receiver(wire, busy_s={})
    transfer(wire, b"123456789")
    assert wire.written[0][:12] == b"\x01\x01\xfe123456789"
    assert wire.written[0][12:] == b"\x1a" * 119 + b"\xe4\x47"


@pytest.mark.parametrize(
    "banner",
    [b"American Power Conversion\r\nBoot Loader C 4.1\r\n", b"x" * 17, b"\x00\xff" * 1500, b"\x15Ready\r\n", b"CC"],
)
def test_a_banner_is_skipped_whatever_letters_it_has(banner: bytes) -> None:
    wire = Wire()
    receiver = Receiver(wire, busy_s={})
    wire.say(banner)
    transfer(wire, image_of(300))
    assert receiver.image == padded(image_of(300), 128)
    assert wire.written == [*frames(image_of(300), 128), ENDS, ENDS]


def test_a_banner_without_end_is_no_start_and_nothing_is_written() -> None:
    wire = Wire(start=b"x" * 5000)
    failure = failure_of(wire, image_of(10))
    assert failure.reason is Reason.NO_START
    assert "4096 bytes" in failure.detail
    assert wire.written == []


def test_the_letter_of_a_banner_is_no_request() -> None:
    wire = Wire()
    wire.say(b"American Power Conversion\r\n")
    assert failure_of(wire, image_of(10)).reason is Reason.NO_START
    assert wire.written == []


def test_a_unit_that_never_asks_is_no_start_and_nothing_is_written() -> None:
    wire = Wire()
    assert failure_of(wire, image_of(10)).reason is Reason.NO_START
    assert wire.now_s == pytest.approx(60.0)
    assert wire.written == []


def test_a_request_for_blocks_without_crc_is_refused_and_the_unit_told() -> None:
    wire = Wire()
    wire.say(b"\x15", 1.0)
    assert failure_of(wire, image_of(10)).reason is Reason.CHECKSUM_ONLY
    assert wire.written == [CANCEL]


def test_a_request_for_blocks_without_crc_is_met_where_that_is_allowed() -> None:
    wire = Wire()
    wire.say(b"\x15", 1.0)
    wire.unit = lambda _: wire.say(b"\x06", 0.02)
    transfer(wire, b"\x01\x02", limits=Limits(max_s=60.0, quiet_s=5.0, checksum=True))
    assert wire.written == [b"\x01\x01\xfe\x01\x02" + b"\x1a" * 126 + bytes([(3 + 126 * 0x1A) % 256]), ENDS]


def test_can_can_in_mid_transfer_ends_it_at_once() -> None:
    wire = Wire(byte_s=0.0)
    Scripted(wire, [b"\x06", b"\x18\x18"])
    failure = failure_of(wire, image_of(500))
    assert failure.reason is Reason.CANCELLED_BY_UNIT
    assert failure.sent == Sent(blocks=4, acknowledged=1)
    assert wire.now_s < 1.0
    assert wire.written == frames(image_of(500), 128)[:2]


def test_can_can_at_the_start_and_behind_an_acknowledgement_ends_it_too() -> None:
    wire = Wire()
    wire.say(b"\x18\x18")
    assert failure_of(wire, image_of(500)).reason is Reason.CANCELLED_BY_UNIT
    assert wire.written == []
    wire = Wire(byte_s=0.0)
    Scripted(wire, [b"\x06\x18\x18"])
    failure = failure_of(wire, image_of(500))
    assert failure.reason is Reason.CANCELLED_BY_UNIT
    assert failure.sent.acknowledged == 1
    assert len(wire.written) == 1


def test_one_can_alone_is_noise() -> None:
    wire = Wire()
    Scripted(wire, [b"\x18\x06", b"\x06"])
    assert transfer(wire, image_of(100)) == Sent(blocks=1, acknowledged=1)


def test_a_second_request_in_flight_does_not_send_block_1_again() -> None:
    wire = Wire()
    Scripted(wire, [b"C\x06", b"CC\x06", b"\x06"])
    sent = transfer(wire, image_of(200))
    assert sent.resent == 0
    assert wire.written == [*frames(image_of(200), 128), ENDS]


def test_what_came_before_a_block_was_written_does_not_acknowledge_it() -> None:
    wire = Wire(byte_s=0.0)
    Scripted(wire, [b"\x06\x06", b"\x15", b"\x06", b"\x06"])
    sent = transfer(wire, image_of(200))
    first, second = frames(image_of(200), 128)
    assert wire.written == [first, second, second, ENDS]
    assert sent == Sent(blocks=2, acknowledged=2, resent=1)


def test_the_second_acknowledgement_of_a_block_sent_twice_is_not_taken_for_the_next_blocks() -> None:
    """The receiver erases for 30 s, answers to every copy of block 1, and then misses block 2."""
    wire = Wire(byte_s=0.0)
    receiver = Receiver(wire, busy_s={1: 30.0})
    image = image_of(200)
    lost: list[bytes] = []

    def lose_block_2_once(data: bytes) -> bytes:
        if data[1:2] == b"\x02" and not lost:
            lost.append(data)
            return b""
        return data

    wire.to_unit = lose_block_2_once
    sent = transfer(wire, image)
    assert receiver.image == padded(image, 128)
    assert receiver.complete
    assert sent.resent == 3  # block 1 after 12 s and 24 s, block 2 once


def test_a_block_is_sent_again_ten_times_and_then_the_unit_told() -> None:
    wire = Wire()
    Scripted(wire, [b"\x06", *[b"\x15"] * 20])
    failure = failure_of(wire, image_of(300))
    first, second, _ = frames(image_of(300), 128)
    assert failure.reason is Reason.RETRIES
    assert failure.sent == Sent(blocks=3, acknowledged=1, resent=10)
    assert wire.written == [first, *[second] * 11, b"\x18", b"\x18"]


def test_blocks_sent_again_are_no_errors_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire()
    Scripted(wire, [b"\x15", b"\x15", b"\x06", b"\x06"])
    assert transfer(wire, image_of(100)).resent == 2
    assert caplog.records == []


def test_silence_counts_as_a_refusal_after_the_longest_wait() -> None:
    wire = Wire()
    Scripted(wire, [b"", b"\x06", b"\x06"])
    sent = transfer(wire, image_of(100))
    assert sent == Sent(blocks=1, acknowledged=1, resent=1)
    assert LIMITS.quiet_s < wire.now_s < LIMITS.quiet_s + 5.0


def test_babble_does_not_stretch_the_longest_wait() -> None:
    wire = Wire()
    Scripted(wire, [])
    for at in range(2000):
        wire.say(b"x", 1.0 + at / 100)
    failure = failure_of(wire, image_of(100), Limits(max_s=100.0, quiet_s=5.0, retries=0))
    assert failure.reason is Reason.RETRIES
    assert wire.now_s < 7.0


def test_the_whole_ends_in_time_however_slow_the_unit_is() -> None:
    wire = Wire()
    wire.unit = lambda _: wire.say(b"\x06", 9.0)
    wire.say(b"C")
    failure = failure_of(wire, image_of(128 * 50), Limits(max_s=100.0, quiet_s=10.0))
    assert failure.reason is Reason.TOO_SLOW
    assert failure.sent.acknowledged == 10
    assert 100.0 <= wire.now_s <= 100.0 + LIMITS.settle_s
    assert wire.written[-1] == CANCEL


def test_an_end_that_is_never_acknowledged_is_unconfirmed_and_nothing_more_is_written() -> None:
    wire = Wire()
    Scripted(wire, [b"\x06", b"\x15"])
    failure = failure_of(wire, image_of(100))
    assert failure.reason is Reason.UNCONFIRMED
    assert failure.sent == Sent(blocks=1, acknowledged=1)
    assert wire.written == [*frames(image_of(100), 128), ENDS, ENDS, ENDS]


def test_an_acknowledgement_that_comes_while_the_end_is_repeated_counts() -> None:
    wire = Wire()
    Scripted(wire, [b"\x06", b"\x15\x06"])
    assert transfer(wire, image_of(100)) == Sent(blocks=1, acknowledged=1)
    assert wire.written == [*frames(image_of(100), 128), ENDS, ENDS]


def test_can_can_after_the_end_leaves_every_block_acknowledged() -> None:
    wire = Wire()
    Scripted(wire, [b"\x06", b"\x18\x18"])
    failure = failure_of(wire, image_of(100))
    assert failure.reason is Reason.CANCELLED_BY_UNIT
    assert failure.sent.acknowledged == failure.sent.blocks == 1


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_a_stop_of_ours_is_told_to_the_unit_and_nothing_follows(blocks: int) -> None:
    wire = Wire()
    receiver = Receiver(wire, busy_s={})
    with pytest.raises(TransferFailed) as caught:
        transfer(wire, image_of(1000), cancelled=lambda: len(receiver.blocks) == blocks)
    wire.pass_time(30.0)
    assert caught.value.reason is Reason.CANCELLED_BY_US
    assert wire.written[-1] == CANCEL
    assert receiver.gone
    assert not receiver.complete


@pytest.mark.parametrize("acknowledged", [1, 4])
def test_a_stop_of_ours_between_two_writes_comes_before_the_next(acknowledged: int) -> None:
    wire = Wire()
    Receiver(wire, busy_s={})
    with pytest.raises(TransferFailed) as caught:
        transfer(wire, image_of(500), cancelled=lambda: wire.log.count(("r", b"\x06")) == acknowledged)
    assert wire.written == [*frames(image_of(500), 128)[:acknowledged], CANCEL]
    assert wire.log[-2] == ("r", b"\x06")
    assert caught.value.sent == Sent(blocks=4, acknowledged=acknowledged)
    assert wire.now_s < LIMITS.settle_s


def test_a_stop_of_ours_is_not_written_right_behind_a_block() -> None:
    wire = Wire()
    Scripted(wire, [b"\x06", b"x\x06"])
    with pytest.raises(TransferFailed):
        transfer(wire, image_of(1000), cancelled=lambda: len(wire.written) == 2)
    assert wire.log[-2:] == [("r", b"\x06"), ("w", CANCEL)]
    assert wire.now_s < LIMITS.settle_s


def test_a_stop_of_ours_waits_no_longer_than_a_block_takes_on_the_line() -> None:
    wire = Wire()
    Scripted(wire, [b"\x06", b""])
    with pytest.raises(TransferFailed):
        transfer(wire, image_of(1000), cancelled=lambda: len(wire.written) == 2)
    assert wire.written[-1] == CANCEL
    assert LIMITS.settle_s < wire.now_s < LIMITS.settle_s + 1.0


def test_a_stop_is_noticed_while_the_unit_is_silent() -> None:
    wire = Wire()
    Scripted(wire, [])
    with pytest.raises(TransferFailed) as caught:
        transfer(wire, image_of(100), cancelled=lambda: wire.now_s > 4.0)
    assert caught.value.reason is Reason.CANCELLED_BY_US
    assert wire.now_s < 4.6 + LIMITS.settle_s


def test_a_stop_after_the_end_was_written_is_not_obeyed() -> None:
    wire = Wire()
    receiver = Receiver(wire, busy_s={})
    sent = transfer(wire, image_of(100), cancelled=lambda: ENDS in wire.written)
    assert receiver.complete
    assert sent.acknowledged == 1


class Failing(Wire):
    """Its port is pulled out when the third block is written, or when its answer is read."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self._at = at

    def read(self, n: int, timeout: float) -> bytes:
        if self._at == "read" and len(self.written) == 3:
            raise OSError(5, "Input/output error")
        return super().read(n, timeout)

    def write(self, data: bytes) -> None:
        if self._at == "write" and len(self.written) == 2:
            raise OSError(5, "Input/output error")
        super().write(data)


@pytest.mark.parametrize("at", ["read", "write"])
def test_a_line_that_fails_is_named_and_left_alone(at: str) -> None:
    wire = Failing(at)
    Receiver(wire, busy_s={})
    failure = failure_of(wire, image_of(1000))
    assert failure.reason is Reason.LINE
    assert failure.sent.acknowledged == 2
    assert at in failure.detail
    assert CANCEL not in wire.written


def test_progress_is_told_for_each_block_once_the_next_one_is_on_its_way() -> None:
    wire = Wire()
    Receiver(wire, busy_s={})
    told: list[tuple[int, int]] = []
    transfer(wire, image_of(500), progress=lambda sent: told.append((sent.acknowledged, len(wire.written))))
    assert told == [(1, 2), (2, 3), (3, 4), (4, 5)]


@pytest.mark.parametrize(("block", "frame_bytes"), [(128, 133), (1024, 1029)])
def test_nothing_waits_between_an_acknowledgement_and_the_next_block(block: Block, frame_bytes: int) -> None:
    """At 9600 baud a block takes its bytes, 25 ms at the unit and the ACK; we add under 1 %."""
    wire = Wire()
    Receiver(wire, busy_s={})
    image = image_of(64 * 1024)
    transfer(wire, image, block)
    blocks = len(image) // block
    needed_s = blocks * ((frame_bytes + 1) * 10 / 9600 + Receiver.TURN_S)
    assert needed_s <= wire.now_s <= needed_s * 1.01


def test_an_empty_image_is_refused() -> None:
    wire = Wire()
    with pytest.raises(ValueError, match="empty"):
        transfer(wire, b"")
    assert wire.written == []


def test_the_gateway_pays_for_the_package_only_when_it_sends() -> None:
    program = "import sys, gateway.runtime.firmware.xmodem; sys.exit('xmodem' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
