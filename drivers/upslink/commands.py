"""Commands to writes (ups-link.md sections 6, 7, 12). What may be sent at all stands in allowed.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import msgspec

from drivers.errors import NotAllowed
from drivers.ups import Command, State, Verb
from drivers.upslink import allowed, status
from drivers.upslink.abilities import Abilities
from drivers.upslink.allowed import TEXTS
from drivers.upslink.writes import Doubled, Press, Rotate, Text, Wake, Write

MINUTES_A_STEP = 6
"""`@nnn` counts tenths of an hour."""

PRESSES: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.BEEP: allowed.BEEP,
        Verb.SELF_TEST: allowed.SELF_TEST,
        Verb.SELF_TEST_ABORT: allowed.SELF_TEST,
        Verb.SIMULATE_POWER_FAILURE: allowed.FAILURE,
        Verb.CALIBRATION: allowed.CALIBRATION,
        Verb.CALIBRATION_ABORT: allowed.CALIBRATION,
    }
)
"""`W` and `D` start and stop; which of the two is meant decides the status before."""

SETTINGS: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.SET_NAME: "c",
        Verb.SET_BATTERY_DATE: "x",
        Verb.SET_TRANSFER_HIGH: "u",
        Verb.SET_TRANSFER_LOW: "l",
        Verb.SET_SENSITIVITY: "s",
        Verb.SET_TURN_OFF_DELAY: "p",
        Verb.SET_TURN_ON_DELAY: "r",
        Verb.SET_OUTPUT_VOLTAGE: "o",
        Verb.SET_LOW_BATTERY_RUNTIME: "q",
        Verb.SET_MINIMUM_RETURN_CHARGE: "e",
        Verb.SET_ALARM_DELAY: "k",
        Verb.SET_BATTERY_TEST_INTERVAL: "E",
    }
)
"""Verb to the character of the setting."""
_OF_THE_MAIN_GROUP = frozenset({Verb.SET_TURN_OFF_DELAY, Verb.SET_TURN_ON_DELAY})

OUTLETS = frozenset({Verb.OUTLET_ON, Verb.OUTLET_OFF, Verb.OUTLET_CANCEL})

WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"s": status.SENSITIVITIES, "k": status.ALARM_DELAYS, "E": status.TEST_INTERVALS}
)
"""Settings whose values have names."""

WITHOUT_CHARACTER = frozenset(Verb) - frozenset({*PRESSES, *SETTINGS, *OUTLETS, Verb.SHUTDOWN})
"""Verbs for which UPS-Link has no character, or only one that toggles (`^`, the bypass)."""


class Change(msgspec.Struct, frozen=True):
    """A setting and the value it is to have, in the words of the unit."""

    setting: str
    wanted: str


def lacking(command: Command, abilities: Abilities) -> str | None:
    """Why this unit can't do that at all; None if it can."""
    if command.verb in WITHOUT_CHARACTER:
        return f"{command.verb}: UPS-Link has no command for it"
    needed = _characters(command)
    if needed and not needed & abilities.characters:
        return f"{command.verb}: this unit does not list {' or '.join(map(repr, sorted(needed)))} among its commands"
    setting = SETTINGS.get(command.verb, "")
    if setting and setting not in TEXTS and not abilities.values.get(setting):
        return f"{command.verb}: this unit does not say which values it takes"
    return None


def _characters(command: Command) -> set[str]:
    """Any of these has to be listed; what cancels is listed by no unit (section 10)."""
    if command.verb in PRESSES:
        return {PRESSES[command.verb]}
    if command.verb in SETTINGS:
        return {SETTINGS[command.verb]}
    if command.verb is Verb.SHUTDOWN:
        return {"@"} if command.value is not None else {allowed.SOFT_OFF, "@"}
    return {_doubled(command)} if command.verb in (Verb.OUTLET_ON, Verb.OUTLET_OFF) else set()


def _doubled(command: Command) -> str:
    if command.verb is Verb.OUTLET_ON:
        return allowed.ON
    return allowed.OFF_AFTER_DELAY if command.use_off_delay else allowed.OFF_NOW


def check(command: Command) -> None:
    """Raises NotAllowed with what would be right."""
    verb = command.verb
    if command.use_off_delay and verb is not Verb.OUTLET_OFF:
        raise NotAllowed(f"{verb}: takes no off delay")
    if command.use_on_delay or command.cold_boot:
        raise NotAllowed(f"{verb}: takes no on delay and no cold boot")
    if (verb in OUTLETS or verb in _OF_THE_MAIN_GROUP) and command.groups != (0,):
        raise NotAllowed(f"{verb}: name outlet group 0, the only one of these units")
    if verb not in OUTLETS | _OF_THE_MAIN_GROUP and command.groups:
        raise NotAllowed(f"{verb}: takes no outlet group")
    if verb not in SETTINGS and verb is not Verb.SHUTDOWN and command.value is not None:
        raise NotAllowed(f"{verb}: takes no value")
    if verb is Verb.SHUTDOWN:
        _steps(command, old=False)


def hindrance(command: Command, now: State | None, *, testing: bool, calibrating: bool) -> str | None:
    """Why it would do something else than what is meant just now; None if it would not."""
    verb, busy = command.verb, testing or calibrating
    if verb in (Verb.SELF_TEST, Verb.CALIBRATION, Verb.SIMULATE_POWER_FAILURE):
        if busy:
            return "a test or calibration runs already"
        return None if now is State.ONLINE else f"the unit is {now or 'in no known state'}"
    if (verb is Verb.SELF_TEST_ABORT and not testing) or (verb is Verb.CALIBRATION_ABORT and not calibrating):
        return "there is nothing to end just now"
    if verb is Verb.SHUTDOWN and now in (None, State.OFF):
        return f"the unit is {now or 'in no known state'}"
    if verb is Verb.OUTLET_OFF and now is State.OFF:
        return "the output is off already"
    if verb is Verb.OUTLET_ON and now not in (None, State.OFF):
        return "the output is on already"
    return None


def write(command: Command, now: State | None, abilities: Abilities) -> Write:
    """The one command on the wire for a verb that is no setting. `S` only where the unit is on battery (19.5)."""
    if command.verb in PRESSES:
        return Press(PRESSES[command.verb])
    if command.verb is Verb.OUTLET_CANCEL:
        return Press(allowed.CANCEL)
    if command.verb is not Verb.SHUTDOWN:
        return Doubled(_doubled(command))
    if now is State.ON_BATTERY and command.value is None:
        if allowed.SOFT_OFF not in abilities.characters:
            raise NotAllowed(f"{command.verb}: this unit does not list 'S', which shuts it down on battery")
        return Press(allowed.SOFT_OFF)
    if "@" not in abilities.characters:
        raise NotAllowed(f"{command.verb}: this unit does not list '@', which shuts it down on mains")
    return Wake(_steps(command, old=abilities.old))


def _steps(command: Command, *, old: bool) -> int:
    """With 000 an old unit does nothing (7.2), so it gets the shortest time that it takes."""
    if command.value is None:
        return 1 if old else 0
    limit = allowed.STEPS_LIMIT * MINUTES_A_STEP
    if type(command.value) is not int or not 0 <= command.value <= limit:
        raise NotAllowed(f"{command.verb}: the value is the time to come back in minutes, 0 to {limit}")
    return max(1 if old else 0, -(-command.value // MINUTES_A_STEP))


def change(command: Command, abilities: Abilities) -> Change:
    """The setting and its new value. Raises NotAllowed."""
    setting = SETTINGS[command.verb]
    wanted = _text(command) if setting in TEXTS else _choice(command, setting, abilities.values.get(setting, ()))
    return Change(setting, wanted)


def _text(command: Command) -> str:
    if command.verb is Verb.SET_BATTERY_DATE:
        if type(command.value) is not date:
            raise NotAllowed(f"{command.verb}: the value must be a date")
        return f"{command.value:%m/%d/%y}"
    wanted = command.value.ljust(8) if isinstance(command.value, str) else ""
    if re.fullmatch(TEXTS["c"], wanted) is None:
        raise NotAllowed(f"{command.verb}: the value must be at most 8 of letters, digits, _, -, / and blank")
    return wanted


def _choice(command: Command, setting: str, values: tuple[str, ...]) -> str:
    """The unit's own word for the value."""
    for value in values:
        if command.value == meaning(setting, value) and not isinstance(command.value, bool):
            return value
    allowed_values = ", ".join(dict.fromkeys(str(meaning(setting, value)) for value in values))
    raise NotAllowed(f"{command.verb}: the value must be one of {allowed_values}")


def meaning(setting: str, value: str) -> str | int:
    """A setting's value as drivers.ups.Settings has it: words, volts, seconds or per cent."""
    if setting in WORDS:
        return WORDS[setting].get(value.strip(), value.strip())
    return int(value) * (60 if setting == "q" else 1)


def edit(setting: str, wanted: str) -> Rotate | Text:
    """What takes a setting that was just asked towards the value."""
    return Text(setting, wanted) if setting in TEXTS else Rotate(setting)
