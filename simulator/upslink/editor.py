"""Changing a setting: values that step, texts that are typed (ups-link.md section 12)."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType

from simulator.orders import Order, Task
from simulator.upslink.commands import NO, OK, Commands
from simulator.upslink.engine import Unit
from simulator.upslink.profile import Profile
from simulator.upslink.values import SETTINGS, date_of
from simulator.upslink.watch import Watch

TEXTS = frozenset("cx")
"""Name and battery date: eight characters each."""
STEPS = MappingProxyType({"-": 1, "+": -1})
"""Both drivers step with `-`, in the order of `^Z` (12.1)."""


class Editor:
    """Each method returns the text of the answer."""

    def __init__(self, unit: Unit, profile: Profile, watch: Watch, commands: Commands) -> None:
        self._unit, self._watch, self._commands = unit, watch, commands
        self._choices = profile.choices
        self._positions: dict[str, int] = {}
        self._note: tuple[str, date | None] | None = None

    def step(self, setting: str, step: str) -> str:
        """To the next or the last of the values that this unit permits."""
        choices = self._choices.get(setting)
        if choices is None:
            return self._commands.told(setting + step, NO)
        present = SETTINGS[setting].read(self._unit.settings())
        position = (self._position(setting, choices, present) + STEPS[step]) % len(choices)
        reply = self._change(setting + step, SETTINGS[setting].order(choices[position]))
        if reply == OK:
            self._positions[setting] = position
        return reply

    def _position(self, setting: str, choices: tuple[str, ...], present: str | None) -> int:
        """Where the present value stands: values may occur twice, so the place is remembered (section 11)."""
        position = self._positions.get(setting, 0)
        if choices[position] == present:
            return position
        return choices.index(present) if present in choices else -1

    def write(self, command: str, typed: str) -> str:
        """A text of eight characters, padded with CR (NUT) or blanks (apcupsd)."""
        text = typed.partition("\r")[0].rstrip(" ")
        sent = f"{command}-{typed}"
        if not all(" " <= each <= "~" for each in text):
            return self._commands.told(sent, NO)
        if command == "c":
            return self._change(sent, Order(task=Task.SET_NAME, value=text))
        day = date_of(text)
        reply = self._change(sent, Order(task=Task.SET_BATTERY_DATE, value=day)) if day else self._write_down(sent)
        self._note = text, self._unit.identity().battery_installed_on
        return reply

    def battery_note(self) -> str | None:
        """What was typed as the battery's date, whatever it is, until the battery has another date."""
        if self._note is None:
            return None
        text, of = self._note
        return text if of == self._unit.identity().battery_installed_on else None

    def _write_down(self, sent: str) -> str:
        """A text that is no date concerns nothing but the memory it stands in."""
        self._watch.changed_setting(self._unit.now_s)
        return self._commands.told(sent, OK)

    def _change(self, characters: str, order: Order) -> str:
        reply = self._commands.order(characters, order, refused=NO)
        if reply == OK:
            self._watch.changed_setting(self._unit.now_s)
        return reply
