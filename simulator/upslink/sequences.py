"""Commands of several characters while they come in (ups-link.md sections 4.3, 7.3 and 12.2)."""

from __future__ import annotations

import msgspec

DIGITS = 3
TEXT_LENGTH = 8
DOUBLED = frozenset("KZ\x0e")
"""Characters that have to come twice, with a pause between."""


class Doubled(msgspec.Struct, frozen=True):
    """The first of two equal characters, at that monotonic second."""

    character: str
    at: float


class Typed(msgspec.Struct, frozen=True):
    """`@` with the digits, or a name or date with the characters, that have come so far; the last one at `at`."""

    command: str
    at: float
    text: str = ""

    @property
    def length(self) -> int:
        return DIGITS if self.command == "@" else TEXT_LENGTH

    @property
    def complete(self) -> bool:
        return len(self.text) == self.length

    def and_then(self, character: str, now: float) -> Typed:
        return Typed(self.command, now, self.text + character)


Sequence = Doubled | Typed


def stale(sequence: Sequence, now: float, *, double_max_s: float, typing_max_s: float) -> bool:
    """Whether it has been left lying for too long to go on with."""
    limit_s = double_max_s if isinstance(sequence, Doubled) else typing_max_s
    return now - sequence.at > limit_s


def spelled(characters: str) -> str:
    """The characters as a record shows them: control characters as ^N, DEL and the like."""
    return "".join(_spelled(each) for each in characters)


def _spelled(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return f"^{chr(code + 0x40)}"
    if code == 0x7F:
        return "DEL"
    return character if code < 0x7F else f"\\x{code:02x}"
