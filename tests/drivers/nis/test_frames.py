"""apcupsd's frames: whole, cut, too long, or something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.nis.frames import ANSWER_LIMIT, FRAME_LIMIT, STATUS_REQUEST, Malformed, Reader, keys

ANSWER = b"\x00\x13APC      : 001,2,40\x00\x12STATUS   : ONLINE\n\x00\x1cDATE     : 2026-11-24 04:54\n\0\0"


def test_the_request_is_eight_bytes() -> None:
    assert bytes.fromhex("00 06 73 74 61 74 75 73") == STATUS_REQUEST


def test_an_answer_is_its_lines() -> None:
    lines = Reader().feed(ANSWER)
    assert lines == ("APC      : 001,2,40", "STATUS   : ONLINE", "DATE     : 2026-11-24 04:54")
    assert keys(lines) == {"APC": "001,2,40", "STATUS": "ONLINE", "DATE": "2026-11-24 04:54"}


@given(st.integers(0, len(ANSWER) - 1))
def test_an_answer_cut_anywhere_is_none_yet_and_whole_with_the_rest(cut: int) -> None:
    reader = Reader()
    assert reader.feed(ANSWER[:cut]) is None
    assert reader.feed(ANSWER[cut:]) == Reader().feed(ANSWER)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_lines_or_malformed(pieces: list[bytes]) -> None:
    reader = Reader()
    for piece in pieces:
        try:
            if (lines := reader.feed(piece)) is not None:
                keys(lines)
                return
        except Malformed:
            return


def test_what_a_peer_can_send_has_limits() -> None:
    with pytest.raises(Malformed, match="frame of"):
        Reader().feed((FRAME_LIMIT + 1).to_bytes(2, "big"))
    frame = (1000).to_bytes(2, "big") + b"x" * 1000
    with pytest.raises(Malformed, match="answer of more"):
        Reader().feed(frame * (ANSWER_LIMIT // 1000 + 1))


def test_bytes_beyond_the_end_mark_are_refused() -> None:
    with pytest.raises(Malformed, match="more than the answer"):
        Reader().feed(ANSWER + b"\0")
