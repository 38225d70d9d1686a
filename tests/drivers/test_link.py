"""The link against a line that damages the stream, in memory and without a second of waiting."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Transport
from drivers.errors import BadAnswer, LineError, NoAnswer, NotAllowed, PortLost, UnitException
from drivers.modbus.allowed import permit
from drivers.modbus.frames import Read, Write
from drivers.modbus.options import Options, read_options
from drivers.modbus.runtime.link import Link
from drivers.url import parse
from tests.drivers.memory import (
    START,
    Arrivals,
    MemoryClock,
    MemoryPort,
    MemoryUnit,
    crc16,
    silent,
    undamaged,
)

LIMIT_S = 6.0
"""No call may take longer, whatever the line does."""


def options(transport: Transport) -> Options:
    scheme = "modbus+rtu:///dev/null" if transport is Transport.SERIAL else "modbus+tcp://127.0.0.1"
    return read_options(parse(scheme), transport)


class Bench:
    """A link on a line in memory, opened."""

    def __init__(self, transport: Transport, unit: MemoryUnit | None = None) -> None:
        self.clock = MemoryClock()
        self.unit = unit or MemoryUnit()
        self.port = MemoryPort(self.clock, self.unit, rtu=transport is Transport.SERIAL)
        self.link = Link(self.port, options(transport), self.clock, permit)

    async def opened(self) -> Bench:
        await self.link.open()
        await self.link.verify()
        return self


def counting(unit: MemoryUnit) -> None:
    """Each answer tells which request it answers: its first word is the number of requests so far."""

    class Counting(dict[int, int]):
        def get(self, key: int, default: int = 0xFFFF) -> int:  # type: ignore[override]  # words only
            return len(unit.requests) if key in (0, 128, 516) else super().get(key, default)

    unit.image = Counting(unit.image)


RTU, TCP = Transport.SERIAL, Transport.TCP
BOTH = pytest.mark.parametrize("transport", [RTU, TCP], ids=["rtu", "tcp"])


@BOTH
async def test_a_read_brings_the_registers_of_the_unit(transport: Transport) -> None:
    bench = await Bench(transport).opened()
    assert await bench.link.transact(Read(0, 3)) == (0, 8194, 8)
    assert bench.link.counters.answers == 2


@BOTH
async def test_an_answer_split_at_every_byte_is_put_together(transport: Transport) -> None:
    bench = await Bench(transport).opened()
    bench.port.damage = lambda _, answer: [(0.01 + 0.001 * i, answer[i : i + 1]) for i in range(len(answer))]
    assert await bench.link.transact(Read(0, 27)) == tuple(bench.unit.image[at] for at in range(27))


@BOTH
async def test_silence_ends_in_no_answer_at_the_time_limit(transport: Transport) -> None:
    bench = await Bench(transport).opened()
    bench.port.damage = silent
    started = bench.clock.now
    with pytest.raises(NoAnswer):
        await bench.link.transact(Read(0, 3))
    assert 0.25 <= bench.clock.now - started <= 2.1
    assert bench.link.counters.timeouts == 1


@BOTH
async def test_an_exception_is_told_with_its_code(transport: Transport) -> None:
    bench = await Bench(transport).opened()
    bench.unit.refuse[3, 300] = 2
    with pytest.raises(UnitException) as caught:
        await bench.link.transact(Read(300, 1))
    assert (caught.value.function, caught.value.address, caught.value.code) == (3, 300, 2)


@BOTH
async def test_an_answer_of_another_length_is_never_taken(transport: Transport) -> None:
    bench = await Bench(transport).opened()
    other = bench.unit.answer(struct.pack(">BHH", 3, 0, 27))

    def shorter(request: bytes, answer: bytes) -> Arrivals:
        if transport is RTU:
            return [(0.02, b"\1" + other + crc16(b"\1" + other))]
        return [(0.02, answer[:4] + struct.pack(">H", len(other) + 1) + b"\1" + other)]

    bench.port.damage = shorter
    with pytest.raises(BadAnswer):
        await bench.link.transact(Read(128, 44))


async def test_each_rtu_request_keeps_35_ms_of_silence_and_no_idle_time() -> None:
    """A full poll takes at most 1/0.85 of its bytes at 9600 baud and the required silences."""
    bench = await Bench(RTU).opened()
    byte_s = 10 / 9600
    bench.port.damage = lambda request, answer: [((len(request) + len(answer)) * byte_s, answer)]
    await bench.link.transact(Read(0, 27))
    started, ended = bench.clock.now, bench.clock.now
    await bench.link.transact(Read(0, 27))
    assert bench.port.written_at[-1] - ended >= 0.035 - 1e-9
    await bench.link.transact(Read(128, 44))
    needed = (8 + 59 + 8 + 93) * byte_s + 2 * 0.035
    assert needed - 1e-9 <= bench.clock.now - started <= needed / 0.85


async def test_after_a_time_out_on_rtu_the_constants_must_read_right_first() -> None:
    bench = await Bench(RTU).opened()
    bench.port.damage = silent
    with pytest.raises(NoAnswer):
        await bench.link.transact(Read(0, 3))
    bench.port.damage = undamaged
    bench.unit.requests.clear()
    await bench.link.transact(Read(0, 3))
    assert [(address, words) for _, address, words in bench.unit.requests] == [(2050, (4,)), (0, (3,))]


async def test_wrong_constants_stop_every_reading() -> None:
    bench = await Bench(RTU).opened()
    bench.port.damage = silent
    with pytest.raises(NoAnswer):
        await bench.link.transact(Read(0, 3))
    bench.port.damage = undamaged
    bench.unit.image[2050] = 0x3231
    for _ in range(2):
        with pytest.raises(BadAnswer, match="2050"):
            await bench.link.transact(Read(0, 3))


async def test_a_late_reply_is_never_taken_for_the_next_answer() -> None:
    bench = await Bench(RTU).opened()
    counting(bench.unit)
    bench.port.damage = lambda _, answer: [(0.9, answer)]
    with pytest.raises(NoAnswer):
        await bench.link.transact(Read(0, 3))
    bench.port.damage = undamaged
    assert (await bench.link.transact(Read(0, 3)))[0] == len(bench.unit.requests)


async def test_a_late_tcp_reply_is_discarded_by_its_transaction() -> None:
    bench = await Bench(TCP).opened()
    counting(bench.unit)
    bench.port.damage = lambda _, answer: [(2.5, answer)]
    with pytest.raises(NoAnswer):
        await bench.link.transact(Read(0, 3))
    bench.port.damage = lambda _, answer: [(0.7, answer)]
    assert (await bench.link.transact(Read(0, 3)))[0] == len(bench.unit.requests)
    assert bench.link.counters.discarded == 1


async def test_half_a_late_tcp_reply_does_not_shift_the_stream() -> None:
    bench = await Bench(TCP).opened()
    bench.port.damage = lambda _, answer: [(1.9, answer[:5]), (2.1, answer[5:])]
    with pytest.raises(NoAnswer):
        await bench.link.transact(Read(0, 27))
    bench.port.damage = undamaged
    assert await bench.link.transact(Read(0, 3)) == (0, 8194, 8)


async def test_a_late_tcp_reply_and_the_right_one_in_one_piece_are_told_apart() -> None:
    bench = await Bench(TCP).opened()
    counting(bench.unit)
    kept: list[bytes] = []

    def keep(_: bytes, answer: bytes) -> Arrivals:
        kept.append(answer)
        return []

    bench.port.damage = keep
    with pytest.raises(NoAnswer):
        await bench.link.transact(Read(0, 3))
    bench.port.damage = lambda _, answer: [(0.7, kept[0] + answer)]
    assert (await bench.link.transact(Read(0, 3)))[0] == len(bench.unit.requests)


@pytest.mark.parametrize("damaged", [b"\x01\x03\x06\x00\x00\x20\x02\x00\x08\x00\x00", b"\x09"], ids=["crc", "foreign"])
async def test_after_an_odd_reply_on_rtu_the_constants_must_read_right_first(damaged: bytes) -> None:
    bench = await Bench(RTU).opened()
    bench.port.damage = lambda *_: [(0.02, damaged)]
    with pytest.raises(BadAnswer):
        await bench.link.transact(Read(0, 3))
    bench.port.damage = undamaged
    bench.clock.now += 10
    bench.unit.requests.clear()
    await bench.link.transact(Read(0, 3))
    assert [address for _, address, _ in bench.unit.requests] == [2050, 0]
    assert bench.link.counters.bad_crc + bench.link.counters.discarded == 1


async def test_bytes_that_are_not_modbus_tcp_lose_the_connection() -> None:
    bench = await Bench(TCP).opened()
    bench.port.damage = lambda *_: [(0.01, b"SSH-2.0-OpenSSH")]
    with pytest.raises(PortLost):
        await bench.link.transact(Read(0, 3))


async def test_a_line_that_never_falls_quiet_is_told_in_bounded_time() -> None:
    bench = await Bench(RTU).opened()
    bench.port.arrive([(0.05 * i, b"\x55") for i in range(400)])
    started = bench.clock.now
    with pytest.raises(BadAnswer, match="quiet"):
        await bench.link.transact(Read(0, 3))
    assert bench.clock.now - started < LIMIT_S


async def test_s1_a_write_leaves_once_even_when_nothing_answers() -> None:
    bench = await Bench(RTU).opened()
    bench.port.damage = silent
    with pytest.raises(NoAnswer):
        await bench.link.transact(Write(1541, (1,)))
    assert bench.unit.writes == [(1541, (1,))]
    assert bench.link.sent


async def test_s2_the_link_itself_sends_nothing_that_is_not_on_the_list() -> None:
    bench = await Bench(TCP).opened()
    with pytest.raises(NotAllowed):
        await bench.link.transact(Write(1540, (2,)))
    assert bench.unit.writes == []
    assert not bench.link.sent


async def test_s1_a_write_does_not_leave_on_a_line_in_doubt() -> None:
    bench = await Bench(RTU).opened()
    bench.port.arrive([(0.0, b"\x01\x03")])
    with pytest.raises(BadAnswer):
        await bench.link.transact(Write(1541, (1,)))
    assert bench.unit.writes == []
    assert not bench.link.sent


async def test_a_cancelled_request_leaves_no_answer_behind_for_the_next() -> None:
    bench = await Bench(RTU).opened()
    counting(bench.unit)

    def cancel(request: bytes, answer: bytes) -> Arrivals:
        bench.port.arrive([(0.02, answer)])
        raise asyncio.CancelledError

    bench.port.damage = cancel
    with pytest.raises(asyncio.CancelledError):
        await bench.link.transact(Read(0, 3))
    bench.port.damage = undamaged
    assert (await bench.link.transact(Read(0, 3)))[0] == len(bench.unit.requests)


# Any damage: the true answer or a declared error, in time.

FRACTION = st.floats(0, 1, allow_nan=False)


def _cut(answer: bytes, where: float) -> tuple[bytes, bytes]:
    at = int(where * len(answer))
    return answer[:at], answer[at:]


def _split(request: bytes, answer: bytes, where: float) -> Arrivals:
    first, rest = _cut(answer, where)
    return [(0.01, first), (0.03, rest)]


def _late(request: bytes, answer: bytes, where: float) -> Arrivals:
    """After the patience of its own request; up to what a recovery waits for."""
    return [(0.45 + where * 0.5, answer)] if len(request) == 8 else [(1.9 + 3 * where, answer)]


def _repeated(request: bytes, answer: bytes, where: float) -> Arrivals:
    return [(0.02, answer), (0.02 + where * 0.3, answer)]


def _truncated(request: bytes, answer: bytes, where: float) -> Arrivals:
    return [(0.02, _cut(answer, where)[0])]


def _flipped(request: bytes, answer: bytes, where: float) -> Arrivals:
    at = min(int(where * len(answer)), len(answer) - 1)
    return [(0.02, answer[:at] + bytes([answer[at] ^ 0x11]) + answer[at + 1 :])]


def _noise_before(request: bytes, answer: bytes, where: float) -> Arrivals:
    return [(0.01, bytes([int(where * 255)])), (0.02, answer)]


def _noise_after(request: bytes, answer: bytes, where: float) -> Arrivals:
    return [(0.02, answer), (0.02 + where * 0.1, b"\xfe")]


def _undamaged(request: bytes, answer: bytes, where: float) -> Arrivals:
    return [(0.02, answer)]


def _lost(request: bytes, answer: bytes, where: float) -> Arrivals:
    return []


def _foreign_unit(request: bytes, answer: bytes, where: float) -> Arrivals:
    if len(request) == 12:
        return [(0.01, answer[:6] + b"\x09" + answer[7:]), (0.02, answer)]
    return [(0.01, b"\x09" + answer[1:-2] + crc16(b"\x09" + answer[1:-2]))]


Fault = Callable[[bytes, bytes, float], Arrivals]
FAULTS: list[Fault] = [
    _undamaged,
    _split,
    _late,
    _repeated,
    _truncated,
    _flipped,
    _noise_before,
    _noise_after,
    _lost,
    _foreign_unit,
]
RTU_READS = [Read(0, 27), Read(128, 44), Read(0, 3), Read(516, 120), Read(0, 5)]


@BOTH
@given(script=st.lists(st.tuples(st.sampled_from(FAULTS), FRACTION), min_size=1, max_size=12))
def test_any_damage_ends_in_the_true_answer_or_a_declared_error_in_time(
    transport: Transport, script: list[tuple[Fault, float]]
) -> None:
    asyncio.run(_damaged(transport, script))


async def _damaged(transport: Transport, script: list[tuple[Fault, float]]) -> None:
    bench = await Bench(transport).opened()
    counting(bench.unit)
    faults = iter(script)
    turn = {"fault": _undamaged, "where": 0.0}

    def damage(request: bytes, answer: bytes) -> Arrivals:
        fault, where = next(faults, (_undamaged, 0.0))
        if transport is TCP and fault is _flipped:
            return []  # TCP has its own checksum: what it delivers is what was sent
        turn.update(fault=fault, where=where)
        return fault(request, answer, where)

    bench.port.damage = damage
    for number in range(len(script) + 3):
        request = RTU_READS[number % len(RTU_READS)]
        started = bench.clock.now
        try:
            words = await bench.link.transact(request)
        except (NoAnswer, BadAnswer):
            words = ()
        except LineError:
            assert transport is TCP
            await bench.link.open()
            words = ()
        assert bench.clock.now - started <= LIMIT_S
        if words:
            assert len(words) == request.count
            assert words[0] == len(bench.unit.requests), "the answer to another request became a reading"
    assert bench.clock.now > START
    bench.clock.now += 10
    words = await _at_last(bench, Read(0, 3))
    assert words[0] == len(bench.unit.requests), "a line that is whole again is not used"


async def _at_last(bench: Bench, request: Read) -> tuple[int, ...]:
    """The first tries meet what the damage left behind; after three the driver opens the line anew."""
    for _ in range(3):
        try:
            return await bench.link.transact(request)
        except PortLost:
            break
        except LineError:
            continue
    await bench.link.open()
    return await bench.link.transact(request)
