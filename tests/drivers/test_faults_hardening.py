"""What the Modbus driver makes of a unit that refuses for a while, and of bytes that no check sum guards."""

from __future__ import annotations

import pytest

from drivers.errors import BadAnswer, IdentityChanged, UnitException
from drivers.ups import State
from tests.drivers.bench import DriverBench
from tests.drivers.memory import SERIAL, Arrivals, chars, undamaged

BATTERY_TEMP = (3, 135)
SERIAL_ROW = (3, 564)


async def test_a_value_that_was_answered_before_cannot_be_lacking_only_refused_for_now() -> None:
    bench = DriverBench()
    before = await bench.driver.full()
    assert before.battery_temp_c is not None
    bench.unit.refuse_longer_than, bench.unit.refuse[BATTERY_TEMP] = 2, 2
    for _ in range(3):
        with pytest.raises(UnitException, match="function 3 at 135"):
            await bench.driver.full()
    bench.unit.refuse_longer_than = 125
    bench.unit.refuse.clear()
    bench.reads()
    assert (await bench.driver.full()).battery_temp_c == before.battery_temp_c
    assert (128, 44) in bench.reads(), "nothing was learnt from what ended in an error"


async def test_what_was_refused_since_the_unit_was_met_is_asked_for_again_by_each_full_reading() -> None:
    bench = DriverBench()
    await bench.driver.connect()
    bench.unit.refuse_longer_than, bench.unit.refuse[BATTERY_TEMP] = 2, 2
    for _ in range(3):
        assert (await bench.driver.full()).battery_temp_c is None
    bench.unit.refuse_longer_than = 125
    bench.unit.refuse.clear()
    assert (await bench.driver.full()).battery_temp_c is not None
    bench.clock.now += 60
    bench.reads()
    await bench.driver.full()
    assert bench.reads() == [(0, 27), (128, 44)], "in one request each again after a minute at the latest"


async def test_where_each_request_has_its_price_a_refused_row_is_asked_for_again_after_a_minute() -> None:
    bench = DriverBench("modbus+tcp://10.0.0.5?one_request_per_connection=true")
    await bench.driver.connect()
    bench.unit.lacks = {135}
    begun = bench.clock.now
    while bench.clock.now < begun + 120:
        assert (await bench.driver.full()).battery_temp_c is None
    assert 2 <= bench.reads().count((135, 1)) <= 6
    bench.unit.lacks.clear()
    bench.clock.now += 60
    assert (await bench.driver.full()).battery_temp_c is not None


@pytest.mark.parametrize("read", ["full", "settings"])
async def test_an_inventory_that_was_refused_in_part_is_completed_and_only_by_what_lacks(read: str) -> None:
    bench = DriverBench()
    whole = await DriverBench().driver.connect()
    lacking = [(512, 1), (588, 1), (590, 1), (596, 8)]
    bench.unit.lacks = {address for address, _ in lacking}
    met = await bench.driver.connect()
    assert (met.serial, met.product_id, met.apparent_power_va, met.name) == (SERIAL, None, None, None)
    bench.unit.lacks = {512}
    bench.reads()
    await getattr(bench.driver, read)()
    assert bench.reads()[-4:] == lacking
    assert (await bench.driver.connect()).product_id is None
    bench.unit.lacks.clear()
    await getattr(bench.driver, read)()
    assert bench.reads()[-1:] == [(512, 1)]
    assert await bench.driver.connect() == whole
    await getattr(bench.driver, read)()
    assert (512, 1) not in bench.reads()


async def test_an_inventory_row_that_was_answered_at_first_contact_is_not_dropped_by_a_refusal() -> None:
    bench = DriverBench()
    whole = await bench.driver.connect()
    bench.unit.lacks = {588}
    with pytest.raises(UnitException, match="function 3 at 588"):
        await bench.driver.identify()
    bench.unit.lacks.clear()
    assert await bench.driver.identify() == whole


async def test_s3_a_stranger_that_lacks_a_row_of_the_pinned_unit_is_told_as_a_stranger() -> None:
    bench = DriverBench()
    await bench.driver.connect()
    bench.unit.image.update(enumerate(chars("XX0000000009", 8), 564))
    bench.unit.lacks = {588}
    with pytest.raises(IdentityChanged):
        await bench.driver.identify()
    assert bench.driver.pinned == SERIAL


async def test_what_a_unit_answered_before_its_firmware_changed_is_not_demanded_of_the_new_one() -> None:
    bench = DriverBench()
    assert (await bench.driver.full()).battery_temp_c is not None
    bench.unit.image.update(enumerate(chars("UPS 99.9 (ID99)", 8), 516))
    assert (await bench.driver.identify()).firmware == "UPS 99.9 (ID99)"
    bench.unit.lacks = {135}
    assert (await bench.driver.full()).battery_temp_c is None
    bench.unit.lacks = {588}
    with pytest.raises(UnitException, match="function 3 at 588"):
        await bench.driver.identify()


@pytest.mark.parametrize("pinned", [SERIAL, None], ids=["pinned", "first contact"])
async def test_s3_a_serial_number_that_is_refused_is_neither_another_nor_none(pinned: str | None) -> None:
    bench = DriverBench(pinned=pinned)
    bench.unit.refuse_longer_than, bench.unit.refuse[SERIAL_ROW] = 16, 4
    with pytest.raises(UnitException, match="function 3 at 564"):
        await bench.driver.connect()


def damaged_once(start: int, count: int) -> list[bytes]:
    """The requests that are still to be damaged: one read of these registers."""
    return [start.to_bytes(2, "big") + count.to_bytes(2, "big")]


async def test_s3_one_damaged_reading_of_the_serial_number_makes_no_stranger() -> None:
    """TCP has no check sum: a turned bit in the inventory's reply comes through the link."""
    bench = DriverBench(pinned=SERIAL)
    waiting = damaged_once(516, 120)

    def turned(request: bytes, answer: bytes) -> Arrivals:
        if request[8:12] not in waiting:
            return undamaged(request, answer)
        waiting.clear()
        at = answer.index(SERIAL.encode())
        return undamaged(request, answer[:at] + bytes([answer[at] ^ 1]) + answer[at + 1 :])

    bench.port.damage = turned
    with pytest.raises(BadAnswer, match="two readings of the serial number differ"):
        await bench.driver.connect()
    assert bench.driver.pinned == SERIAL


async def test_s3_a_stranger_who_says_so_twice_is_one() -> None:
    bench = DriverBench(pinned="AS0000000000")
    with pytest.raises(IdentityChanged):
        await bench.driver.connect()


@pytest.mark.parametrize("word", [0x0000, 0x2000, 0x0006, 0x0018])
async def test_a_status_without_exactly_one_state_is_no_reading(word: int) -> None:
    bench = DriverBench()
    assert (await bench.driver.full()).state is State.ONLINE
    bench.unit.image[1] = word
    for read in (bench.driver.fast, bench.driver.full):
        with pytest.raises(BadAnswer, match="no state, or more than one"):
            await read()
