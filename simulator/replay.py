"""What a recorded unit says at a moment of its recording. The recording begins at the first question and holds at its
end.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers.capture.model import Alert, Capture, Refusal, Registers, Reply, Said, Silence, Wire
from drivers.smartups.registers import REGISTERS, VERIFICATION_WORDS

ILLEGAL_ADDRESS = 2
"""Modbus exception to a read of what was not recorded."""
GAP = 0xFFFF
"""What a UPS fills undefined addresses with (AN176 3.2.1)."""
CONSTANTS: Mapping[int, int] = MappingProxyType(
    {at: word for address, words in VERIFICATION_WORDS.items() for at, word in enumerate(words, address)}
)
_DEFINED = frozenset(address for row in REGISTERS for address in range(row.address, row.end))

Answer = tuple[int, ...] | int | None
"""Words, the code of a Modbus exception, or None for silence."""


class Tape:
    """Hands out what was said, step by step, as its time comes. Times are monotonic seconds."""

    def __init__(self, capture: Capture) -> None:
        self._steps = capture.steps
        self._next = 0
        self._began_at: float | None = None

    def until(self, now: float) -> tuple[Said, ...]:
        """All that was said since the last call."""
        if self._began_at is None:
            self._began_at = now
        first = self._next
        while self._next < len(self._steps) and self._steps[self._next].at_ms <= 1000 * (now - self._began_at):
            self._next += 1
        return tuple(said for step in self._steps[first : self._next] for said in step.said)

    @property
    def begun(self) -> bool:
        return self._began_at is not None


class RecordedRegisters:
    """Answers reads as the unit did. A plain file of registers says nothing of the constants that prove word order;
    every unit of this map has them, so they are there.
    """

    def __init__(self, capture: Capture) -> None:
        self._tape = Tape(capture)
        self._words = dict(CONSTANTS) if capture.header.wire is Wire.REGISTERS else {}
        self._failed: dict[tuple[int, int], Refusal | Silence] = {}

    def read(self, address: int, count: int, now: float) -> Answer:
        """A read that failed when recorded fails so again; one that was not made is answered from what others said."""
        for said in self._tape.until(now):
            self._hear(said)
        match self._failed.get((address, count)):
            case Refusal(code=code):
                return code
            case Silence():
                return None
        words = [self._word(at) for at in range(address, address + count)]
        known = [word for word in words if word is not None]
        return tuple(known) if len(known) == count else ILLEGAL_ADDRESS

    def _hear(self, said: Said) -> None:
        if isinstance(said, Registers):
            self._words.update(enumerate(said.words, said.address))
            self._failed.pop((said.address, len(said.words)), None)
        elif isinstance(said, Refusal | Silence):
            self._failed[said.address, said.count] = said

    def _word(self, address: int) -> int | None:
        return self._words.get(address, None if address in _DEFINED else GAP)


class RecordedReplies:
    """Answers UPS-Link's characters as the unit did; what was never asked is not available (`NA`)."""

    def __init__(self, capture: Capture) -> None:
        self._tape = Tape(capture)
        self._replies: dict[str, str | None] = {}
        self._alerts: list[str] = []

    def ask(self, asked: str, now: float) -> str | None:
        """The reply without CR and LF; None is silence."""
        self._hear(now)
        return self._replies.get(asked, "NA")

    def alerts(self, now: float) -> str:
        """The alert characters that came since the last call; none before the first question."""
        if self._tape.begun:
            self._hear(now)
        come, self._alerts = "".join(self._alerts), []
        return come

    def _hear(self, now: float) -> None:
        for said in self._tape.until(now):
            if isinstance(said, Reply):
                self._replies[said.asked] = said.said
            elif isinstance(said, Alert):
                self._alerts.append(said.character)
