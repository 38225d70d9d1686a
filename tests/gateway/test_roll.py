"""Whose serial number it is, and where it answers (S3)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.roll import Roll

NAMES = ("a", "b", "c")


def roll(**pins: str | None) -> Roll:
    made = Roll()
    for name, serial in pins.items():
        made.enter(name, serial)
    return made


def test_s3_a_pinned_unit_is_read_under_no_other_name() -> None:
    units = roll(a="S1", b=None)
    assert units.owner("S1", besides="b") == "a"
    assert units.owner("S1", besides="a") is None
    assert units.owner("S2", besides="b") is None


def test_of_two_names_with_one_pin_the_first_of_the_settings_reads() -> None:
    units = roll(a="S1", b="S1")
    assert (units.owner("S1", besides="a"), units.owner("S1", besides="b")) == (None, "a")


def test_a_name_under_which_another_unit_answers_reads_nothing() -> None:
    units = roll(a="S1", b=None)
    units.saw("a", "S2")
    assert units.owner("S1", besides="b") is None
    units.saw("a", None)
    assert units.owner("S1", besides="b") == "a"


def test_a_name_that_was_taken_out_owns_nothing() -> None:
    units = roll(a="S1", b=None)
    units.saw("a", "S1")
    units.leave("a")
    assert units.owner("S1", besides="b") is None
    assert units.answers_at("S1", besides="b") is None


def test_an_exchange_is_seen_from_both_names() -> None:
    units = roll(a="S1", b="S2")
    units.saw("a", "S2")
    units.saw("b", "S1")
    assert (units.known_as("S2", besides="a"), units.answers_at("S1", besides="a")) == ("b", "b")
    assert (units.known_as("S1", besides="b"), units.answers_at("S2", besides="b")) == ("a", "a")
    units.saw("b", None)
    assert units.answers_at("S1", besides="a") is None


@given(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["S1", "S2", None])),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["S1", "S2", None])),
    st.sampled_from(["S1", "S2"]),
)
def test_no_unit_is_read_under_two_pinned_names(
    pins: dict[str, str | None], seen: dict[str, str | None], serial: str
) -> None:
    units = roll(**pins)
    for name in pins:
        units.saw(name, seen.get(name))
    reads = [name for name in pins if pins[name] == serial and units.owner(serial, besides=name) is None]
    here = [name for name in reads if seen.get(name) in (None, serial)]
    assert len(here) <= 1
