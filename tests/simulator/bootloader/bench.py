"""A unit with its boot loader on a bench, and a sender whose time goes on when the test says so."""

from __future__ import annotations

from binascii import crc_hqx

from simulator.bootloader.image import image, sample_body
from simulator.bootloader.loader import Loader, Phase
from simulator.orders import Task
from simulator.unit import Unit
from tests.simulator.bench import tell, unit_of, wait

ACK, NAK, CAN, C, EOT = b"\x06", b"\x15", b"\x18\x18", b"C", b"\x04"
STEP_S = 0.02
LINE = "modbus-rtu"
SMT = "SMT1500RM2UC"
"""Hardware 1015, version 04.1."""
ENTER_ON, ENTER_OFF = b"!RIDETHROUGH-BOOT 1015 on 04.1", b"!RIDETHROUGH-BOOT 1015 off 04.1"


def block(number: int, data: bytes) -> bytes:
    """Number, complement, data, CRC; 128 bytes of data or 1024."""
    head = b"\x02" if len(data) == 1024 else b"\x01"
    return head + bytes([number % 256, 255 - number % 256]) + data + crc_hqx(data, 0).to_bytes(2, "big")


def blocks(content: bytes, size: int = 1024) -> list[bytes]:
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return [block(number, piece.ljust(size, b"\x1a")) for number, piece in enumerate(pieces, 1)]


def image_of(
    hardware_id: str = "1015", version: str = "04.2", *, least_version: str = "0", length: int = 5000
) -> bytes:
    return image(hardware_id, version, sample_body(hardware_id, version, length), least_version=least_version)


class Bench:
    """The unit, and the host's end of its serial line."""

    def __init__(self, model: str = SMT, *, output: bool = True) -> None:
        self.unit: Unit = unit_of(model)
        self.loader = Loader(self.unit)
        self.now = 1000.0
        if not output:
            groups = tuple(self.unit.outlets.groups)
            tell(self.unit, Task.OUTLET_OFF, *groups)
            wait(self.unit, 5)
            assert not self.unit.outlets.any_on

    def enter(self, command: bytes = ENTER_ON) -> bytes:
        return self.loader.enter(LINE, command, self.now)

    def say(self, data: bytes, line: str = LINE) -> bytes:
        """What is answered to this, at once."""
        return self.loader.receive(line, data, self.now)

    def wait(self, seconds: float, step_s: float = STEP_S) -> bytes:
        """What is said in that time."""
        said, end = b"", self.now + seconds
        while self.now < end:
            self.now += step_s
            self.unit.advance(self.unit.now_s + step_s)
            said += self.loader.tick(self.now)
        return said

    def start(self, content: bytes, size: int = 1024) -> list[bytes]:
        """Enter and send the first block; the others."""
        assert self.enter() == b"BOOT 9600\r\n"
        assert self.wait(0.4) == C
        first, *rest = blocks(content, size)
        assert self.say(first) == b""
        assert self.wait(self.loader.settings.erase_ms / 1000 + 0.1) == ACK
        return rest

    def send(self, content: bytes, size: int = 1024) -> None:
        """A whole upload without a fault, from the next C on."""
        first, *rest = blocks(content, size)
        assert self.say(first) == b""
        assert self.wait(1.1) == ACK
        self.go_on(rest)

    def go_on(self, rest: list[bytes]) -> None:
        for each in rest:
            assert self.say(each) == ACK
        assert self.say(EOT) == NAK
        assert self.say(EOT) == ACK

    def is_in(self, *phases: Phase) -> bool:
        return self.loader.phase in phases

    @property
    def phase(self) -> Phase:
        return self.loader.phase

    @property
    def firmware(self) -> str | None:
        return self.unit.identity().firmware
