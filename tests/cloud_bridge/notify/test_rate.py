"""The rate of one channel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.alerts.rate import MINUTE_S, Rate

MOMENT_S = 1e-6


def leave(per_minute: int, pauses: list[float]) -> list[float]:
    """When notices leave that are offered after those pauses, each as soon as it may."""
    now, left = 0.0, []
    rate = Rate.of(per_minute, now)
    for pause in pauses:
        now += pause
        now += rate.wait_s(now)
        rate.take(now)
        left.append(now)
    return left


@given(st.integers(1, 600), st.lists(st.floats(0, 90), max_size=80))
def test_never_more_than_its_number_within_a_minute(per_minute: int, pauses: list[float]) -> None:
    left = leave(per_minute, pauses)
    for begin in left:
        assert sum(begin <= at < begin + MINUTE_S - MOMENT_S for at in left) <= per_minute


@given(st.integers(1, 600))
def test_a_third_leaves_at_once_and_none_waits_longer_than_a_minute(per_minute: int) -> None:
    left = leave(per_minute, [0.0] * (per_minute + 5))
    assert left.count(0.0) == max(1, per_minute // 3)
    gaps = [later - earlier for earlier, later in zip(left, left[1:], strict=False)]
    assert max(gaps) <= MINUTE_S + MOMENT_S


def test_the_first_notice_never_waits() -> None:
    assert Rate.of(1, 5.0).wait_s(5.0) == 0.0


def test_one_a_minute_is_one_a_minute() -> None:
    assert leave(1, [0.0] * 3) == pytest.approx([0.0, 60.0, 120.0])
