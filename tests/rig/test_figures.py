"""The benchmark's arithmetic, by hand."""

from __future__ import annotations

import math

import pytest

from simulator.rig.figures import Polls, percentile, results, rtu_ideal_ms, upslink_ideal_ms
from simulator.rig.truth import Legs


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(1, 201)]
    assert percentile(values, 50) == 100
    assert percentile(values, 99) == 198
    assert percentile(values, 100) == 200
    assert math.isnan(percentile([], 50))


def test_a_full_poll_at_9600_baud_needs_its_bytes_and_two_silences() -> None:
    # 8 + 59 bytes for 0/27, 8 + 93 for 128/44: 168 bytes of ten bits, and 35 ms before each request.
    assert rtu_ideal_ms([(8, 59), (8, 93)], 9600) == pytest.approx(175 + 70)


def test_an_upslink_poll_needs_its_characters_and_the_units_own_delays() -> None:
    # "Q" then "08" CR LF: five characters of 4 1/6 ms, or 4 1/6 + 40 + 4 * 7 ms with a unit that thinks.
    assert upslink_ideal_ms([2], 2400, 0, 0) == pytest.approx(5 * 10_000 / 2400)
    assert upslink_ideal_ms([2, 2], 2400, 40, 7) == pytest.approx(2 * (10_000 / 2400 + 40 + 28))


def test_each_limit_is_held_or_missed_by_itself() -> None:
    slow = Legs(wait=5, read=20, outbox=20, broker=20, ingest=20)
    good, poor = Polls("x", [245.0], 245.0, 0.85), Polls("y", [300.0], 230.0, 0.8)
    found = results([slow], [good], memory_mb=44.0, processor_pct=1.5)
    assert [each.holds for each in found] == [False, True, True, False]
    found = results([Legs(900, 10, 10, 10, 10)], [good, poor], memory_mb=46.0, processor_pct=0.5)
    assert [each.holds for each in found] == [True, True, False, False, True]
