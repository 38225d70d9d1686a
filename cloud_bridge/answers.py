"""What is to be said to gateways after a commit. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.wire.codec import encode
from gateway.wire.messages import Ack, Hello, Lane, LaneAck
from gateway.wire.topics import Down, down

ASK_AGAIN_AFTER_S = 2.0
"""Batches in flight behind a hole all ask for the same number: it is asked for once in this time."""

MAX_ASKED = 10_000
"""Most streams whose last question is remembered; stream names are their gateways' choice."""


class Answers:
    """Collects one transaction's answers: one a stream, of which the last counts, and one a hello."""

    def __init__(self) -> None:
        self._acks: dict[tuple[str, ...], tuple[str, Ack]] = {}

    def greet(self, gateway: str, hello: Hello, lanes: dict[Lane, LaneAck]) -> None:
        self._acks[gateway, hello.conn] = (gateway, Ack(lanes=lanes, conn=hello.conn))

    def acknowledge(self, gateway: str, lane: Lane, ack: LaneAck) -> None:
        self._acks[gateway, lane, ack.stream] = (gateway, Ack(lanes={lane: ack}))

    def messages(self, asked: Asked, now_s: float) -> Iterator[tuple[str, bytes]]:
        """(topic, payload) of each, but for a question that was just asked."""
        for gateway, ack in self._acks.values():
            if all(asked.may_say(gateway, lane, one, now_s) for lane, one in ack.lanes.items()):
                yield down(gateway, Down.ACK), encode(ack)


class Asked:
    """Which streams were asked to be sent again, from where, and when (monotonic seconds)."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, Lane, str], tuple[int, float]] = {}

    def may_say(self, gateway: str, lane: Lane, ack: LaneAck, now_s: float) -> bool:
        key = (gateway, lane, ack.stream)
        if not ack.again:
            self._last.pop(key, None)
            return True
        through, at_s = self._last.get(key, (-1, 0.0))
        if through == ack.through and now_s < at_s + ASK_AGAIN_AFTER_S:
            return False
        if len(self._last) >= MAX_ASKED:
            self._last.clear()
        self._last[key] = (ack.through, now_s)
        return True
