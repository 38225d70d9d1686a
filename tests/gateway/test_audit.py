"""The chain of the audit log: what it notices."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit import BEGINNING, Act, Broken, Head, Line, after, appended, entry, verify


def log(count: int) -> list[Line]:
    head, lines = Head(), []
    for number in range(count):
        line = appended(head, Act(at=number, clock="synchronised", what="command", id=str(number)))
        lines.append(line)
        head = after(line)
    return lines


def test_a_whole_log_ends_in_its_head() -> None:
    lines = log(5)
    assert verify(lines) == Head(lines[-1].digest, 5)
    assert verify([]) == Head()


def test_a_digest_is_over_the_one_before_and_the_lines_own_text() -> None:
    first, second = log(2)
    assert (
        first.text == f'{{"at":0,"clock":"synchronised","what":"command","id":"0","number":1,"previous":"{BEGINNING}"}}'
    )
    assert second.digest == hashlib.sha256((first.digest + second.text).encode()).hexdigest()
    assert entry(second).previous == first.digest


@given(count=st.integers(1, 8), data=st.data())
def test_a_changed_line_is_found_wherever_it_stands(count: int, data: st.DataObject) -> None:
    lines = log(count)
    at = data.draw(st.integers(0, count - 1))
    text = lines[at].text
    spot = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != text[spot]))
    lines[at] = msgspec.structs.replace(lines[at], text=text[:spot] + other + text[spot + 1 :])
    found = verify(lines)
    assert isinstance(found, Broken)
    assert found.number == at + 1


@given(count=st.integers(2, 8), data=st.data())
def test_a_line_taken_away_from_the_midst_is_found(count: int, data: st.DataObject) -> None:
    lines = log(count)
    at = data.draw(st.integers(0, count - 2))
    del lines[at]
    found = verify(lines)
    assert isinstance(found, Broken)
    assert found.number == at + 1


def test_a_line_taken_from_the_end_shows_in_the_head() -> None:
    lines = log(3)
    assert verify(lines[:-1]) == Head(lines[1].digest, 2) != verify(lines)


def test_a_chain_that_was_made_anew_from_a_line_on_has_another_head() -> None:
    lines = log(4)
    forged = appended(after(lines[1]), Act(at=9, clock="synchronised", what="command"))
    again = [*lines[:2], forged, appended(after(forged), Act(at=3, clock="synchronised", what="command", id="3"))]
    assert isinstance(verify(again), Head)
    assert verify(again) != verify(lines)


def test_two_lines_that_changed_places_are_found() -> None:
    first, second = log(2)
    swapped = [msgspec.structs.replace(second, number=1), msgspec.structs.replace(first, number=2)]
    assert verify(swapped) == Broken(1, "is not what its digest was made of")


@pytest.mark.parametrize("text", ["", "{}", '{"number":1}', "\x00"])
def test_what_is_no_line_is_told_so_even_if_its_digest_fits(text: str) -> None:
    line = Line(1, text, hashlib.sha256((BEGINNING + text).encode()).hexdigest())
    assert verify([line]) == Broken(1, "is no line of an audit log")


def test_a_line_that_says_another_number_belongs_elsewhere() -> None:
    text = log(3)[2].text
    line = Line(1, text, hashlib.sha256((BEGINNING + text).encode()).hexdigest())
    assert verify([line]) == Broken(1, "belongs in another place")
