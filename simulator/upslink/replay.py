"""The UPS's side of an UPS-Link line, out of a recording: nothing but its answers and alerts."""

from __future__ import annotations

from collections.abc import Callable

from simulator.replay import RecordedReplies

ENTER = "Y"
END = "\r\n"


class ReplayDialogue:
    """Answers as simulator.upslink.dialogue.Dialogue does; silent until `Y`. `clock` gives monotonic seconds."""

    def __init__(self, replies: RecordedReplies, clock: Callable[[], float]) -> None:
        self._replies = replies
        self._clock = clock
        self._smart = False

    def alerts(self) -> bytes:
        return self._replies.alerts(self._clock()).encode("latin-1") if self._smart else b""

    def hear(self, byte: int, now: float) -> bytes:
        """The answer to this byte, which came at the monotonic second `now`; nothing is silence."""
        self._smart = self._smart or chr(byte) == ENTER
        reply = self._replies.ask(chr(byte), now) if self._smart else None
        return b"" if reply is None else (reply + END).encode("latin-1")
