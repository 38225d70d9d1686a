from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.text import one_line

HOSTILE = "a\r\nb\x1b[31m\x9b2J\u2028\u202e[link]<script>=cmd\"'\x00é"


def test_s6_a_hostile_string_is_one_line_without_controls() -> None:
    assert one_line(HOSTILE, 100) == ("a\\r\\nb\\x1b[31m\\x9b2J\\u2028\\u202e[link]<script>=cmd\"'\\x00é")


@pytest.mark.parametrize(("text", "shown"), [("abc", "abc"), ("abcd", "abc... (1 more)"), ("", "")])
def test_what_is_cut_is_told(text: str, shown: str) -> None:
    assert one_line(text, 3) == shown


@given(st.text(st.characters()), st.integers(0, 50))
def test_any_text_is_printable_afterwards(text: str, limit: int) -> None:
    assert one_line(text, limit).isprintable()
