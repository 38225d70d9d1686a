"""Commands to NUT's instant commands and settable variables (integrations.md 1.7, 1.8). What may be sent at all stands
in allowed.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

import msgspec

from drivers import dialects
from drivers.errors import NotAllowed
from drivers.nut.protocol import SPECIAL
from drivers.ups import Command, Verb

COMMANDS: Mapping[Verb, tuple[str, ...]] = MappingProxyType(
    {
        Verb.BEEP: ("test.panel.start",),
        Verb.MUTE: ("beeper.mute",),
        Verb.SELF_TEST: ("test.battery.start", "test.battery.start.quick"),
        Verb.SELF_TEST_ABORT: ("test.battery.stop",),
        Verb.SIMULATE_POWER_FAILURE: ("test.failure.start",),
        Verb.CALIBRATION: ("calibrate.start",),
        Verb.CALIBRATION_ABORT: ("calibrate.stop",),
        Verb.SHUTDOWN: ("shutdown.return",),
        Verb.BYPASS_ON: ("bypass.start",),
        Verb.BYPASS_OFF: ("bypass.stop",),
    }
)
"""Names for a verb; the first that upsd lists is meant, and no other is tried after it (S2)."""

BY_POLICY = frozenset({Verb.BYPASS_ON, Verb.BYPASS_OFF})
"""Verbs that only local policy can allow (S2)."""

MAIN_OUTLET: Mapping[Verb, tuple[str, ...]] = MappingProxyType(
    {
        Verb.OUTLET_ON: ("load.on",),
        Verb.OUTLET_OFF: ("load.off",),
        Verb.OUTLET_REBOOT: ("load.cycle", "shutdown.reboot"),
        Verb.OUTLET_SHUTDOWN: ("shutdown.return",),
        Verb.OUTLET_CANCEL: ("shutdown.stop",),
    }
)
SWITCHED_OUTLET: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.OUTLET_ON: "load.on",
        Verb.OUTLET_OFF: "load.off",
        Verb.OUTLET_REBOOT: "load.cycle",
        Verb.OUTLET_SHUTDOWN: "shutdown.return",
        Verb.OUTLET_CANCEL: "shutdown.stop",
    }
)
_DELAYED = {Verb.OUTLET_ON: "use_on_delay", Verb.OUTLET_OFF: "use_off_delay"}

SETTINGS: Mapping[Verb, tuple[str, ...]] = MappingProxyType(
    {
        Verb.SET_NAME: ("ups.id",),
        Verb.SET_BATTERY_DATE: ("battery.date",),
        Verb.SET_TRANSFER_HIGH: ("input.transfer.high",),
        Verb.SET_TRANSFER_LOW: ("input.transfer.low",),
        Verb.SET_SENSITIVITY: ("input.sensitivity",),
        Verb.SET_OUTPUT_VOLTAGE: ("output.voltage.nominal",),
        Verb.SET_LOW_BATTERY_RUNTIME: ("battery.runtime.low",),
        Verb.SET_MINIMUM_RETURN_CHARGE: ("battery.charge.restart",),
        Verb.SET_ALARM_DELAY: ("battery.alarm.threshold",),
        Verb.SET_BATTERY_TEST_INTERVAL: ("ups.test.interval",),
    }
)
PER_GROUP: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.SET_GROUP_NAME: "name",
        Verb.SET_TURN_OFF_DELAY: "delay.shutdown",
        Verb.SET_TURN_ON_DELAY: "delay.start",
        Verb.SET_STAY_OFF_DELAY: "delay.reboot",
    }
)
"""Settings of one outlet group, and the end of their variables' names."""

NUMBERS: Mapping[Verb, range] = MappingProxyType(
    {
        Verb.SET_TRANSFER_HIGH: range(50, 301),
        Verb.SET_TRANSFER_LOW: range(50, 301),
        Verb.SET_OUTPUT_VOLTAGE: range(50, 301),
        Verb.SET_LOW_BATTERY_RUNTIME: range(32768),
        Verb.SET_MINIMUM_RETURN_CHARGE: range(101),
        Verb.SET_TURN_OFF_DELAY: range(32768),
        Verb.SET_TURN_ON_DELAY: range(32768),
        Verb.SET_STAY_OFF_DELAY: range(32768),
    }
)
_WORDS: Mapping[Verb, Mapping[str, str]] = MappingProxyType(
    {Verb.SET_SENSITIVITY: dialects.SENSITIVITIES, Verb.SET_ALARM_DELAY: dialects.ALARM_DELAYS}
)
TEXT_LIMIT = 32
"""Most characters of a name."""


class Plan(msgspec.Struct, frozen=True):
    """`names` in order of preference; the first that upsd lists is it. `verb` for what carries a value."""

    names: tuple[str, ...]
    is_setting: bool = False


def plan(command: Command, groups: Sequence[int], also_allowed: frozenset[Verb]) -> Plan | None:
    """Names for a command; None if NUT has none for this verb. Raises NotAllowed with what would be right."""
    verb = command.verb
    if verb in BY_POLICY and verb not in also_allowed:
        raise NotAllowed(f"{verb}: only if the gateway's own policy names it")
    if verb not in MAIN_OUTLET and (command.use_off_delay or command.use_on_delay or command.cold_boot):
        raise NotAllowed(f"{verb}: delays and cold boot are for outlet groups")
    if verb in MAIN_OUTLET:
        return Plan(_outlet_names(command, groups))
    if verb in PER_GROUP:
        index, end = _one_group(command, groups), PER_GROUP[verb]
        main = (f"ups.{end}",) if index == 0 and verb is not Verb.SET_GROUP_NAME else ()
        return Plan((*main, f"outlet.group.{index}.{end}", f"outlet.{index}.{end}"), is_setting=True)
    if command.groups:
        raise NotAllowed(f"{verb}: takes no outlet group")
    if verb in SETTINGS:
        return Plan(SETTINGS[verb], is_setting=True)
    if command.value is not None:
        raise NotAllowed(f"{verb}: takes no value")
    return Plan(COMMANDS[verb]) if verb in COMMANDS else None


def _one_group(command: Command, groups: Sequence[int]) -> int:
    """NUT's commands are for one group each, and a command leaves once (S1)."""
    known = ", ".join(map(str, groups)) or "none"
    if len(command.groups) != 1:
        raise NotAllowed(f"{command.verb}: name one outlet group; this unit has {known}")
    if command.groups[0] not in groups:
        raise NotAllowed(f"{command.verb}: no outlet group {command.groups[0]}; this unit has {known}")
    return command.groups[0]


def _outlet_names(command: Command, groups: Sequence[int]) -> tuple[str, ...]:
    verb = command.verb
    index = _one_group(command, groups)
    if command.value is not None or command.cold_boot:
        raise NotAllowed(f"{verb}: takes neither a value nor cold boot over NUT")
    delays = {name for name in ("use_off_delay", "use_on_delay") if getattr(command, name)}
    if delays and delays != {_DELAYED.get(verb)}:
        raise NotAllowed(f"{verb}: takes no {' and '.join(sorted(delays)).replace('_', ' ')} over NUT")
    names = MAIN_OUTLET[verb] if index == 0 else (f"outlet.{index}.{SWITCHED_OUTLET[verb]}",)
    return tuple(f"{name}.delay" for name in names) if delays else names


def value(command: Command, now: str, choices: Sequence[str]) -> str:
    """What a setting's variable is to be, written as the unit writes it: `now` is how it reads, `choices` are all it
    takes (none: anything). Raises NotAllowed.
    """
    verb, asked = command.verb, command.value
    if verb in (Verb.SET_NAME, Verb.SET_GROUP_NAME):
        return _text(verb, asked)
    if verb is Verb.SET_BATTERY_DATE:
        return _day(verb, asked, now)
    if verb in _WORDS:
        return _word(verb, asked, now, choices)
    return _number(verb, asked, choices)


def _text(verb: Verb, asked: object) -> str:
    """upsd 2.8.0 hands a value to its driver without the backslashes it came with, so that a quote would cut it."""
    plain = isinstance(asked, str) and all(" " <= c <= "~" and c not in SPECIAL for c in asked)
    if isinstance(asked, str) and plain and 0 < len(asked) <= TEXT_LIMIT:
        return asked
    raise NotAllowed(f"{verb}: the value must be 1 to {TEXT_LIMIT} printable ASCII characters, none of them {SPECIAL}")


def _day(verb: Verb, asked: object, now: str) -> str:
    """In the form in which the unit writes it now."""
    if type(asked) is not date or asked.year not in dialects.YEARS:
        raise NotAllowed(f"{verb}: the value must be a date from {dialects.YEARS.start} on")
    if dialects.day(now) is None:
        raise NotAllowed(f"{verb}: the unit's battery date reads {now!r}, so its way of writing one is not known")
    head, _, tail = now.strip().replace("-", "/").partition("/")
    if len(head) == 4:
        return asked.strftime("%Y-%m-%d" if "-" in now else "%Y/%m/%d")
    return asked.strftime("%m/%d/%Y" if len(tail.rpartition("/")[2]) == 4 else "%m/%d/%y")


def _word(verb: Verb, asked: object, now: str, choices: Sequence[str]) -> str:
    """The unit's own word for it; a unit that uses letters gets a letter."""
    table = _WORDS[verb]
    known = choices or [word.upper() if len(word) == 1 else word for word in table]
    fitting = [word for word in known if table.get(dialects.squashed(word)) == asked]
    if not fitting:
        ours = dict.fromkeys(table[key] for key in map(dialects.squashed, known) if key in table)
        raise NotAllowed(f"{verb}: the value must be one of {', '.join(ours)}")
    return min(fitting, key=lambda word: (len(word) == 1) != (len(now.strip()) == 1))


def _number(verb: Verb, asked: object, choices: Sequence[str]) -> str:
    if verb is Verb.SET_BATTERY_TEST_INTERVAL:
        seconds = {name: interval for interval, name in dialects.TEST_INTERVALS.items()}
        if asked not in seconds:
            raise NotAllowed(f"{verb}: the value must be one of {', '.join(seconds)}")
        asked = seconds[str(asked)]
    elif type(asked) is not int or asked not in NUMBERS[verb]:
        allowed = NUMBERS[verb]
        raise NotAllowed(f"{verb}: the value must be whole, {allowed.start} to {allowed.stop - 1}")
    fitting = [choice for choice in choices if dialects.number(choice, 0, 1e9) == asked]
    if choices and not fitting:
        raise NotAllowed(f"{verb}: this unit takes {', '.join(choices)}")
    return fitting[0] if fitting else str(asked)


def reads_as(wanted: str, found: str) -> bool:
    """Whether a setting that was read back is what was written: 020 is 20."""
    a, b = (dialects.number(text, -1e9, 1e9) for text in (wanted, found))
    same_day = dialects.day(wanted) is not None and dialects.day(wanted) == dialects.day(found)
    return wanted.strip() == found.strip() or same_day or (a is not None and a == b and dialects.day(found) is None)
