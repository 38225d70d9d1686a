"""The table of docs/faults.md against what the real driver does on the real simulator, fault by fault."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from drivers.open import open_driver
from simulator.errors import ControlError
from simulator.wire_orders import Kind
from tests.drivers.faulty_unit import ROUNDS, WIRES, FaultyUnit, base_seed, faulty_unit, poll, recovers

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
POLLS = 6
LIMIT_S = {"modbus+tcp": 4.0, "modbus+rtu": 6.0, "upslink": 8.0}
"""Longest a poll may take: on Modbus two requests, each tried twice at most, on a serial line drained before each; on
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
    async with faulty_unit(wire, folder) as unit:
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
