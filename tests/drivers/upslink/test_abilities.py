"""`a`, the lists for old units and the capability string."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.upslink.abilities import BY_CODE, ENUMERATED, VERY_OLD, choices, known, told
from drivers.upslink.characters import ALERTS, QUERIES
from tests.drivers.upslink.memory import CAPABILITIES, LISTED

ESP = f"3.!$%+?=#|.{LISTED}"


def test_a_real_list_is_parsed_as_bytes() -> None:
    abilities = told(ESP)
    assert set("\x01\x0e\x1a')-89@ABDE~") <= abilities.characters
    assert "C" not in abilities.characters
    assert not abilities.old
    assert not abilities.output_hz


@given(st.sampled_from(ALERTS), st.integers(0, len(ESP)))
def test_an_alert_anywhere_in_the_list_adds_and_loses_no_command(alert: str, at: int) -> None:
    expected = told(ESP).characters
    assert told(ESP[:at] + alert + ESP[at:]).characters - {"+"} == expected - {"+"}


def test_an_rt_with_another_version_and_unknown_characters_is_understood() -> None:
    """Section 10; NUT once failed on version 4."""
    abilities = told("4.!$%+?=#|.\x01\x05\x09\x0c\x0e\x14\x16/79<>@AB")
    assert set("/79<>AB\x0c") <= abilities.characters


def test_the_extension_says_that_f_is_the_output_frequency() -> None:
    assert told("3.!$.ABF.\x9f:\xd3\xd4").output_hz
    assert not told("3.!$.ABF.\x9f:\xd4").output_hz


@pytest.mark.parametrize("reply", ["", "NA", "OK", "3.!$", "3.!$.", "33..A", ".!.A", "three.!.A"])
def test_what_is_no_list_is_refused(reply: str) -> None:
    with pytest.raises(ValueError, match="VERSION"):
        told(reply)


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_any_text_is_a_list_or_a_value_error(reply: str) -> None:
    try:
        assert "Q" in told(reply).characters
    except ValueError:
        return


@pytest.mark.parametrize(
    ("code", "has", "lacks"),
    [
        ("6TD", "Q9j@n", "a8/~"),
        ("8QI", "Q9j@n", "a\x1a"),
        ("6JI", "Q8TfG", "jcn"),
        ("8GI", "Qf9", "cnj"),
        ("9GI", "Qfc", "nj8"),
        ("5.4.D", "\x01bdfj9", "LOC"),
        ("0XM", "8w/<>\\^\x0c\x16", "a"),
        ("5ZM", "/<>", "8a"),
        ("9F", "Q89@", "nfj"),
    ],
)
def test_an_old_unit_has_the_list_of_its_code(code: str, has: str, lacks: str) -> None:
    abilities = known(code)
    assert abilities is not None
    assert set(has) <= abilities.characters
    assert not set(lacks) & abilities.characters
    assert abilities.old


@pytest.mark.parametrize("code", ["", "GWD", "FWI", "5YI", "50.9.D", "9f", "123"])
def test_a_code_that_is_not_in_the_table_says_nothing(code: str) -> None:
    assert known(code) is None


def test_lists_ask_the_status_always_and_never_a_digit_under_7() -> None:
    for code in BY_CODE:
        found = known(code)
        assert found is not None
        assert "Q" in found.characters
        assert not set("0123456") & found.characters
    assert "Q" in VERY_OLD.characters


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("D", {"u": ("132", "135", "138", "129"), "l": ("100", "103", "097", "106"), "o": ("115",)}),
        (
            "I",
            {"u": ("253", "264", "271", "280"), "l": ("196", "188", "208", "204"), "o": ("230", "240", "220", "225")},
        ),
        ("M", {"u": ("229", "234", "239", "224"), "l": ("177", "172", "168", "182"), "o": ("208",)}),
        ("A", {"u": ("110", "112", "114", "108"), "l": ("090", "092", "081", "085")}),
        ("W", {}),
    ],
)
def test_the_real_capability_string_of_section_11(locale: str, expected: dict[str, tuple[str, ...]]) -> None:
    everywhere = {
        "e": ("00", "15", "50", "90"),
        "s": ("H", "M", "L", "L"),
        "q": ("02", "05", "07", "10"),
        "p": ("020", "180", "300", "600"),
        "k": ("0", "T", "L", "N"),
        "r": ("000", "060", "180", "300"),
        "E": ("336", "168", "ON ", "OFF"),
    }
    assert choices(CAPABILITIES, locale) == {**everywhere, **expected}


def test_the_doubled_marks_of_a_matrix_part_the_same_groups() -> None:
    assert choices("##uD43132135138129##s441HMLA", "D") == {"u": ("132", "135", "138", "129"), "s": tuple("HMLA")}


def test_a_count_past_the_end_costs_that_group_alone() -> None:
    """Firmware 451.2.I."""
    assert choices("#s441HMLLuI93253264", "I") == {"s": tuple("HMLL")}


def test_a_count_below_0_is_no_value() -> None:
    """RT units, 411.8.I: `/` read as -1."""
    assert choices("#u4/3s441HMLA", "I") == {"s": tuple("HMLA")}


def test_values_of_another_form_than_the_setting_has_are_left_out() -> None:
    assert choices("#u422OKNOs441HMLA", "I") == {"s": tuple("HMLA")}


@given(st.text(st.characters(max_codepoint=255), max_size=600))
def test_any_text_is_a_capability_string_or_a_value_error(reply: str) -> None:
    try:
        found = choices(reply, "D")
    except ValueError:
        return
    assert set(found) <= set(ENUMERATED)
    assert all(QUERIES[char].fits(value) for char, values in found.items() for value in values)


@given(st.data())
def test_a_damaged_capability_string_gives_no_value_of_a_wrong_form(data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(CAPABILITIES) - 1))
    damaged = CAPABILITIES[:at] + data.draw(st.sampled_from(["", "7", "~", "u"])) + CAPABILITIES[at + 1 :]
    for char, values in choices(damaged, "I").items():
        assert all(QUERIES[char].fits(value) for value in values)
