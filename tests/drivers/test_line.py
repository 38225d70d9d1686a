"""When a lost line is tried again, and which block is asked for in parts."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import IdentityChanged, LineDown, PortLost
from drivers.line import Line, delays
from drivers.modbus.plan import ALL_SETTINGS, Refusals, halves
from drivers.smartups.registers import DYNAMIC, INVENTORY, STATUS, Block, rows_in

LOST = PortLost("port", "gone")


@given(floor=st.floats(1, 600), chances=st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_every_wait_is_at_least_the_floor_and_bounded(floor: float, chances: list[float]) -> None:
    draws = iter(chances)
    for wait in islice(delays(floor, lambda: next(draws)), 8):
        assert floor <= wait <= 1.5 * max(10, 2 * floor)


def test_the_first_wait_is_random_already() -> None:
    assert next(delays(15, lambda: 0.0)) != next(delays(15, lambda: 1.0))


def test_waits_grow_until_the_line_is_back() -> None:
    line = Line(1.0, lambda: 0.0)
    waits = []
    for _ in range(3):
        line.fail(0.0, LOST)
        with pytest.raises(LineDown) as down:
            line.check(0.0)
        waits.append(down.value.retry_in_s)
    assert waits == sorted(waits)
    assert waits[0] < waits[2]
    assert line.opened()
    line.fail(0.0, LOST)
    with pytest.raises(LineDown) as down:
        line.check(0.0)
    assert down.value.retry_in_s == waits[0]


def test_loss_is_news_once_and_another_unit_is_news_again() -> None:
    line = Line(1.0, lambda: 0.0)
    other = IdentityChanged("A", "B")
    assert [line.fail(0.0, cause) for cause in (LOST, LOST, other, other, LOST)] == [True, False, True, False, False]


def test_s3_identity_changed_is_raised_until_the_next_try_is_due() -> None:
    line = Line(1.0, lambda: 0.0)
    line.fail(0.0, IdentityChanged("A", "B"))
    for _ in range(2):
        with pytest.raises(IdentityChanged):
            line.check(0.5)
    line.check(1.0)


def test_an_answer_between_silences_counts_them_anew() -> None:
    line = Line(1.0, lambda: 0.0)
    assert [line.unanswered(), line.unanswered()] == [False, False]
    line.answered()
    assert [line.unanswered(), line.unanswered(), line.unanswered()] == [False, False, True]


@pytest.mark.parametrize("block", [STATUS, DYNAMIC, INVENTORY, ALL_SETTINGS], ids=str)
def test_parts_of_a_block_hold_all_its_rows_whole(block: Block) -> None:
    def leaves(part: Block) -> list[Block]:
        parts = halves(part)
        return [leaf for each in parts for leaf in leaves(each)] if parts else [part]

    rows = [row for leaf in leaves(block) for row in rows_in(leaf)]
    assert sorted(rows, key=lambda row: row.address) == list(rows_in(block))
    assert all(len(rows_in(leaf)) == 1 for leaf in leaves(block))


def test_a_refusal_is_believed_the_second_time_and_forgotten_with_the_connection() -> None:
    refusals = Refusals()
    refusals.refused(STATUS)
    assert not refusals.believed(STATUS)
    refusals.refused(STATUS)
    assert refusals.believed(STATUS)
    refusals.forget()
    assert not refusals.believed(STATUS)
    refusals.refused(STATUS)
    refusals.answered(STATUS)
    refusals.refused(STATUS)
    assert not refusals.believed(STATUS)
