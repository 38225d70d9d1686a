"""A UPS in memory: a whole clock, a whole port and a whole unit, for tests of the link and the driver.

Frames are made and read here by hand from the Modbus specifications, with nothing of what is under test.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from drivers.errors import DriverError, PortLost

START = 1000.0
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

SMTL_STATUS = "0 8194 8 0 1 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0"
SMTL_DYNAMIC = (
    "0 376 51200 855 65535 10893 65535 2846 20236 65535 19704 65535 304 65535 7450 65535 7680 128 0 0 "
    "65535 65535 1 7450 65535 65535 12571"
)
SMTL_SETTINGS = "127 106 1 0 0 0 8 0 90 0 0 8 0"
SERIAL = "TS1234567890"


def crc16(data: bytes) -> bytes:
    """Polynomial 0xA001, start 0xFFFF, low byte first."""
    crc = 0xFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


def chars(text: str, registers: int, pad: str = " ") -> list[int]:
    octets = text.ljust(2 * registers, pad).encode("ascii")
    return list(struct.unpack(f">{registers}H", octets))


def smtl_image() -> dict[int, int]:
    """The SMTL1500RM3UC of apc-modbus.md 13.4 with the gaps of its dump and a serial number of ours."""
    image: dict[int, int] = {}

    def put(address: int, words: list[int]) -> None:
        image.update(enumerate(words, address))

    put(0, [int(w) for w in SMTL_STATUS.split()])
    put(128, [int(w) for w in SMTL_DYNAMIC.split()] + [65535] * 20)
    put(512, [1026] + [65535] * 3)
    put(516, chars("UPS 15.5", 8, "\0") + [65535] * 8)
    put(532, chars("Smart-UPS 1500", 16))
    put(548, chars("SMTL1500RM3UC   ", 16, "\0"))
    put(564, chars(SERIAL, 8))
    put(572, chars("APCRBC164-LI", 8) + [0] * 8)
    put(588, [1440, 1350, 3, 6784, 2, 0, 0, 6864])
    put(596, chars("APC UPS", 8) + chars("Unswitched Group", 8) + chars("Outlet Group 1", 8) + [0] * 16)
    put(1024, [16, 65535])
    put(1026, [int(w) for w in SMTL_SETTINGS.split()] + [65535] * 35)
    put(1536, [0] * 8)
    put(2048, [0x3030, 0x2E35, 0x3132, 0x3334, 0x3536, 0x3738])
    return image


class MemoryClock:
    """Time passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = START

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return EPOCH + timedelta(seconds=self.now - START)

    async def wait_until(self, instant: float) -> None:
        self.now = max(self.now, instant)


class MemoryUnit:
    """Registers behind function codes 3, 6 and 16.

    `requests` is what arrived, in order: function, address, words (of a read its count). `refuse` holds
    exception codes by function and address; no read may touch a register that it `lacks`. `effects`: what registers
    read once an address was written. `stubborn` registers keep their value.
    """

    def __init__(self, image: dict[int, int] | None = None) -> None:
        self.image = smtl_image() if image is None else image
        self.requests: list[tuple[int, int, tuple[int, ...]]] = []
        self.refuse: dict[tuple[int, int], int] = {}
        self.refuse_longer_than = 125
        self.lacks: set[int] = set()
        self.effects: dict[int, dict[int, int]] = {}
        self.stubborn: set[int] = set()

    @property
    def writes(self) -> list[tuple[int, tuple[int, ...]]]:
        return [(address, words) for function, address, words in self.requests if function != 3]

    def answer(self, pdu: bytes) -> bytes:
        function, address = struct.unpack(">BH", pdu[:3])
        if function == 3:
            (count,) = struct.unpack(">H", pdu[3:5])
            self.requests.append((3, address, (count,)))
            if count > self.refuse_longer_than or not self.lacks.isdisjoint(range(address, address + count)):
                return bytes([0x83, 2])
            data = [self.image.get(at, 0xFFFF) for at in range(address, address + count)]
            body = struct.pack(f">BB{count}H", 3, 2 * count, *data)
        else:
            at, many = (3, 1) if function == 6 else (6, pdu[5] // 2)
            words = struct.unpack_from(f">{many}H", pdu, at)
            self.requests.append((function, address, words))
            if (function, address) not in self.refuse:
                self.take(address, words)
            body = pdu[:5]
            if function == 6:
                body = struct.pack(">BHH", 6, address, self.image.get(address, 0xFFFF))
        if code := self.refuse.get((function, address)):
            return bytes([function | 0x80, code])
        return body

    def take(self, address: int, words: tuple[int, ...]) -> None:
        """Command registers read 0 again at once."""
        if address < 1536 and address not in self.stubborn:
            self.image.update(enumerate(words, address))
        self.image.update(self.effects.get(address, {}))


def is_tcp(frame: bytes) -> bool:
    return frame[2:4] == b"\0\0" and int.from_bytes(frame[4:6], "big") == len(frame) - 6


def is_write(frame: bytes) -> bool:
    return frame[7 if is_tcp(frame) else 1] in (6, 16)


Arrivals = list[tuple[float, bytes]]
Damage = Callable[[bytes, bytes], Arrivals]
"""Request frame and true answer frame to what arrives: seconds after the request, bytes."""


def undamaged(request: bytes, answer: bytes) -> Arrivals:
    return [(0.02, answer)]


def silent(request: bytes, answer: bytes) -> Arrivals:
    return []


def swallow_writes(request: bytes, answer: bytes) -> Arrivals:
    return [] if is_write(request) else undamaged(request, answer)


class ArrivingLine:
    """What every port in memory shares: bytes that arrive at their time, and a line that can be hung up."""

    name = "memory"

    def __init__(self, clock: MemoryClock) -> None:
        self.is_open = False
        self._clock = clock
        self._arrivals: Arrivals = []

    def arrive(self, arrivals: Arrivals) -> None:
        """Bytes after so many seconds from now; none overtakes what was on its way before."""
        for delay, data in arrivals:
            before = self._arrivals[-1][0] if self._arrivals else 0.0
            if data:
                self._arrivals.append((max(before, self._clock.now + delay), data))

    def hang_up(self) -> None:
        self.is_open = False

    def _check(self) -> None:
        if not self.is_open:
            raise PortLost(self.name, "the line was hung up")

    async def close(self) -> None:
        self.is_open = False

    async def read(self, deadline: float) -> bytes:
        self._check()
        if self._arrivals and self._arrivals[0][0] <= deadline:
            at, data = self._arrivals.pop(0)
            self._clock.now = max(self._clock.now, at)
            return data
        self._clock.now = max(self._clock.now, deadline)
        return b""

    async def drain(self) -> int:
        self._check()
        here = [data for at, data in self._arrivals if at <= self._clock.now]
        self._arrivals = self._arrivals[len(here) :]
        return sum(map(len, here))


class MemoryPort(ArrivingLine):
    """The port interface, in memory. `damage` is what the line does to each answer."""

    def __init__(self, clock: MemoryClock, unit: MemoryUnit, *, rtu: bool) -> None:
        super().__init__(clock)
        self.unit = unit
        self.damage: Damage = undamaged
        self.fail_to_open: DriverError | None = None
        self.opened_at: list[float] = []
        self.written_at: list[float] = []
        self._rtu = rtu

    async def open(self) -> None:
        self.opened_at.append(self._clock.now)
        if self.fail_to_open is not None:
            raise self.fail_to_open
        self.is_open = True
        self._arrivals = []

    async def write(self, data: bytes) -> None:
        self._check()
        self.written_at.append(self._clock.now)
        self.arrive(self.damage(data, self._answer(data)))

    def _answer(self, frame: bytes) -> bytes:
        if self._rtu:
            assert crc16(frame[:-2]) == frame[-2:]
            body = frame[:1] + self.unit.answer(frame[1:-2])
            return body + crc16(body)
        assert frame[2:4] == b"\0\0"
        assert len(frame) == 6 + int.from_bytes(frame[4:6], "big")
        pdu = self.unit.answer(frame[7:])
        return frame[:4] + struct.pack(">H", len(pdu) + 1) + frame[6:7] + pdu
