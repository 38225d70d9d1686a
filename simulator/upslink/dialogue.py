"""The UPS's side of a UPS-Link line: a character in, an answer or silence out. No port and no clock in here."""

from __future__ import annotations

import msgspec

from drivers.ups import State
from simulator.upslink import queries
from simulator.upslink.commands import NA, NO, SILENCE, STAR, Commands
from simulator.upslink.editor import STEPS, TEXTS, Editor
from simulator.upslink.engine import Unit
from simulator.upslink.profile import Profile
from simulator.upslink.queries import Truth
from simulator.upslink.sequences import DOUBLED, Doubled, Sequence, Typed, stale
from simulator.upslink.settings import UpsLinkSettings
from simulator.upslink.watch import Watch

SMART, BYE = "SM\r\n", "BYE\r\n"
DIGITS = frozenset("0123456789")


class Dialogue:
    """One line. Its memory is bounded: eight characters of a text, and a position for each setting."""

    def __init__(self, unit: Unit, profile: Profile, wire: UpsLinkSettings) -> None:
        self._unit, self._profile, self._wire = unit, profile, wire
        self._watch = Watch()
        self._commands = Commands(unit, profile)
        self._editor = Editor(unit, profile, self._watch, self._commands)
        self._sequence: Sequence | None = None
        self._last = ""
        self._smart = self._asleep = False

    def alerts(self) -> bytes:
        """What the unit says unasked by now; to be called often, for this is when it looks at itself."""
        snapshot = self._unit.snapshot()
        found = self._watch.look(snapshot, self._unit.settings(), self._unit.now_s)
        self._asleep = self._asleep and snapshot.state is State.OFF
        if not self._smart or self._asleep or not self._wire.alerts:
            return b""
        return "".join(each for each in found if each in self._profile.alerts).encode("ascii")

    def hear(self, byte: int, now: float) -> bytes:
        """The answer to this byte, which came at monotonic second `now`; nothing is silence."""
        reply = self._hear(chr(byte), now)
        told = self._commands.take_told()
        lost = bool(reply) and self._loses(command=told is not None)
        if told is not None:
            self._unit.record_command(msgspec.structs.replace(told, answered=not lost))
        return b"" if lost else reply.encode("latin-1")

    def _loses(self, *, command: bool) -> bool:
        """Whether this answer is swallowed, one less to come then."""
        if self._wire.swallow > 0:
            self._wire.swallow -= 1
            return True
        if command and self._wire.swallow_commands > 0:
            self._wire.swallow_commands -= 1
            return True
        return False

    def _hear(self, character: str, now: float) -> str:
        if self._asleep:
            return SILENCE
        if not self._smart:
            self._smart = character == "Y"
            return SMART if self._smart else SILENCE
        if self._sequence is not None:
            reply = self._go_on(self._sequence, character, now)
            if reply is not None:
                return reply
        last, self._last = self._last, character
        if character not in self._profile.answered:
            return self._commands.told(character, NA)
        return self._one(character, last, now)

    def _one(self, character: str, last: str, now: float) -> str:
        """A character that stands by itself, or begins something; `last` is the one before."""
        if character == "Y":
            return SMART
        if character == "R":
            self._smart = False
            return BYE
        if character in DOUBLED:
            self._sequence = Doubled(character, now)
            return SILENCE
        if character == "@":
            return self._begin_sleep(now)
        if character in STEPS:
            return self._edit(last, character, now)
        reply = self._commands.single(character)
        return self._query(character, now) if reply is None else reply

    def _begin_sleep(self, now: float) -> str:
        if self._unit.snapshot().state is State.OFF:
            return self._commands.told("@", NA)
        self._sequence = Typed("@", now)
        return SILENCE

    def _edit(self, setting: str, step: str, now: float) -> str:
        """`-` or `+`: the character before it names what is to change."""
        if setting in TEXTS and step == "-":
            self._sequence = Typed(setting, now)
            return SILENCE
        return self._editor.step(setting, step)

    def _query(self, character: str, now: float) -> str:
        truth = self._truth(now)
        text = queries.answer(character, truth)
        if character in ("M", "N"):
            self._watch.forget_extremes(truth.snapshot, highest=character == "M")
        if character == "x" and (note := self._editor.battery_note()) is not None:
            text = note
        return NA if text is None else f"{text}\r\n"

    def _truth(self, now: float) -> Truth:
        return Truth(
            snapshot=self._wire.faults.shown(self._unit.snapshot(), now),
            identity=self._unit.identity(),
            settings=self._unit.settings(),
            profile=self._profile,
            watch=self._watch,
            now_s=self._unit.now_s,
        )

    # what is begun goes on

    def _go_on(self, sequence: Sequence, character: str, now: float) -> str | None:
        """The answer to the next character of a sequence; None if it is none of it, and stands by itself."""
        self._sequence = None
        double_max_s, typing_max_s = self._wire.double_max_ms / 1000, self._wire.typing_max_ms / 1000
        if stale(sequence, now, double_max_s=double_max_s, typing_max_s=typing_max_s):
            return None
        if isinstance(sequence, Doubled):
            return self._double(sequence, now) if character == sequence.character else None
        if sequence.command == "@" and character not in DIGITS:
            broken_off = SILENCE if self._profile.old else NO
            return self._commands.told(f"@{sequence.text}{character}", broken_off)
        typed = sequence.and_then(character, now)
        if not typed.complete:
            self._sequence = typed
            return SILENCE
        return self._sleep(typed.text) if typed.command == "@" else self._editor.write(typed.command, typed.text)

    def _double(self, first: Doubled, now: float) -> str:
        """The second of two; one that comes too soon is not done (our inference, 7.3)."""
        if now - first.at < self._wire.double_min_ms / 1000:
            return self._commands.told(first.character * 2, NA)
        return self._commands.doubled(first.character)

    def _sleep(self, digits: str) -> str:
        """An old unit that has gone to sleep does not hear until it wakes (7.2)."""
        reply = self._commands.sleep(digits)
        self._asleep = reply == STAR and self._unit.snapshot().state is State.OFF
        return reply
