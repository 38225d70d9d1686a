"""A unit in memory that leaves questions unanswered while it is met: asked again, but not at each reading."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drivers.errors import NoAnswer, PortLost
from drivers.ups import Outcome, Verb
from tests.drivers.faulty_unit import bare
from tests.drivers.upslink.memory import SERIAL, Bench, MemoryUnit, command


async def test_an_old_unit_that_is_silent_when_asked_for_its_list_is_read_too() -> None:
    unit = MemoryUnit(listed=None)
    bench = Bench(unit=unit)
    unit.says["a"] = ""
    assert (await bench.driver.connect()).serial == SERIAL
    assert (await bench.driver.full()).output_v == 118.3


async def test_a_unit_that_stays_silent_when_asked_for_its_list_is_asked_again_more_and_more_seldom() -> None:
    """Each try costs 6 s and a look whether the unit is there at all."""
    bench = Bench(unit=MemoryUnit(listed=None))
    bench.unit.says["a"] = ""
    await bench.driver.connect()
    bench.line.sent.clear()
    begun = bench.clock.now
    while bench.clock.now < begun + 3 * 3600:
        assert (await bench.driver.full()).output_v == 118.3
        bench.clock.now += 10
    asked_at = [at for at, char in bench.line.sent if char == "a"]
    gaps = [round((later - earlier) / 60) for earlier, later in pairwise([begun, *asked_at])]
    assert gaps == [1, 2, 4, 8, 16, 32, 60]
    bench.asked()
    bench.line.is_open = False
    with pytest.raises(PortLost):
        await bench.driver.fast()
    bench.clock.now += 60
    await bench.driver.connect()
    assert "a" in bench.asked()


@pytest.mark.parametrize("silent", ["a", "V", "\x1a", "Va"])
async def test_a_unit_that_was_silent_when_it_was_met_is_known_whole_a_minute_later(silent: str) -> None:
    whole = Bench()
    expected = await whole.driver.connect(), bare(await whole.driver.full()), await whole.driver.settings()
    bench = Bench()
    bench.unit.says = dict.fromkeys(silent, "")
    await bench.driver.connect()
    bench.unit.says.clear()
    await bench.driver.full()
    bench.clock.now += 60
    snapshot, settings = bare(await bench.driver.full()), await bench.driver.settings()
    assert (await bench.driver.connect(), snapshot, settings) == expected
    report = await bench.driver.execute(command(Verb.SET_TRANSFER_HIGH, value=138))
    assert report.outcome is Outcome.DONE
    bench.asked()
    await bench.driver.full()
    assert not set("Vba\x1a") & set(bench.asked())


async def test_three_silences_in_a_row_lose_the_line() -> None:
    bench = Bench()
    await bench.driver.connect()
    bench.line.damage = lambda *_: []
    for _ in range(3):
        assert bench.line.is_open
        with pytest.raises(NoAnswer):
            await bench.driver.fast()
    assert not bench.line.is_open
