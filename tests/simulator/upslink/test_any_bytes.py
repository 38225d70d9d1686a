"""Whatever comes over the line: an answer or silence, never an exception, and no more memory than before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.upslink.engine import Sent

from .line import NEW, OLD, Line

REAL = st.sampled_from(sorted(Line().profile.answered | set("01\r\n\x1b")))
BYTES = st.one_of(st.integers(0, 255), REAL.map(ord))
STEPS = st.lists(st.tuples(BYTES, st.sampled_from([0.0, 0.05, 0.25, 1.5, 7.0, 30.0])), max_size=60)
ENDS = ("\r\n", "*")


@pytest.mark.parametrize("model", [NEW, OLD])
@given(steps=STEPS, outage_at=st.integers(0, 60))
def test_any_bytes_end_in_an_answer_or_in_silence(model: str, steps: list[tuple[int, float]], outage_at: int) -> None:
    line = Line(model)
    for number, (byte, gap_s) in enumerate(steps):
        if number == outage_at:
            line.outage()
        reply = line.dialogue.hear(byte, line.now).decode("latin-1")
        assert not reply or reply.endswith(ENDS)
        assert reply.count("\n") <= 1
        assert len(reply) <= 300
        assert set(line.wait(gap_s)) <= set(line.profile.alerts)


@given(st.binary(max_size=2000))
def test_what_is_remembered_of_a_stream_of_bytes_has_a_limit(data: bytes) -> None:
    line = Line()
    for byte in data:
        line.dialogue.hear(byte, line.now)
    assert all(len(each.characters) <= 50 for each in line.engine.sent)


@given(st.lists(st.sampled_from("QVbnc9GXLOFPfBgjC>8'~ulsoepqrkEy"), max_size=30))
def test_questions_change_nothing(characters: list[str]) -> None:
    line = Line()
    before = (line.unit.settings(), line.unit.identity(), line.unit.history.last_number)
    answers = line.ask("".join(characters))
    assert line.ask("".join(characters)) == answers
    assert (line.unit.settings(), line.unit.identity(), line.unit.history.last_number) == before
    assert line.sent == []


@given(st.text(alphabet="KZ\x0eSQ@0123456789", max_size=40), st.sampled_from([0.05, 0.5, 1.3]))
def test_s1_the_output_is_not_cut_by_characters_that_come_too_fast(characters: str, gap_s: float) -> None:
    """No K, Z or ^N counts twice within 1.4 s, and no `@` without its three digits."""
    line = Line()
    for character in characters:
        line.dialogue.hear(ord(character), line.now)
        line.wait(gap_s)
    cut = [each for each in line.engine.sent if each.order is not None]
    assert all(_is_sleep(each) for each in cut)
    assert cut == [] or line.unit.outlets.going_off or not line.unit.outlets.any_on


def _is_sleep(sent: Sent) -> bool:
    return len(sent.characters) == 4 and sent.characters[0] == "@" and sent.characters[1:].isdigit()
