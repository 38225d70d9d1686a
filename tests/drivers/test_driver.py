"""The driver's conduct on a unit in memory: what it reads, when it gives up, whom it trusts."""

from __future__ import annotations

import asyncio
import logging

import pytest

from drivers.errors import (
    BadAnswer,
    IdentityChanged,
    LineDown,
    NoAnswer,
    PortLost,
    Refused,
    UnitException,
)
from drivers.ups import State
from tests.drivers.bench import RTU, TCP, DriverBench
from tests.drivers.memory import EPOCH, SERIAL, chars, silent, undamaged

BOTH = pytest.mark.parametrize("url", [RTU, TCP], ids=["rtu", "tcp"])


@BOTH
async def test_the_first_contact_proves_word_order_and_then_identity(url: str) -> None:
    bench = DriverBench(url)
    identity = await bench.driver.connect()
    assert bench.reads() == [(2050, 4), (516, 120), (512, 1), (564, 8)], "the serial number is pinned by two readings"
    assert identity.serial == SERIAL
    assert bench.driver.pinned == SERIAL


@BOTH
async def test_a_full_reading_is_two_requests(url: str) -> None:
    bench = DriverBench(url)
    await bench.driver.connect()
    bench.reads()
    snapshot = await bench.driver.full()
    assert bench.reads() == [(0, 27), (128, 44)]
    assert (snapshot.state, snapshot.runtime_s) == (State.ONLINE, 376)


async def test_s4_fast_readings_on_a_serial_line_are_registers_0_to_2_and_never_alike_in_a_row() -> None:
    """Two answers in a row of one length could be taken for each other when one is repeated."""
    bench = DriverBench(RTU)
    await bench.driver.connect()
    bench.reads()
    for _ in range(4):
        await bench.driver.fast()
    reads = bench.reads()
    assert all(address == 0 and count in (3, 5) for address, count in reads)
    assert all(one != other for one, other in zip(reads, reads[1:], strict=False))


async def test_s4_fast_readings_on_tcp_are_the_whole_status_block() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.reads()
    await bench.driver.fast()
    assert bench.reads() == [(0, 27)]


async def test_a_fast_reading_shows_a_transfer_and_keeps_the_rest_of_the_last_full_one() -> None:
    bench = DriverBench(RTU)
    full = await bench.driver.full()
    bench.unit.image[1] = 0x0244
    bench.clock.now += 3
    fast = await bench.driver.fast()
    assert fast.state is State.ON_BATTERY
    assert fast.charge_pct == full.charge_pct == 100.0
    assert fast.full_at == full.full_at
    assert full.full_at is not None
    assert (fast.at - full.full_at).total_seconds() >= 3
    assert full.at > EPOCH


@BOTH
async def test_settings_are_one_request(url: str) -> None:
    bench = DriverBench(url)
    await bench.driver.connect()
    bench.reads()
    settings = await bench.driver.settings()
    assert bench.reads() == [(1024, 29)]
    assert (settings.transfer_high_v, settings.transfer_low_v, settings.sensitivity) == (127, 106, "normal")
    assert settings.battery_test_interval == "start_up_7d_since_last"


async def test_settings_that_are_refused_as_one_are_read_the_smaller_way_and_that_is_remembered() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.refuse_longer_than = 22
    bench.reads()
    for _ in range(2):
        assert (await bench.driver.settings()).transfer_low_v == 106
        assert bench.reads() == [(1024, 29), (1026, 22), (1024, 1), (1048, 5)]
    await bench.driver.settings()
    assert bench.reads() == [(1026, 22), (1024, 1), (1048, 5)]


async def test_what_was_refused_is_asked_again_on_the_next_connection() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.refuse_longer_than = 22
    for _ in range(3):
        await bench.driver.settings()
    bench.port.hang_up()
    with pytest.raises(PortLost):
        await bench.driver.fast()
    bench.unit.refuse_longer_than = 125
    bench.clock.now += 60
    await bench.driver.connect()
    bench.reads()
    await bench.driver.settings()
    assert bench.reads() == [(1024, 29)]


async def test_one_stray_refusal_of_a_block_is_not_believed() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.refuse_longer_than = 26
    assert (await bench.driver.fast()).state is State.ONLINE
    bench.unit.refuse_longer_than = 125
    bench.reads()
    await bench.driver.fast()
    assert bench.reads() == [(0, 27)]


async def test_a_unit_that_refuses_even_its_status_word_is_an_error() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.unit.refuse_longer_than = 0
    with pytest.raises(UnitException):
        await bench.driver.full()


async def test_a_row_that_the_unit_lacks_costs_one_request_and_no_reading() -> None:
    bench = DriverBench(TCP)
    bench.unit.refuse[3, 512] = 2
    assert (await bench.driver.connect()).product_id is None
    for _ in range(3):
        bench.reads()
        assert (await bench.driver.full()).state is State.ONLINE
        assert bench.reads() == [(0, 27), (128, 44), (512, 1)]


async def test_where_each_request_has_its_price_a_row_that_the_unit_lacks_is_not_asked_for_again() -> None:
    bench = DriverBench(TCP + "?one_request_per_connection=true")
    bench.unit.refuse[3, 512] = 2
    assert (await bench.driver.connect()).product_id is None
    await bench.driver.identify()
    bench.reads()
    await bench.driver.identify()
    assert bench.reads() == [(516, 120)]
    await bench.driver.full()
    assert bench.reads() == [(564, 8), (0, 27), (128, 44)]


async def test_groups_are_found_by_their_status_where_the_relay_register_says_nothing() -> None:
    bench = DriverBench(TCP)
    bench.unit.image[590] = 0
    identity = await bench.driver.connect()
    assert [index for index, _ in identity.outlet_groups] == [0, 1]


# A lost line.


async def test_a_refused_connection_says_what_to_do_and_is_not_tried_again_before_15_s() -> None:
    bench = DriverBench(TCP)
    bench.port.fail_to_open = Refused("10.0.0.5:502")
    with pytest.raises(Refused, match="refused: TCP Modbus is disabled or its one session is taken"):
        await bench.driver.connect()
    with pytest.raises(LineDown) as down:
        await bench.driver.full()
    assert down.value.retry_in_s >= 15
    assert len(bench.port.opened_at) == 1
    bench.port.fail_to_open = None
    bench.clock.now += down.value.retry_in_s
    assert (await bench.driver.full()).state is State.ONLINE
    assert bench.driver.counters.reopens == 1


async def test_s4_tries_to_connect_on_tcp_are_never_closer_than_15_s() -> None:
    bench = DriverBench(TCP, chance=0.0)
    bench.port.fail_to_open = PortLost("10.0.0.5:502", "no route")
    for _ in range(300):
        with pytest.raises((LineDown, PortLost)):
            await bench.driver.fast()
        bench.clock.now += 1
    tries = bench.port.opened_at
    assert len(tries) >= 8
    assert all(later - earlier >= 15 for earlier, later in zip(tries, tries[1:], strict=False))


async def test_a_fleet_does_not_come_back_all_at_once() -> None:
    waits = set()
    for chance in (0.0, 0.3, 0.9):
        bench = DriverBench(TCP, chance=chance)
        bench.port.fail_to_open = PortLost("10.0.0.5:502", "no route")
        with pytest.raises(PortLost):
            await bench.driver.connect()
        with pytest.raises(LineDown) as down:
            await bench.driver.connect()
        waits.add(down.value.retry_in_s)
    assert len(waits) == 3


async def test_a_silent_serial_line_names_the_menu_and_microlink() -> None:
    bench = DriverBench(RTU)
    bench.port.damage = silent
    said = r"silent.*Modbus is off in the unit's menu \(the port then speaks Microlink\)"
    with pytest.raises(NoAnswer, match=said):
        await bench.driver.connect()


async def test_three_silences_in_a_row_lose_the_line_and_one_does_not() -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    bench.port.damage = silent
    still_open = []
    for _ in range(3):
        with pytest.raises(NoAnswer):
            await bench.driver.fast()
        still_open.append(bench.port.is_open)
    assert still_open == [True, True, False]
    with pytest.raises(LineDown):
        await bench.driver.fast()


async def test_loss_and_return_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = DriverBench(TCP)
    await bench.driver.connect()
    with caplog.at_level(logging.WARNING, "drivers"):
        bench.port.hang_up()
        with pytest.raises(PortLost):
            await bench.driver.fast()
        bench.port.fail_to_open = Refused("10.0.0.5:502")
        for _ in range(200):
            with pytest.raises((LineDown, Refused)):
                await bench.driver.fast()
            bench.clock.now += 1
        bench.port.fail_to_open = None
        bench.clock.now += 60
        await bench.driver.fast()
        await bench.driver.fast()
    assert ["lost" in record.message for record in caplog.records] == [True, False]


async def test_noise_on_a_read_costs_a_second_try_and_no_reading() -> None:
    bench = DriverBench(RTU)
    await bench.driver.connect()
    noisy = iter([True])

    bench.port.damage = lambda _, answer: [(0.02, b"\xff" * 4 if next(noisy, False) else answer)]
    assert (await bench.driver.fast()).state is State.ONLINE
    assert bench.driver.counters.discarded == 1


async def test_wrong_constants_mean_no_reading_at_all() -> None:
    bench = DriverBench(TCP)
    bench.unit.image[2050] = 0x3231
    with pytest.raises(BadAnswer, match="990-9840"):
        await bench.driver.connect()
    assert all(address == 2050 for address, _ in bench.reads())


# Identity.


async def test_s3_another_serial_than_the_pinned_one_stops_everything() -> None:
    bench = DriverBench(TCP, pinned="SOMEBODY-ELSE")
    for call in (bench.driver.connect, bench.driver.fast, bench.driver.full, bench.driver.settings):
        with pytest.raises(IdentityChanged) as caught:
            await call()
        assert (caught.value.expected, caught.value.found) == ("SOMEBODY-ELSE", SERIAL)
    assert (0, 27) not in bench.reads()


async def test_s3_the_serial_is_read_again_on_every_reconnect() -> None:
    bench = DriverBench(TCP)
    await bench.driver.full()
    bench.port.hang_up()
    with pytest.raises(PortLost):
        await bench.driver.fast()
    bench.unit.image.update(enumerate(chars("ANOTHER", 8), 564))
    bench.clock.now += 60
    bench.reads()
    with pytest.raises(IdentityChanged):
        await bench.driver.fast()
    assert (0, 27) not in bench.reads()


async def test_s3_nothing_of_the_old_unit_is_shown_under_the_accepted_one() -> None:
    bench = DriverBench(RTU, pinned="SOMEBODY-ELSE")
    with pytest.raises(IdentityChanged):
        await bench.driver.full()
    bench.driver.accept(SERIAL)
    with pytest.raises(LineDown):
        await bench.driver.fast()
    bench.clock.now += 60
    snapshot = await bench.driver.fast()
    assert (snapshot.state, snapshot.charge_pct, snapshot.full_at) == (State.ONLINE, None, None)
    assert bench.driver.pinned == SERIAL


async def test_s3_the_pinned_unit_is_welcome_when_it_is_back() -> None:
    bench = DriverBench(TCP, pinned=SERIAL)
    bench.unit.image.update(enumerate(chars("ANOTHER", 8), 564))
    with pytest.raises(IdentityChanged):
        await bench.driver.full()
    bench.unit.image.update(enumerate(chars(SERIAL, 8), 564))
    bench.clock.now += 60
    assert (await bench.driver.full()).state is State.ONLINE


async def test_s3_a_cancelled_first_contact_leaves_no_unproven_line_open() -> None:
    bench = DriverBench(TCP, pinned="SOMEBODY-ELSE")

    def cancel(request: bytes, answer: bytes) -> list[tuple[float, bytes]]:
        raise asyncio.CancelledError

    bench.port.damage = cancel
    with pytest.raises(asyncio.CancelledError):
        await bench.driver.connect()
    bench.port.damage = undamaged
    with pytest.raises(IdentityChanged):
        await bench.driver.full()


# One request a connection.


async def test_s4_one_request_per_connection_keeps_5_s_between_requests() -> None:
    bench = DriverBench(TCP + "?one_request_per_connection=true")
    await bench.driver.full()
    opened = bench.port.opened_at
    assert len(opened) == len(bench.port.written_at) == 7
    assert all(later - earlier >= 5 for earlier, later in zip(opened, opened[1:], strict=False))
    assert not bench.port.is_open


async def test_s3_one_request_per_connection_reads_the_serial_with_every_full_reading() -> None:
    bench = DriverBench(TCP + "?one_request_per_connection=true")
    await bench.driver.full()
    bench.reads()
    await bench.driver.full()
    assert bench.reads() == [(564, 8), (0, 27), (128, 44)]
