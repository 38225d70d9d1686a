"""What goes on growing is told from what has grown."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from simulator.rig.growth import Grown, growth_table, hours_table
from simulator.rig.soak import COUNT_LIMIT, ROLES, looked_at


def words(table: Table) -> list[list[str]]:
    """Of each line of a table, its frame apart."""
    console = Console(width=120, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return [found for line in capture.get().splitlines() if (found := line.replace("│", " ").split())]


def test_a_slope_is_what_is_gained_an_hour() -> None:
    assert Grown("x", "MB", [10.0 + 0.5 * hour for hour in range(24)]).slope == pytest.approx(0.5)


def test_what_grows_at_the_start_only_does_not_grow() -> None:
    settled = Grown("x", "MB", [20.0, 30.0, 35.0, 37.0, 37.0, 37.0, *[37.5] * 18], limit=0.1)
    assert settled.slope == pytest.approx(0.0)
    assert settled.holds


@given(st.floats(1, 100), st.floats(0.2, 10), st.lists(st.floats(-0.5, 0.5), min_size=24, max_size=24))
def test_a_leak_is_seen_through_noise(start: float, leak: float, noise: list[float]) -> None:
    assert not Grown("x", "MB", [start + leak * hour + noise[hour] for hour in range(24)], limit=0.1).holds


def test_of_one_hour_nothing_can_be_told() -> None:
    alone = Grown("x", "MB", [1.0], limit=0.1)
    assert math.isnan(alone.slope)
    assert not alone.holds
    assert Grown("x", "MB", [1.0]).holds


def test_one_handle_a_day_is_within_the_limit_and_one_every_few_hours_is_not() -> None:
    assert Grown("x", "", [*[15.0] * 15, *[16.0] * 9], limit=COUNT_LIMIT).holds
    assert not Grown("x", "", [15.0 + hour // 4 for hour in range(24)], limit=COUNT_LIMIT).holds


def test_the_tables_tell_each_hour_and_each_verdict() -> None:
    grown = [
        Grown("gateway memory", "MB", [36.125, 36.25], limit=0.1),
        Grown("gateway handles", "", [15, 15], limit=0.1),
        Grown("cloud bytes", "MB", [5.0, 7.0]),
    ]
    assert words(hours_table(grown))[-2:] == [["1", "36.12", "15", "5"], ["2", "36.25", "15", "7"]]
    rows = words(growth_table(grown))
    assert ["gateway", "memory", "0.125", "MB", "at", "most", "0.1", "MB", "MISSED"] in rows
    assert ["gateway", "handles", "0.000", "at", "most", "0.1", "holds"] in rows
    assert ["cloud", "bytes", "2.000", "MB"] in rows


def test_memory_and_handles_of_every_role_have_a_limit_and_only_the_clouds_bytes_have_none() -> None:
    names = [f"{role} {what}" for role in ROLES for what in ("memory", "handles")]
    names += [f"{where} {what}" for where in ("gateway", "cloud") for what in ("files", "bytes")]
    grown = list(looked_at([dict.fromkeys(names, 1.0)] * 2))
    assert [each.name for each in grown] == names
    assert [each.name for each in grown if each.limit is None] == ["cloud bytes"]
