"""The benchmark's arithmetic, by hand."""

from __future__ import annotations

import math

import pytest
from rich.console import Console
from rich.table import Table

from simulator.rig.figures import (
    Bound,
    Polls,
    Result,
    legs_table,
    medians_table,
    percentile,
    result_table,
    rtu_exchange,
    rtu_ideal_ms,
    upslink_ideal_ms,
)
from simulator.rig.truth import Legs

SLOW = Legs(wait=5, read=20, outbox=20, broker=20, ingest=20)
QUICK = Legs(wait=900, read=10, outbox=1, broker=1, ingest=1)


def drawn(table: Table) -> list[list[str]]:
    """The cells of each row."""
    console = Console(width=200, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    lines = [line for line in capture.get().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(1, 201)]
    assert percentile(values, 50) == 100
    assert percentile(values, 99) == 198
    assert percentile(values, 100) == 200
    assert math.isnan(percentile([], 50))


def test_a_full_poll_at_9600_baud_needs_its_bytes_and_two_silences() -> None:
    # 8 + 59 bytes for 0/27, 8 + 93 for 128/44: 168 bytes of ten bits, and 35 ms before each request.
    assert rtu_ideal_ms([rtu_exchange(27), rtu_exchange(44)], 9600) == pytest.approx(175 + 70)


def test_an_upslink_poll_needs_its_characters_and_the_units_own_delays() -> None:
    # "Q" then "08" CR LF: five characters of 4 1/6 ms, or 4 1/6 + 40 + 4 * 7 ms with a unit that thinks.
    assert upslink_ideal_ms([2], 2400, 0, 0) == pytest.approx(5 * 10_000 / 2400)
    assert upslink_ideal_ms([2, 2], 2400, 40, 7) == pytest.approx(2 * (10_000 / 2400 + 40 + 28))


def test_a_full_poll_is_judged_by_the_share_that_its_need_has_in_its_median() -> None:
    assert Polls("x", [240.0, 250.0, 900.0], 245.0, 0.85).result().value == pytest.approx(0.98)
    assert Polls("x", [250.0], 245.0, 0.85).result().holds
    assert not Polls("y", [300.0], 230.0, 0.8).result().holds


@pytest.mark.parametrize(
    ("value", "limit", "bound", "holds"),
    [
        pytest.param(40.0, 40.0, Bound.AT_MOST, True, id="at the upper limit"),
        pytest.param(40.1, 40.0, Bound.AT_MOST, False, id="over it"),
        pytest.param(5000.0, 5000.0, Bound.AT_LEAST, True, id="at the lower limit"),
        pytest.param(4999.0, 5000.0, Bound.AT_LEAST, False, id="under it"),
        pytest.param(math.nan, 40.0, Bound.AT_MOST, False, id="not measured, at most"),
        pytest.param(math.nan, 40.0, Bound.AT_LEAST, False, id="not measured, at least"),
        pytest.param(math.nan, None, Bound.AT_MOST, True, id="without a limit"),
    ],
)
def test_a_figure_holds_only_on_the_right_side_of_its_limit(
    value: float, limit: float | None, bound: Bound, holds: bool
) -> None:
    assert Result(name="x", value=value, limit=limit, bound=bound).holds is holds


def test_the_last_table_names_part_figure_limit_and_verdict() -> None:
    parts = {
        "drain": [Result(name="rate", value=4999, unit="records/s", limit=5000, bound=Bound.AT_LEAST)],
        "footprint": [
            Result(name="ours", value=38.25, unit="MB", limit=40),
            Result(name="theirs", value=66, unit="MB"),
        ],
    }
    assert drawn(result_table(parts)) == [
        ["drain", "rate", "4999.00 records/s", "at least 5000 records/s", "MISSED"],
        ["footprint", "ours", "38.25 MB", "at most 40 MB", "holds"],
        ["footprint", "theirs", "66.00 MB", "", ""],
    ]


def test_each_leg_has_a_row_and_what_is_carried_is_all_but_the_wait() -> None:
    rows = {row[0]: row[1:] for row in drawn(legs_table([SLOW, QUICK]))}
    assert rows["waiting for the poll"] == ["2", "5.0", "900.0", "900.0"]
    assert rows["everything but the wait"] == ["2", "13.0", "80.0", "80.0"]
    assert rows["total"] == ["2", "85.0", "913.0", "913.0"]


def test_lines_are_compared_leg_by_leg() -> None:
    assert drawn(medians_table({"slow": [SLOW, SLOW, QUICK], "quick": [QUICK]})) == [
        ["slow", "5", "20", "20", "20", "20", "80", "85"],
        ["quick", "900", "10", "1", "1", "1", "13", "913"],
    ]
