"""What is asked, and in which order."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.upslink import plan
from drivers.upslink.abilities import VERY_OLD, Abilities, known, told
from drivers.upslink.characters import QUERIES, Query
from tests.drivers.upslink.memory import LISTED

NEW = told(f"3.!$%+?=#|.{LISTED}C")
UNITS = [NEW, known("8TI") or NEW, known("9F") or NEW, VERY_OLD]


def chars(queries: tuple[Query, ...]) -> str:
    return "".join(query.char for query in queries)


@pytest.mark.parametrize("abilities", UNITS, ids=["new", "old", "two-digits", "very-old"])
def test_two_questions_in_a_row_have_no_form_in_common_where_that_can_be(abilities: Abilities) -> None:
    """A name may be any text; a temperature without its tenths looks like a status."""
    for queries in (plan.full(abilities, minmax=False), plan.inventory(abilities)):
        together = {one.char + other.char for one, other in pairwise(queries) if plan.collide(one, other)}
        assert {pair for pair in together if not set(pair) & set("cx")} <= {"QC"}


def test_a_full_reading_asks_the_status_first_and_all_that_is_listed() -> None:
    asked = chars(plan.full(NEW, minmax=False))
    assert asked[0] == "Q"
    assert set(asked) == set("Q9GXLOFPfBjC~'8")


def test_the_extremes_are_left_alone_unless_they_are_wanted() -> None:
    """Section 19.7: they clear themselves when they are read."""
    assert not set("MN") & set(chars(plan.full(NEW, minmax=False)))
    assert set("MN") <= set(chars(plan.full(NEW, minmax=True)))


def test_what_a_unit_does_not_list_is_not_asked() -> None:
    assert set(chars(plan.full(VERY_OLD, minmax=True))) == set("QLOfBPC/")
    assert plan.settings(VERY_OLD) == ()


@given(st.lists(st.sampled_from(sorted(QUERIES)), unique=True))
def test_no_question_is_lost_or_doubled_by_the_order(wanted: list[str]) -> None:
    ordered = chars(plan.apart(QUERIES[char] for char in wanted))
    assert sorted(ordered) == sorted(wanted)
    assert ordered[:1] == "".join(wanted[:1])
