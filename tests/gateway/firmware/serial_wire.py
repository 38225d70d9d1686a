"""A serial wire in memory with a clock of its own, and a whole XMODEM-CRC receiver at its far end.

The receiver takes blocks of 128 and 1024 bytes, asks with `C` every 3 s, asks again after 10 s of silence, waits until
a damaged block is over before it says NAK, acknowledges a block it has already, and says NAK to the first EOT.
"""

from __future__ import annotations

import binascii
import heapq
import itertools
from collections.abc import Callable, Iterator

SOH, STX, EOT, ACK, NAK, CAN = 0x01, 0x02, 0x04, 0x06, 0x15, 0x18
SIZES = {SOH: 128, STX: 1024}

Damage = Callable[[bytes], bytes]


class Wire:
    """`read` and `write` are the sender's end; time passes only while it waits.

    `log`: what it wrote ("w") and read ("r"), in order. `to_unit`: what becomes of each of its writes.
    """

    def __init__(self, *, byte_s: float = 10 / 9600, start: bytes = b"") -> None:
        self.now_s = 0.0
        self.log: list[tuple[str, bytes]] = []
        self.unit: Callable[[bytes], None] = lambda _: None
        self.to_unit: Damage = lambda data: data
        self._byte_s = byte_s
        self._inbox = bytearray(start)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._free_s = 0.0

    @property
    def written(self) -> list[bytes]:
        return [data for way, data in self.log if way == "w"]

    def clock(self) -> float:
        return self.now_s

    def after(self, delay_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now_s + delay_s, next(self._numbers), act))

    def say(self, data: bytes, after_s: float = 0.0) -> None:
        """The unit's end writes."""
        self.after(after_s + self._byte_s * len(data), lambda: self._inbox.extend(data))

    def write(self, data: bytes) -> None:
        self.log.append(("w", data))
        self._free_s = max(self._free_s, self.now_s) + self._byte_s * len(data)
        damaged = self.to_unit(data)
        self.after(self._free_s - self.now_s, lambda: self.unit(damaged))

    def read(self, n: int, timeout: float) -> bytes:
        until_s = self.now_s + timeout
        self._run(self.now_s)
        while not self._inbox and self._events and self._events[0][0] <= until_s:
            self._run(self._events[0][0])
        if not self._inbox:
            self.now_s = until_s
            return b""
        data = bytes(self._inbox[:n])
        del self._inbox[:n]
        self.log.append(("r", data))
        return data

    def pass_time(self, seconds: float) -> None:
        """The unit's end goes on for so long after the sender has gone."""
        until_s = self.now_s + seconds
        while self._events and self._events[0][0] <= until_s:
            self._run(self._events[0][0])
        self.now_s = until_s

    def _run(self, until_s: float) -> None:
        while self._events and self._events[0][0] <= until_s:
            at_s, _, act = heapq.heappop(self._events)
            self.now_s = max(self.now_s, at_s)
            act()


class Receiver:
    """`blocks`: what it took. `complete`: it saw the end. `busy_s`: by number of block, how long taking it lasts."""

    REQUEST_S, SILENCE_S, PURGE_S, TURN_S = 3.0, 10.0, 1.0, 0.025
    TRIES = 10

    def __init__(self, wire: Wire, *, answers: Iterator[Damage] | None = None, busy_s: dict[int, float]) -> None:
        self.blocks: list[bytes] = []
        self.complete = self.gone = False
        self._wire = wire
        self._answers = answers or itertools.repeat(lambda data: data)
        self._busy_s = busy_s
        self._heard = bytearray()
        self._is_busy = self._is_purging = self._had_eot = False
        self._timer = 0
        self._tries = 0
        wire.unit = self.hear
        self._ask()

    @property
    def image(self) -> bytes:
        return b"".join(self.blocks)

    def hear(self, data: bytes) -> None:
        if self.gone or not data:
            return
        self._heard += data
        if not self._is_busy:
            self._go_on()

    def _go_on(self) -> None:
        """Takes one step with what was heard; what comes next is a frame, or time."""
        if self._is_purging:
            self._heard.clear()
            self._await(self.PURGE_S, self._ask)
        elif not self._heard:
            self._await(self.SILENCE_S, self._ask)
        elif self._heard[0] in SIZES:
            size = 3 + SIZES[self._heard[0]] + 2
            if len(self._heard) < size:
                self._await(self.PURGE_S, self._ask)
                return
            frame = bytes(self._heard[:size])
            del self._heard[:size]
            self._take(frame)
        elif self._heard[0] == EOT:
            del self._heard[:1]
            self._end()
        elif self._heard == bytes([CAN]):
            self._await(self.PURGE_S, self._ask)
        elif self._heard[:2] == bytes([CAN, CAN]):
            self.gone = True
        else:
            self._purge()

    def _take(self, frame: bytes) -> None:
        number, data = frame[1], frame[3:-2]
        intact = frame[2] == 255 - number and binascii.crc_hqx(data, 0) == int.from_bytes(frame[-2:], "big")
        if not intact:
            self._purge()
        elif number == (len(self.blocks) + 1) % 256:
            self._had_eot = False
            self.blocks.append(data)
            self._work(self._busy_s.get(len(self.blocks), 0.0))
        elif self.blocks and number == len(self.blocks) % 256:
            self._work(0.0)
        else:
            self._leave()

    def _work(self, seconds: float) -> None:
        self._is_busy = True
        self._wire.after(seconds + self.TURN_S, self._taken)

    def _taken(self) -> None:
        self._is_busy = False
        self._tries = 0
        self._say(bytes([ACK]))
        self._go_on()

    def _end(self) -> None:
        if self._had_eot:
            self.complete = self.gone = True
            self._say(bytes([ACK]))
            return
        self._had_eot = True
        self._say(bytes([NAK]))
        self._go_on()

    def _purge(self) -> None:
        self._is_purging = True
        self._go_on()

    def _ask(self) -> None:
        self._is_purging = False
        self._heard.clear()
        self._tries += 1
        if self._tries > self.TRIES:
            self._leave()
            return
        self._say(bytes([NAK]) if self.blocks else b"C")
        self._await(self.SILENCE_S if self.blocks else self.REQUEST_S, self._ask)

    def _leave(self) -> None:
        self._say(bytes([CAN, CAN]))
        self.gone = True

    def _say(self, data: bytes) -> None:
        self._wire.say(next(self._answers)(data))

    def _await(self, seconds: float, then: Callable[[], None]) -> None:
        self._timer += 1
        mine = self._timer

        def act() -> None:
            if mine == self._timer and not self.gone and not self._is_busy:
                then()

        self._wire.after(seconds, act)
