"""The table of docs/faults.md against what the real driver does on the real simulator, fault by fault."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from drivers.errors import DriverError
from drivers.open import open_driver
from drivers.ups import READINGS, Snapshot
from simulator.errors import ControlError
from simulator.wire_orders import Kind
from tests.drivers.faulty_unit import ROUNDS, WIRES, FaultyUnit, bare, base_seed, faulty_unit, poll, recovers

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
POLLS = 6
LIMIT_S = {"modbus+tcp": 4.0, "modbus+rtu": 7.5, "upslink": 8.0}
"""Longest a poll may take: on Modbus two requests, each tried twice at most; on a serial line each of these four may be
a time-out (0.8 s) and the proof of the line before the next another, with a drain between; on
UPS-Link some thirty, and a line that is cleared four times at most. Two busy cores have their share of it.
"""
VARIANTS = ("seed=7", "chance=0.5 seed=1")
"""A fault counts as the worst that it does in any of these ways, and in some drawn anew."""
WORSE = {
    Kind.NOISE: tuple(f"by=1 chance=0.1 seed={seed}" for seed in (7, 12, 13, 18)),
    Kind.WORD_SWAP: tuple(f"chance=0.5 seed={seed}" for seed in (3, 4, 5)),
}
"""Ways in which the worst does happen: most noise breaks the form of a reply, and a status is never taken with its
words exchanged.
"""
PATIENT_S = {Kind.SPLIT: 3.0}
"""Every byte a piece of its own: a busy machine takes longer over a reply than the patience of the others, and what is
asked here is whether it is put together again.
"""
AT_ONCE = 24
"""Units at a time: each has files open."""
WORST = ("undetectable", "detected", "masked", "not applicable")


def table() -> dict[str, dict[str, str]]:
    """Outcome by fault and wire, as the page says."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    head = next(row for row in rows if row[0] == "fault")
    wires = [name for name in head if re.fullmatch(r"modbus\+\w+|upslink", name)]
    faults = [row for row in rows if len(row) == len(head) and row[0] in set(Kind)]
    return {row[0]: {wire: row[head.index(wire)] for wire in wires} for row in faults}


def test_the_page_has_every_fault_and_every_wire() -> None:
    assert set(table()) == {str(kind) for kind in Kind}
    allowed = {"detected", "masked", "undetectable", "not applicable"}
    for kind, cells in table().items():
        assert set(cells) >= set(WIRES), kind
        assert set(cells.values()) <= allowed, kind


def _stir(unit: FaultyUnit) -> None:
    unit.engine.obey("load 55")


async def worst(wire: str, kind: Kind, folder: Callable[[int], Path], crowd: asyncio.Semaphore) -> str:
    async def in_turn(number: int, way: str) -> str:
        async with crowd:
            return await observed(wire, kind, way, folder(number))

    drawn = random.Random(f"{base_seed()}/{wire}/{kind}")
    ways = [*VARIANTS, *WORSE.get(kind, ()), *(_drawn(drawn) for _ in range(ROUNDS))]
    found = await asyncio.gather(*(in_turn(number, way) for number, way in enumerate(ways)))
    return min(found, key=WORST.index)


def _drawn(chance: random.Random) -> str:
    return f"chance={chance.choice((1.0, 0.5, 0.2))} seed={chance.randrange(1_000_000)}"


async def _begin(unit: FaultyUnit, fault: str, *, taken: bool) -> None:
    """The fault on a line that was read before; with `taken`, on one whose session somebody else has."""
    if not taken:
        await unit.driver.full()
        unit.order(fault)
        return
    unit.order(fault)
    unit.other = open_driver(unit.url)
    await unit.other.connect()


async def observed(wire: str, kind: Kind, way: str, folder: Path) -> str:
    """What the fault does to six polls; the fault is over then, and readings have to be good again."""
    async with faulty_unit(wire, folder, patience_s=PATIENT_S.get(kind)) as unit:
        try:
            await _begin(unit, f"{kind} {way}", taken=kind is Kind.REFUSE_SECOND)
        except ControlError:
            return "not applicable"
        if kind is Kind.CLOCK_DRIFT:
            unit.count_down()
        polls = await poll(unit, POLLS, lambda number: _stir(unit) if number == 2 else None)
        assert polls.slowest_s < LIMIT_S[wire], f"{kind} {way}: a poll took {polls.slowest_s:.1f} s"
        unit.order("off")
        if unit.other is not None:
            await unit.other.close()
        await recovers(unit, f"{kind} {way}")
    if polls.false:
        assert table()[kind][wire] == "undetectable", f"{kind} {way}: {polls.false}"
        return "undetectable"
    return "detected" if polls.errors or polls.noticed else "masked"


MET_IN_A_STORM = tuple(f"chance={chance} seed={seed}" for chance, seed in ((0.2, 11), (0.2, 38), (0.5, 25), (0.5, 31)))
"""Storms that let a unit be met, but not whole, on at least one wire each."""


async def met(wire: str, way: str, polls: int, folder: Path) -> bool:
    """Whether the unit, whose storm was on before the first contact, was met in it with something lacking. What a poll
    then shows is true or not there; after the storm all is there.
    """
    async with faulty_unit(wire, folder) as unit:
        whole, truth = await unit.witness.connect(), await unit.truth()
        unit.order(f"{Kind.EXCEPTION_STORM} {way}")
        try:
            in_part = await unit.driver.connect() != whole
            for _ in range(polls):
                _shows_nothing_false(bare(await unit.driver.full()), truth, way)
        except DriverError:
            in_part = False
        unit.order("off")
        await recovers(unit, f"met in a storm, {way}")
        assert await unit.driver.connect() == whole, way
        assert await unit.driver.settings() == await unit.witness.settings(), way
    return in_part


def _shows_nothing_false(read: Snapshot, truth: Snapshot, way: str) -> None:
    """Of what a unit lists: one that has not told its list yet is asked as a very old one, and may answer more."""
    assert read.state == truth.state, way
    for name in (reading.name for reading in READINGS):
        assert None in (getattr(read, name), getattr(truth, name)) or getattr(read, name) == getattr(truth, name), name


@pytest.mark.parametrize("wire", WIRES)
async def test_a_unit_met_in_the_middle_of_a_storm_is_read_whole_within_two_polls_after_it(
    wire: str, tmp_path: Path
) -> None:
    drawn = random.Random(f"{base_seed()}/{wire}/met")
    ways = [*MET_IN_A_STORM, *(_drawn(drawn) for _ in range(2 * ROUNDS))]
    tries = [(way, polls) for way in ways for polls in (0, 1)]
    crowd = asyncio.Semaphore(AT_ONCE)

    async def in_turn(number: int, way: str, polls: int) -> bool:
        async with crowd:
            return await met(wire, way, polls, _folder(tmp_path, number))

    lacked = await asyncio.gather(*(in_turn(number, *each) for number, each in enumerate(tries)))
    assert any(lacked), "no storm let a unit be met in part: this test would show nothing"


def _folder(parent: Path, number: int) -> Path:
    made = parent / str(number)
    made.mkdir(parents=True)
    return made


@pytest.mark.parametrize("wire", WIRES)
async def test_each_fault_does_what_the_page_says(wire: str, tmp_path: Path) -> None:
    crowd = asyncio.Semaphore(AT_ONCE)
    folders = {kind: partial(_folder, tmp_path / kind) for kind in Kind}
    found = await asyncio.gather(*(worst(wire, kind, folders[kind], crowd) for kind in Kind))
    assert dict(zip(map(str, Kind), found, strict=True)) == {kind: cells[wire] for kind, cells in table().items()}
