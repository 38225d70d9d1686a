"""Commands on a unit in memory: sent once, only to the right unit, judged by what the unit then says."""

from __future__ import annotations

import struct
from datetime import date

import pytest

from drivers.errors import IdentityChanged, LineError, PortLost
from drivers.ups import Command, Outcome, Verb
from tests.drivers.bench import RTU, TCP, DriverBench
from tests.drivers.memory import SERIAL, Arrivals, chars, is_write, swallow_writes, undamaged

BOTH = pytest.mark.parametrize("url", [RTU, TCP], ids=["rtu", "tcp"])


def command(verb: Verb, **fields: object) -> Command:
    return Command(verb=verb, serial=SERIAL, **fields)  # type: ignore[arg-type]  # each test names real fields


def starts_test(bench: DriverBench) -> None:
    """The unit obeys 1541 = 1 as apc-modbus.md 8.5 shows."""
    bench.unit.effects[1541] = {1: 0x0084, 23: 0x0042}


@BOTH
async def test_a_self_test_is_done_when_the_status_shows_it(url: str) -> None:
    bench = DriverBench(url)
    await bench.driver.connect()
    starts_test(bench)
    report = await bench.driver.execute(command(Verb.SELF_TEST))
    assert report.outcome is Outcome.DONE
    assert bench.unit.writes == [(1541, (1,))]


@BOTH
async def test_s1_a_swallowed_reply_never_makes_a_second_write(url: str) -> None:
    bench = DriverBench(url)
    await bench.driver.connect()
    starts_test(bench)
    bench.port.damage = swallow_writes
    report = await bench.driver.execute(command(Verb.SELF_TEST))
    assert report.outcome is Outcome.DONE
    assert bench.unit.writes == [(1541, (1,))]


@BOTH
async def test_s1_no_answer_and_no_effect_is_unknown_after_a_second(url: str) -> None:
    bench = DriverBench(url)
    await bench.driver.connect()
    bench.port.damage = swallow_writes
    report = await bench.driver.execute(command(Verb.SELF_TEST))
    assert report.outcome is Outcome.UNKNOWN
    assert bench.unit.writes == [(1541, (1,))]
    functions = [function for function, _, _ in bench.unit.requests]
    write_at = bench.port.written_at[functions.index(6)]
    assert bench.port.written_at[functions.index(6) + 1] - write_at >= 1.0


async def test_s1_a_line_that_dies_with_the_write_is_unknown_not_an_error() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()

    def die(request: bytes, answer: bytes) -> Arrivals:
        if is_write(request):
            bench.port.hang_up()
        return undamaged(request, answer)

    bench.port.damage = die
    report = await bench.driver.execute(command(Verb.SELF_TEST))
    assert report.outcome is Outcome.UNKNOWN
    assert bench.unit.writes == [(1541, (1,))]


async def test_s1_a_line_that_dies_before_the_write_is_an_error_and_nothing_was_written() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()

    def die(request: bytes, answer: bytes) -> Arrivals:
        if struct.unpack_from(">H", request, 8) == (564,):
            bench.port.hang_up()
        return undamaged(request, answer)

    bench.port.damage = die
    with pytest.raises(PortLost):
        await bench.driver.execute(command(Verb.SELF_TEST))
    assert bench.unit.writes == []


async def test_s1_writes_are_half_a_second_apart() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.port.damage = lambda _, answer: [(0.001, answer)]
    for name in ("one", "two", "three"):
        await bench.driver.execute(command(Verb.SET_NAME, value=name))
    times = [
        at for at, (function, _, _) in zip(bench.port.written_at, bench.unit.requests, strict=True) if function == 16
    ]
    assert len(times) == 3
    assert all(later - earlier >= 0.5 for earlier, later in zip(times, times[1:], strict=False))


async def test_s1_a_setting_is_read_back_after_100_ms_or_more() -> None:
    bench = DriverBench(RTU)
    await bench.driver.connect()
    report = await bench.driver.execute(command(Verb.SET_NAME, value="rack 1"))
    assert report.outcome is Outcome.DONE
    assert bench.unit.writes == [(596, tuple(chars("rack 1", 8)))]
    assert bench.unit.requests[-1] == (3, 596, (8,))
    assert bench.port.written_at[-1] - bench.port.written_at[-2] >= 0.1


async def test_a_setting_that_reads_back_as_before_is_not_taken() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.stubborn.add(1026)
    report = await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=130))
    assert report.outcome is Outcome.NOT_TAKEN


async def test_a_setting_whose_answer_was_lost_is_done_if_it_reads_back() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.port.damage = swallow_writes
    report = await bench.driver.execute(command(Verb.SET_BATTERY_DATE, value=date(2026, 11, 24)))
    assert report.outcome is Outcome.DONE
    assert bench.unit.writes == [(595, (9824,))]


async def test_a_command_that_the_unit_ignores_is_not_taken() -> None:
    """NUT#2338: an SMT750IC answers and ignores shutdown commands over TCP."""
    bench = DriverBench(TCP)
    await bench.driver.connect()
    report = await bench.driver.execute(command(Verb.SHUTDOWN))
    assert report.outcome is Outcome.NOT_TAKEN
    assert bench.unit.writes == [(1540, (1,))]


@pytest.mark.parametrize("code", [1, 2, 4])
async def test_s2_a_refused_verb_is_unsupported_and_never_tried_in_another_form(code: int) -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.refuse[16, 1538] = code
    for _ in range(3):
        report = await bench.driver.execute(command(Verb.OUTLET_OFF, groups=(1,)))
        assert report.outcome is Outcome.UNSUPPORTED
    assert len(bench.unit.writes) == 1
    assert bench.unit.writes[0][0] == 1538


async def test_s2_what_one_firmware_refused_is_tried_again_on_another() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.refuse[6, 1541] = 2
    await bench.driver.execute(command(Verb.SELF_TEST))
    bench.unit.image.update(enumerate(chars("UPS 16.0", 8), 516))
    await bench.driver.identify()
    await bench.driver.execute(command(Verb.SELF_TEST))
    assert len(bench.unit.writes) == 2


async def test_a_refusal_by_a_busy_group_is_not_held_against_the_verb() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.image[159] = 60
    bench.unit.refuse[16, 1538] = 4
    report = await bench.driver.execute(command(Verb.OUTLET_ON, groups=(1,)))
    assert report.outcome is Outcome.REFUSED
    assert "busy" in report.detail
    bench.unit.image[159] = 0xFFFF
    bench.unit.refuse.clear()
    assert (await bench.driver.execute(command(Verb.OUTLET_ON, groups=(1,)))).outcome is Outcome.DONE


async def test_a_value_out_of_the_units_range_is_refused_and_tried_again_next_time() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.refuse[6, 1026] = 4
    for _ in range(2):
        report = await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=299))
        assert report.outcome is Outcome.REFUSED
    assert len(bench.unit.writes) == 2


async def test_s3_the_serial_is_read_right_before_the_write() -> None:
    bench = DriverBench(RTU)
    await bench.driver.connect()
    await bench.driver.execute(command(Verb.BEEP))
    order = [(function, address) for function, address, _ in bench.unit.requests]
    at = order.index((6, 1543))
    assert order[at - 1] == (3, 564)
    assert bench.port.written_at[at] - bench.port.written_at[at - 1] <= 2.0


async def test_s3_a_command_for_another_serial_is_refused_unsent() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    report = await bench.driver.execute(Command(verb=Verb.BEEP, serial="NOT-THIS-ONE"))
    assert report.outcome is Outcome.REFUSED
    assert bench.unit.writes == []


async def test_s3_a_unit_that_was_exchanged_gets_no_command() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.image.update(enumerate(chars("ANOTHER", 8), 564))
    with pytest.raises(IdentityChanged):
        await bench.driver.execute(command(Verb.BEEP))
    assert bench.unit.writes == []


async def test_s3_no_command_where_the_serial_cannot_be_proven_in_time() -> None:
    bench = DriverBench(TCP + "?one_request_per_connection=true")
    await bench.driver.connect()
    report = await bench.driver.execute(command(Verb.BEEP))
    assert report.outcome is Outcome.REFUSED
    assert bench.unit.writes == []


async def test_s2_bypass_is_refused_unless_local_policy_names_it() -> None:
    for allowed in (frozenset[Verb](), frozenset({Verb.BYPASS_ON})):
        bench = DriverBench(TCP, also_allowed=allowed)
        await bench.driver.connect()
        bench.unit.effects[1536] = {1: 0x0408}
        report = await bench.driver.execute(command(Verb.BYPASS_ON))
        assert (report.outcome is Outcome.DONE) == bool(allowed)
        assert bench.unit.writes == ([(1536, (0, 0x10))] if allowed else [])


async def test_a_refused_self_test_says_why() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.effects[1541] = {23: 0x0210}
    report = await bench.driver.execute(command(Verb.SELF_TEST))
    assert (report.outcome, "invalid_state" in report.detail) == (Outcome.REFUSED, True)


async def test_noise_before_a_command_stops_it_before_the_write() -> None:
    bench = DriverBench(RTU)
    await bench.driver.connect()

    def noisy(request: bytes, answer: bytes) -> Arrivals:
        stray = [(0.03, b"\xff")] if request[2:4] == b"\x02\x34" else []
        return [*undamaged(request, answer), *stray]

    bench.port.damage = noisy
    with pytest.raises(LineError):
        await bench.driver.execute(command(Verb.BEEP))
    assert bench.unit.writes == []


async def test_s2_a_verb_without_a_register_is_unsupported_and_nothing_is_written() -> None:
    bench = DriverBench(RTU)
    await bench.driver.connect()
    report = await bench.driver.execute(command(Verb.SIMULATE_POWER_FAILURE))
    assert report.outcome is Outcome.UNSUPPORTED
    assert bench.unit.writes == []
