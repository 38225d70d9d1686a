"""NUT's lines: words, quotes, answers that are whole, cut, too long or something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.nut.protocol import (
    ANSWER_LIMIT,
    LINE_LIMIT,
    ROWS_LIMIT,
    Failure,
    Malformed,
    Reader,
    Reply,
    bare,
    getting,
    listing,
    quoted,
    saying,
    words,
)

LIST_VAR = (
    b"BEGIN LIST VAR rack-a\n"
    b'VAR rack-a ups.status "OL CHRG"\n'
    b'VAR rack-a ups.id "say \\"A\\" \\\\ \\#1"\n'
    b'VAR rack-a ups.serial ""\n'
    b"END LIST VAR rack-a\n"
)
TEXTS = st.text(st.characters(codec="utf-8").filter(str.isprintable), max_size=60)


def test_a_list_is_its_rows_without_their_heads() -> None:
    answer = Reader(listing("VAR", "rack-a")).feed(LIST_VAR)
    assert answer == Reply((("ups.status", "OL CHRG"), ("ups.id", 'say "A" \\ #1'), ("ups.serial", "")))


def test_a_value_is_the_word_behind_its_name() -> None:
    answer = Reader(getting("rack-a", "ups.status")).feed(b'VAR rack-a ups.status "OB LB"\r\n')
    assert answer == Reply((("OB LB",),))


def test_an_error_is_its_token_whatever_follows() -> None:
    assert Reader(listing("VAR", "x")).feed(b'ERR DATA-STALE "and more"\n') == Failure("DATA-STALE")


def test_requests_are_the_lines_of_the_protocol() -> None:
    assert listing("VAR", "rack-a").encoded() == b"LIST VAR rack-a\n"
    assert getting("rack-a", "ups.status").encoded() == b"GET VAR rack-a ups.status\n"
    assert saying("PASSWORD", quoted('a"b\\c #')).encoded() == b'PASSWORD "a\\"b\\\\c \\#"\n'


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("OK STARTTLS", ("OK", "STARTTLS")),
        ('  VAR  u  v  "a b"  ', ("VAR", "u", "v", "a b")),
        ('VAR u v ""', ("VAR", "u", "v", "")),
        ("OK # a comment", ("OK",)),
        ('"#" a\\#b', ("#", "a#b")),
        ("a\\ b", ("a b",)),
        ("", ()),
    ],
)
def test_a_line_is_parted_into_words(line: str, found: tuple[str, ...]) -> None:
    assert words(line) == found


@pytest.mark.parametrize("line", ['VAR u v "open', 'VAR u v "x" \\'])
def test_a_line_that_ends_inside_a_word_is_refused(line: str) -> None:
    with pytest.raises(Malformed):
        words(line)


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "a\nb", "a\\b", "a#b", "a=b", "ä", "x" * 129])
def test_a_name_that_would_need_quotes_is_never_sent(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        bare(name)


@pytest.mark.parametrize("text", ["a\nLIST UPS", "a\rb", "\x00"])
def test_a_value_can_not_bring_a_line_of_its_own(text: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        quoted(text)


@given(TEXTS)
def test_what_is_quoted_reads_as_it_was(text: str) -> None:
    assert words(f"SET VAR u v {quoted(text)}") == ("SET", "VAR", "u", "v", text)


@given(st.integers(0, len(LIST_VAR) - 1))
def test_an_answer_cut_anywhere_is_none_yet_and_whole_with_the_rest(cut: int) -> None:
    reader = Reader(listing("VAR", "rack-a"))
    assert reader.feed(LIST_VAR[:cut]) is None
    assert reader.feed(LIST_VAR[cut:]) == Reader(listing("VAR", "rack-a")).feed(LIST_VAR)


@given(
    st.lists(st.binary(max_size=40), max_size=8),
    st.sampled_from([listing("VAR", "u"), getting("u", "v"), saying("VER")]),
)
def test_any_bytes_are_an_answer_or_malformed(pieces: list[bytes], request_sent: object) -> None:
    reader = Reader(request_sent)  # type: ignore[arg-type]  # one of three requests
    for piece in pieces:
        try:
            if reader.feed(piece) is not None:
                return
        except Malformed:
            return


@pytest.mark.parametrize(
    "data",
    [
        b'VAR other ups.status "OL"\n',
        b'VAR rack-a ups.load "12"\n',
        b'UPS rack-a "a rack"\n',
        b"OK\n",
        b"\n",
        b"VAR rack-a ups.status\n",
        b'VAR rack-a ups.status "OL"\nVAR rack-a ups.status "OB"\n',
        b'VAR rack-a ups.status "OL"\nVAR',
    ],
)
def test_an_answer_to_something_else_is_never_taken(data: bytes) -> None:
    with pytest.raises(Malformed):
        Reader(getting("rack-a", "ups.status")).feed(data)


@pytest.mark.parametrize(
    "data",
    [
        b'VAR rack-a ups.status "OL"\n',
        b"BEGIN LIST VAR other\n",
        b"BEGIN LIST RW rack-a\n",
        b"BEGIN LIST VAR rack-a\nEND LIST VAR other\n",
        b'BEGIN LIST VAR rack-a\nRW rack-a ups.id "x"\n',
        b"BEGIN LIST VAR rack-a\nERR DATA-STALE\n",
    ],
)
def test_a_list_of_something_else_is_never_taken(data: bytes) -> None:
    with pytest.raises(Malformed):
        Reader(listing("VAR", "rack-a")).feed(data)


def test_names_compare_without_case() -> None:
    answer = Reader(listing("VAR", "Rack")).feed(b'BEGIN LIST VAR rack\nVAR RACK a "1"\nEND LIST VAR rack\n')
    assert answer == Reply((("a", "1"),))


def test_what_a_peer_can_send_has_limits() -> None:
    with pytest.raises(Malformed, match="line of more"):
        Reader(saying("VER")).feed(b"x" * (LINE_LIMIT + 1))
    with pytest.raises(Malformed, match="rows"):
        Reader(listing("VAR", "u")).feed(b"BEGIN LIST VAR u\n" + b"VAR u a 1\n" * (ROWS_LIMIT + 1))
    with pytest.raises(Malformed, match="answer of more"):
        Reader(listing("VAR", "u")).feed(b"BEGIN LIST VAR u\n" + b"VAR u a 1\n" * (ANSWER_LIMIT // 10))


def test_a_password_is_not_in_what_is_shown_of_a_request() -> None:
    assert "secret" not in saying("PASSWORD", quoted("secret"), shown="PASSWORD").shown
