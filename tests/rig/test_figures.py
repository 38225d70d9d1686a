"""The benchmark's arithmetic, by hand."""

from __future__ import annotations

import math

import pytest

from simulator.rig.figures import percentile, results, rtu_ideal_ms
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


def test_each_limit_is_held_or_missed_by_itself() -> None:
    slow = Legs(wait=5, read=20, outbox=20, broker=20, ingest=20)
    found = results([slow], [245.0], 245.0, memory_mb=44.0, processor_pct=1.5)
    assert [each.holds for each in found] == [False, True, True, False]
    found = results([Legs(900, 10, 10, 10, 10)], [300.0], 245.0, memory_mb=46.0, processor_pct=0.5)
    assert [each.holds for each in found] == [True, False, False, True]
