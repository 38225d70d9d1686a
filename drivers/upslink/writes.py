"""What can be written, and how each goes out: characters, silences and the answer (ups-link.md 4.3, 7.3, 12)."""

from __future__ import annotations

import msgspec

HUSH_S = 0.2
"""After the first character of a longer command the unit has to be silent for so long (NUT's pace)."""
PACE_S = 0.05
"""Between the further characters of a command (NUT's pace); a unit that is rushed may stop talking."""
DOUBLE_S = 1.6
"""Between the two presses of a doubled command: 1.5 s at least, and a little for a port that holds bytes back."""

TEXT_LENGTH = 8
"""Letters of a text; the unit waits for all of them (12.2)."""


class Press(msgspec.Struct, frozen=True):
    """A command of one character."""

    char: str


class Doubled(msgspec.Struct, frozen=True):
    """A command that counts only when it is pressed twice."""

    char: str


class Wake(msgspec.Struct, frozen=True):
    """`@nnn`: off, and back after `steps` times 6 minutes."""

    steps: int


class Rotate(msgspec.Struct, frozen=True):
    """`-`: the setting that was asked last moves to its next value."""

    setting: str


class Text(msgspec.Struct, frozen=True):
    """`-` and eight characters: the text that was asked last is replaced."""

    setting: str
    text: str


Write = Press | Doubled | Wake | Rotate | Text


class Send(msgspec.Struct, frozen=True):
    char: str


class Hush(msgspec.Struct, frozen=True):
    """The unit says nothing for so long. `strict`: not even an alert, else the command is broken off."""

    seconds: float
    strict: bool = False


class Answer(msgspec.Struct, frozen=True):
    """Its reply is waited for."""


Step = Send | Hush | Answer


def steps(write: Write) -> tuple[Step, ...]:
    """How it goes out. A text's edit is not broken off by an alert: the unit would wait for the rest of it."""
    match write:
        case Press(char):
            return Send(char), Answer()
        case Doubled(char):
            return Send(char), Hush(HUSH_S, True), Hush(DOUBLE_S - HUSH_S), Send(char), Answer()
        case Wake(count):
            paced = [step for digit in f"{count:03d}" for step in (Hush(PACE_S, True), Send(digit))]
            return Send("@"), Hush(HUSH_S, True), *paced, Answer()
        case Rotate():
            return Send("-"), Answer()
        case Text(_, text):
            typed = [step for char in text for step in (Hush(PACE_S), Send(char))]
            return Send("-"), Hush(HUSH_S), *typed, Answer()
