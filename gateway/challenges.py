"""Challenges that this gateway issued (S9): each for one order, good for limits.CHALLENGE_S by a monotonic clock."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.wire import limits
from gateway.wire.orders import Challenge

OPEN_AT_MOST = 32
"""Most at a time, and so in each minute: whoever owns the broker can ask for some, at no cost but his own."""

AGAIN_AFTER_S = 1.0
"""How often the same one is said again at most."""


class _Issued(msgspec.Struct):
    challenge: str
    issued_s: float
    said_s: float


class Challenges:
    """`draw`: 16 random bytes as hexadecimal digits."""

    def __init__(self, draw: Callable[[], str]) -> None:
        self._draw = draw
        self._open: dict[str, _Issued] = {}

    def wanted(self, order: str, now_s: float) -> Challenge | None:
        """The answer to who wants a challenge for this order; None: too many are open, or it was said just now."""
        self._forget(now_s)
        issued = self._open.get(order)
        if issued is None:
            if len(self._open) >= OPEN_AT_MOST:
                return None
            issued = self._open[order] = _Issued(self._draw(), now_s, now_s)
        elif now_s - issued.said_s < AGAIN_AFTER_S:
            return None
        issued.said_s = now_s
        return Challenge(id=order, challenge=issued.challenge)

    def age_s(self, order: str, challenge: str, now_s: float) -> float | None:
        """How old the challenge of an order is; None: not issued for it, used, or forgotten."""
        issued = self._open.get(order)
        return now_s - issued.issued_s if issued is not None and issued.challenge == challenge else None

    def used(self, order: str) -> None:
        self._open.pop(order, None)

    def _forget(self, now_s: float) -> None:
        old = [order for order, each in self._open.items() if now_s - each.issued_s > limits.CHALLENGE_S]
        for order in old:
            del self._open[order]
