"""One link that owns the port: a request goes out, its answer or a declared error comes back, within a time
limit.

Pacing and trust: apc-modbus.md 3.1 and 9.1; libraries.md, "pymodbus". Calls must not overlap; the driver sees
to that.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.driver import LineCounters, Transport
from drivers.errors import BadAnswer, NoAnswer, PortLost, UnitException
from drivers.modbus.frames import (
    Odd,
    Read,
    Refusal,
    Reply,
    Request,
    Verdict,
    Write,
    read_rtu,
    read_tcp,
    rtu_frame,
    rtu_reply_bytes,
    tcp_frame,
)
from drivers.modbus.options import Options
from drivers.runtime.port import Clock, Port
from drivers.smartups.registers import TEST_STRING, VERIFICATION_WORDS

QUIET_S = 0.1
"""A serial line that is silent for so long after a fault is believed to have nothing more to say."""
DRAIN_S = 1.5
"""Longest time given to a line to fall quiet."""
MENU_HINT = (
    "Modbus is off in the unit's menu (the port then speaks Microlink), or cable, speed or unit id are "
    "wrong. On the unit: Configuration, Modbus, Ser+USB: Enable"
)
TCP_HINT = "the connection is open but no Modbus comes; check unit id, and that no other master is being served"

VERIFY = Read(TEST_STRING.address, TEST_STRING.count)
"""No polled block has this length, so a late or shifted answer does not pass for the proof, nor the proof for it."""


class Link:
    """`permit` is asked for each write at the last moment before its bytes are made (S2)."""

    def __init__(self, port: Port, options: Options, clock: Clock, permit: Callable[[Write], None]) -> None:
        self.counters = LineCounters()
        self.is_open = False
        self.sent = False
        self._port = port
        self._options = options
        self._clock = clock
        self._permit = permit
        self._rtu = options.transport is Transport.SERIAL
        self._byte_s = 10 / options.baud if self._rtu else 0.0
        self._transaction = 0
        self._stream = b""
        self._quiet_since = float("-inf")
        self._doubtful = False
        self._clean_at = float("-inf")

    @property
    def name(self) -> str:
        return self._port.name

    @property
    def hint(self) -> str:
        return MENU_HINT if self._rtu else TCP_HINT

    async def open(self) -> None:
        if not self._options.one_request_per_connection:
            await self._open_port()
        self.is_open = True
        self._doubtful = self._rtu

    async def _open_port(self) -> None:
        await self._port.open()
        self._stream = b""

    async def close(self) -> None:
        self.is_open = False
        await self._port.close()

    async def transact(self, request: Request) -> tuple[int, ...]:
        """The registers of the answer. Sent once, whatever happens (S1); `sent` tells afterwards if it left
        us at all.

        A write is not sent on a serial line in doubt. Raises PortLost, NoAnswer, BadAnswer, UnitException;
        NotAllowed for a write that is not on the list.
        """
        self.sent = False
        if isinstance(request, Write):
            self._permit(request)
        if not self._rtu:
            return await self._tcp_exchange(request)
        await self._silence()
        if await self._port.drain():
            self.counters.discarded += 1
            self._doubtful = True
        if self._doubtful and isinstance(request, Write):
            raise BadAnswer(self.name, "the line is not clean; nothing was written")
        if self._doubtful:
            await self._recover()
        return await self._rtu_exchange(request)

    async def verify(self) -> None:
        """Prove word and byte order by the constants at 2050. Raises BadAnswer if they are others."""
        if self._rtu and self._doubtful:
            await self._recover()
            return
        exchange = self._rtu_exchange if self._rtu else self._tcp_exchange
        self._check_constants(await exchange(VERIFY))

    def _check_constants(self, words: tuple[int, ...]) -> None:
        if words != VERIFICATION_WORDS[VERIFY.address]:
            self._doubtful = self._rtu
            raise BadAnswer(
                self._port.name,
                "the constants at 2050 are not those of a Smart-UPS; is it one, with the 990-9840 map?",
            )

    async def _recover(self) -> None:
        """Drain until quiet, then the constants must read right before anything counts again.

        The answer to a request that failed is waited for twice as long as the request had patience, so that
        it does not pass for the answer to the same question asked again.
        """
        limit = max(self._clock.monotonic(), self._clean_at) + DRAIN_S
        while (quiet_at := max(self._clock.monotonic() + QUIET_S, self._clean_at)) <= limit:
            if not await self._port.read(quiet_at):
                break
            self._quiet_since = self._clock.monotonic()
        else:
            raise BadAnswer(self._port.name, "the line never falls quiet: something else talks on it")
        self._check_constants(await self._rtu_exchange(VERIFY))

    async def _silence(self) -> None:
        await self._clock.wait_until(self._quiet_since + self._options.gap_s)

    async def _rtu_exchange(self, request: Request) -> tuple[int, ...]:
        frame = rtu_frame(request, self._options.unit)
        await self._silence()
        if await self._port.drain():
            self._doubtful = True
            self.counters.discarded += 1
            self._quiet_since = self._clock.monotonic()
            raise BadAnswer(self._port.name, "bytes that nobody asked for")
        self._doubtful = True
        started = self._clock.monotonic()
        sent = started + len(frame) * self._byte_s
        deadline = sent + rtu_reply_bytes(request) * self._byte_s + self._options.timeout_s
        self._clean_at = 2 * deadline - sent
        await self._send(frame, sent)
        data = b""
        while (verdict := read_rtu(data, request, self._options.unit)) is None:
            data += await self._receive(deadline, started, bool(data))
            self._quiet_since = self._clock.monotonic()
        self._doubtful = isinstance(verdict, Odd)
        return self._accept(verdict, request, started)

    async def _tcp_exchange(self, request: Request) -> tuple[int, ...]:
        self._transaction = self._transaction % 0xFFFF + 1
        frame = tcp_frame(request, self._options.unit, self._transaction)
        await self._silence()
        if not self._options.one_request_per_connection:
            return await self._tcp_send(frame, request)
        try:
            await self._open_port()
            return await self._tcp_send(frame, request)
        finally:
            await self._port.close()
            self._quiet_since = self._clock.monotonic()

    async def _tcp_send(self, frame: bytes, request: Request) -> tuple[int, ...]:
        """Late answers are whole frames in the stream, so what is left of it is kept from request to
        request.
        """
        started = self._clock.monotonic()
        deadline = started + self._options.timeout_s
        await self._send(frame, started)
        while True:
            found = read_tcp(self._stream, request, self._options.unit, self._transaction)
            if found is None:
                self._stream += await self._receive(deadline, started, bool(self._stream))
                continue
            if found.used == 0:
                self.counters.discarded += 1
                raise PortLost(self._port.name, "what comes is not Modbus TCP")
            self._stream = self._stream[found.used :]
            if found.verdict is not None:
                return self._accept(found.verdict, request, started)
            self.counters.discarded += 1

    async def _send(self, frame: bytes, quiet_since: float) -> None:
        self.counters.requests += 1
        self.sent = True
        self._quiet_since = max(self._quiet_since, quiet_since)
        await self._port.write(frame)

    async def _receive(self, deadline: float, started: float, begun: bool) -> bytes:
        data = await self._port.read(deadline)
        if not data:
            self.counters.timeouts += 1
            hint = "the answer broke off" if begun else self.hint if not self.counters.answers else ""
            raise NoAnswer(self._port.name, self._clock.monotonic() - started, hint)
        return data

    def _accept(self, verdict: Verdict, request: Request, started: float) -> tuple[int, ...]:
        if isinstance(verdict, Odd):
            if verdict.bad_crc:
                self.counters.bad_crc += 1
            else:
                self.counters.discarded += 1
            raise BadAnswer(self._port.name, verdict.why)
        self.counters.answers += 1
        self.counters.last_answer_at = self._clock.utc()
        self.counters.last_answer_ms = 1000 * (self._clock.monotonic() - started)
        if isinstance(verdict, Refusal):
            self.counters.exceptions += 1
            raise UnitException(request.function, request.address, verdict.code)
        assert isinstance(verdict, Reply)
        return verdict.words
