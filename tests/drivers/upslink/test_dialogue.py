"""Bytes to replies and alerts, whatever comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.upslink.characters import ALERTS, LINE_LIMIT
from drivers.upslink.dialogue import ALERTS_KEPT, Dialogue


def asked(data: bytes, keeps: str = "", lone: str = "") -> Dialogue:
    dialogue = Dialogue()
    dialogue.ask(keeps, lone)
    dialogue.feed(data)
    return dialogue


def test_a_reply_ends_with_its_line_feed() -> None:
    dialogue = asked(b"118.3\r")
    assert (dialogue.reply, dialogue.begun) == (None, True)
    dialogue.feed(b"\n")
    assert (dialogue.reply, dialogue.odd) == ("118.3", "")


@given(st.text("0123456789.:ABF", min_size=1, max_size=12), st.sampled_from(ALERTS), st.data())
def test_an_alert_anywhere_in_a_reply_leaves_the_reply_whole_and_is_noted(
    reply: str, alert: str, data: st.DataObject
) -> None:
    line = f"{reply}\r\n"
    at = data.draw(st.integers(0, len(line)))
    cut = data.draw(st.integers(0, len(line) + 1))
    sent = (line[:at] + alert + line[at:]).encode()
    dialogue = asked(sent[:cut])
    dialogue.feed(sent[cut:])
    assert dialogue.reply == reply
    assert dialogue.alerts == alert
    assert not dialogue.odd


def test_more_than_one_reply_is_odd_and_so_is_a_line_without_end() -> None:
    assert asked(b"08\r\n08\r\n").odd
    assert asked(b"8" * (LINE_LIMIT + 1)).odd
    assert not asked(b"8" * LINE_LIMIT).odd


def test_the_answer_of_older_units_has_no_line_end() -> None:
    assert asked(b"*", lone="*").reply == "*"
    assert asked(b"*").reply is None
    assert asked(b"O*K\r\n", lone="*").reply == "OK"


def test_what_the_two_long_replies_keep_is_no_alert() -> None:
    assert asked(b"3.!$%+?=#|.AB\r\n", ALERTS).reply == "3.!$%+?=#|.AB"
    caps = asked(b"#uD!43\r\n", "#")
    assert (caps.reply, caps.alerts) == ("#uD43", "!")


def test_bytes_that_nobody_asked_for_are_counted_unless_they_are_alerts() -> None:
    dialogue = Dialogue()
    assert dialogue.feed(b"!\r\n$08") == 4
    assert dialogue.alerts == "!$"
    assert dialogue.reply is None
    dialogue.seen()
    assert not dialogue.alerts


@given(st.lists(st.binary(max_size=300), max_size=20), st.sampled_from(["", ALERTS, "#"]))
def test_any_bytes_leave_it_bounded(portions: list[bytes], keeps: str) -> None:
    dialogue = Dialogue()
    dialogue.ask(keeps, "*")
    for portion in portions:
        dialogue.feed(portion)
    assert len(dialogue.alerts) <= ALERTS_KEPT
    assert len(dialogue.reply or "") <= LINE_LIMIT
