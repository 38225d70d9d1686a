"""What is said to gateways after a commit."""

from __future__ import annotations

from cloud_bridge.answers import ASK_AGAIN_AFTER_S, MAX_ASKED, Answers, Asked
from gateway.wire.codec import decode
from gateway.wire.messages import Ack, Lane, LaneAck
from tests.cloud_bridge.words import OTHER_STREAM, STREAM, hello

G = "pi-a"


def said(answers: Answers, asked: Asked | None = None, now_s: float = 0.0) -> list[tuple[str, Ack]]:
    return [(topic, decode(payload, Ack)) for topic, payload in answers.messages(asked or Asked(), now_s)]


def asks(through: int, asked: Asked, now_s: float) -> bool:
    answers = Answers()
    answers.acknowledge(G, Lane.EVENTS, LaneAck(stream=STREAM, through=through, again=True))
    return bool(said(answers, asked, now_s))


def test_a_hello_is_answered_for_both_lanes_with_its_connection() -> None:
    answers = Answers()
    lanes = {lane: LaneAck(stream=STREAM, through=3) for lane in Lane}
    answers.greet(G, hello("c7"), lanes)
    assert said(answers) == [("ups/v1/pi-a/down/ack", Ack(lanes=lanes, conn="c7"))]


def test_of_one_streams_batches_only_the_last_is_acknowledged() -> None:
    answers = Answers()
    for stream, through in ((STREAM, 1), (OTHER_STREAM, 5), (STREAM, 4)):
        answers.acknowledge(G, Lane.EVENTS, LaneAck(stream=stream, through=through))
    assert [ack.lanes[Lane.EVENTS].through for _, ack in said(answers)] == [4, 5]


def test_a_hole_is_asked_for_again_only_after_a_while() -> None:
    asked = Asked()
    assert asks(3, asked, 0.0)
    assert not asks(3, asked, ASK_AGAIN_AFTER_S - 0.1)
    assert asks(3, asked, ASK_AGAIN_AFTER_S)


def test_another_hole_is_asked_for_at_once() -> None:
    asked = Asked()
    assert asks(3, asked, 0.0)
    assert asks(9, asked, 0.0)


def test_a_stream_that_went_on_may_be_asked_at_once() -> None:
    asked = Asked()
    assert asks(3, asked, 0.0)
    answers = Answers()
    answers.acknowledge(G, Lane.EVENTS, LaneAck(stream=STREAM, through=4))
    assert len(said(answers, asked)) == 1
    assert asks(3, asked, 0.1)


def test_stream_names_that_a_gateway_makes_up_fill_no_memory() -> None:
    asked = Asked()
    for number in range(MAX_ASKED + 5):
        assert asked.may_say(G, Lane.EVENTS, LaneAck(stream=f"{number:016x}", through=0, again=True), 0.0)
    assert not asked.may_say(G, Lane.EVENTS, LaneAck(stream=f"{MAX_ASKED + 4:016x}", through=0, again=True), 0.0)
    assert asked.may_say(G, Lane.EVENTS, LaneAck(stream=f"{0:016x}", through=0, again=True), 0.0)
