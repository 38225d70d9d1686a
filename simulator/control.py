"""The control port's language: what each line does to a unit on the bench, and what is answered.

An answer is a list of JSON values, a line each: first `{"ok": true, ...}`, whose `lines` counts those after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from drivers.ups import Flag
from simulator.bootloader.loader import Loader
from simulator.bootloader.orders import USAGE as FIRMWARE_USAGE
from simulator.bootloader.orders import obey
from simulator.errors import ControlError
from simulator.lines import Reply, done, listing, near, number
from simulator.mains import DISTORTED_PCT, Mains
from simulator.unit import Unit
from simulator.wire_faults import WireFaults
from simulator.wire_orders import USAGE as FAULT_USAGE
from simulator.wire_orders import explained

LINE_LIMIT = 1024
"""Longest control line, in bytes."""
MAX_SPEED = 10_000.0
MAX_LOAD_PCT = 300.0
NOTCH_MS = 200.0
"""How long a notch lasts if the line does not say."""


class Wire(Protocol):
    """One listener's settings and faults, as `wire` shows and changes them."""

    @property
    def faults(self) -> WireFaults: ...
    def values(self) -> dict[str, str | int | float | bool]: ...
    def change(self, name: str, text: str) -> None: ...


class Bench(Protocol):
    """The unit on the bench and what holds it."""

    @property
    def unit(self) -> Unit: ...
    @property
    def speed(self) -> float: ...
    @property
    def held(self) -> bool: ...
    @property
    def wires(self) -> Mapping[str, Wire]: ...
    @property
    def loader(self) -> Loader: ...
    @property
    def monotonic_s(self) -> float: ...
    def set_pace(self, *, speed: float | None = None, held: bool | None = None) -> None: ...
    def commands(self) -> list[dict[str, object]]: ...
    def state(self) -> dict[str, Any]: ...


class Verb(msgspec.Struct, frozen=True):
    """One verb: its arguments as help shows them, what it does, and the function that does it."""

    usage: str
    help: str
    act: Callable[[Bench, Sequence[str]], Reply]


def perform(line: str, bench: Bench) -> Reply:
    """Obey one control line; ControlError says what is wrong with it, and nothing has changed then."""
    words = line.split()
    if not words:
        raise ControlError("an empty line; `help` lists the verbs")
    verb = VERBS.get(words[0].lower())
    if verb is None:
        raise ControlError(f"unknown verb {words[0][:40]!r}{near(words[0], VERBS)}; `help` lists the verbs")
    return verb.act(bench, words[1:])


def _bare(act: Callable[[Bench], Reply]) -> Callable[[Bench, Sequence[str]], Reply]:
    """A verb that takes nothing after it."""

    def obey(bench: Bench, words: Sequence[str]) -> Reply:
        if words:
            raise ControlError(f"nothing is expected after this verb, got {words[0][:40]!r}")
        return act(bench)

    return obey


def _wrong(verb: str) -> ControlError:
    return ControlError(f"expected `{verb} {VERBS[verb].usage}`".rstrip("` ") + "`")


# mains


def _mains(bench: Bench, words: Sequence[str]) -> Reply:
    if not words:
        raise _wrong("mains")
    unit = bench.unit
    notch_s: float | None = None
    mains = msgspec.structs.replace(unit.mains, notch=False)
    if words[0].lower() == "notch":
        if len(words) > 2:
            raise _wrong("mains")
        ms = number(words[1], "notch", 1, 60_000, ["ms"]) if len(words) == 2 else NOTCH_MS
        notch_s, mains = ms / 1000, msgspec.structs.replace(mains, notch=True)
    else:
        for word in words:
            mains = _changed(unit, mains, word)
    unit.set_mains(mains, notch_s)
    return done(mains=msgspec.to_builtins(mains))


def _changed(unit: Unit, mains: Mains, word: str) -> Mains:
    change = msgspec.structs.replace
    lower = word.lower()
    if lower == "off":
        return change(mains, voltage_v=0.0)
    if lower in ("on", "normal"):
        return unit.model.normal_mains()
    if lower == "distorted":
        return change(mains, distortion_pct=DISTORTED_PCT)
    if lower == "clean":
        return change(mains, distortion_pct=0.0)
    if lower.endswith("hz"):
        return change(mains, frequency_hz=number(word, "frequency", 0, 100, ["hz"]))
    if lower.endswith("%"):
        return change(mains, distortion_pct=number(word, "distortion", 0, 100, ["%"]))
    if lower.endswith("v"):
        return change(mains, voltage_v=number(word, "voltage", 0, 500, ["v"]))
    raise ControlError(f"mains: expected off, on, 195V, 50.5Hz, 15%, distorted, clean or notch, got {word[:40]!r}")


# load and battery


def _load(bench: Bench, words: Sequence[str]) -> Reply:
    if len(words) != 1:
        raise _wrong("load")
    bench.unit.set_load(number(words[0], "load", 0, MAX_LOAD_PCT, ["%"]))
    return done(load_pct=bench.unit.load_pct)


def _battery(bench: Bench, words: Sequence[str]) -> Reply:
    unit = bench.unit
    match [word.lower() for word in words]:
        case ["replace"]:
            unit.replace_battery()
        case ["disconnect" | "connect" as which]:
            unit.set_fault(Flag.BATTERY_DISCONNECTED, which == "disconnect")
        case ["age", years]:
            unit.set_battery_age(number(years, "age", 0, 50, ["y"]))
        case ["temperature", degrees]:
            unit.set_temperature(battery_c=number(degrees, "temperature", -40, 120, ["c"]))
        case ["charge", percent] | [percent]:
            unit.set_charge(number(percent, "charge", 0, 100, ["%"]))
        case _:
            raise _wrong("battery")
    return done(charge_pct=unit.battery.charge * 100, age_years=unit.battery.age_years, temp_c=unit.battery.temp_c)


def _ambient(bench: Bench, words: Sequence[str]) -> Reply:
    if len(words) != 1:
        raise _wrong("ambient")
    bench.unit.set_temperature(ambient_c=number(words[0], "ambient", -40, 80, ["c"]))
    return done(ambient_c=bench.unit.battery.ambient_c)


# faults and tests


def _fault(bench: Bench, words: Sequence[str]) -> Reply:
    if not 1 <= len(words) <= 2 or (len(words) == 2 and words[1].lower() not in ("on", "off")):
        raise _wrong("fault")
    name = words[0].lower().replace("-", "_")
    flags = {flag.value: flag for flag in Flag}
    if name not in flags:
        raise ControlError(f"no flag is called {words[0][:40]!r}{near(name, flags)}; `faults` lists them")
    bench.unit.set_fault(flags[name], words[-1].lower() != "off" or len(words) == 1)
    return done(faults=sorted(bench.unit.all_faults))


def _faults(bench: Bench) -> Reply:
    return done(faults=sorted(bench.unit.all_faults), known=[flag.value for flag in Flag])


def _test(bench: Bench) -> Reply:
    bench.unit.press_test()
    return done(self_test=msgspec.to_builtins(bench.unit.self_test.result))


# time


def _hold(bench: Bench) -> Reply:
    bench.set_pace(held=True)
    return done(held=bench.held, now_s=bench.unit.now_s)


def _release(bench: Bench) -> Reply:
    bench.set_pace(held=False)
    return done(held=bench.held, now_s=bench.unit.now_s)


def _speed(bench: Bench, words: Sequence[str]) -> Reply:
    if len(words) != 1:
        raise _wrong("speed")
    bench.set_pace(speed=number(words[0], "speed", 0.001, MAX_SPEED, ["x"]))
    return done(speed=bench.speed)


# looking


def _state(bench: Bench) -> Reply:
    return done(state=bench.state())


def _since(verb: str, words: Sequence[str]) -> int:
    match [word.lower() for word in words]:
        case []:
            return 0
        case ["since", last]:
            return int(number(last, "since", 0, 1e9))
    raise _wrong(verb)


def _history(bench: Bench, words: Sequence[str]) -> Reply:
    history = bench.unit.history
    changes = [msgspec.to_builtins(change) for change in history.since(_since("history", words))]
    return listing(changes, last=history.last_number, dropped=history.dropped)


def _commands(bench: Bench, words: Sequence[str]) -> Reply:
    after = _since("commands", words)
    return listing([dict(each) for each in bench.commands() if int(str(each["number"])) > after])


def _wire(bench: Bench, words: Sequence[str]) -> Reply:
    named = words and words[0] in bench.wires
    chosen = {words[0]: bench.wires[words[0]]} if named else dict(bench.wires)
    rest = words[1:] if named else words
    if rest and not chosen:
        raise ControlError("this unit has no wire")
    if rest and rest[0] in ("fault", "faults"):
        return _wire_faults(bench, chosen, rest[0], rest[1:])
    if len(rest) not in (0, 2):
        raise _wrong("wire")
    if rest:
        try:
            for wire in chosen.values():
                wire.change(rest[0], rest[1])
        except ValueError as error:
            raise ControlError(str(error)) from error
    return done(wires={name: wire.values() for name, wire in bench.wires.items()})


def _wire_faults(bench: Bench, chosen: Mapping[str, Wire], verb: str, words: Sequence[str]) -> Reply:
    """`fault` orders one on the chosen wires that know it, `faults` tells which are on and which there can be."""
    now = bench.monotonic_s
    if verb == "fault":
        if not words:
            raise ControlError(f"expected `wire [LISTENER] fault {FAULT_USAGE}`")
        for wire in _knowing(chosen, words):
            wire.faults.obey(words, now)
    elif words:
        raise _wrong("wire")
    told: dict[str, object] = {"faults": {name: wire.faults.values(now) for name, wire in chosen.items()}}
    if verb == "faults":
        told["known"] = {name: explained(wire.faults.known) for name, wire in chosen.items()}
    return done(**told)


def _knowing(chosen: Mapping[str, Wire], words: Sequence[str]) -> list[Wire]:
    """All wires may be meant, where only some know the fault; one that was named has to."""
    wires = list(chosen.values())
    return [wire for wire in wires if words[0].lower().replace("-", "_") in wire.faults.known] or wires


def _firmware(bench: Bench, words: Sequence[str]) -> Reply:
    return obey(bench.loader, [word.lower() for word in words])


def _help(_: Bench) -> Reply:
    verbs = [{"verb": name, "usage": verb.usage, "help": verb.help} for name, verb in VERBS.items()]
    return listing(verbs)


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "mains": Verb("off|on|195V|50.5Hz|15%|distorted|clean|notch [MS] ...", "change the input", _mains),
        "load": Verb("PERCENT", "connect a load, in percent of the rated watts", _load),
        "battery": Verb("PERCENT|age YEARS|temperature C|disconnect|connect|replace", "change the battery", _battery),
        "ambient": Verb("C", "change the temperature of the room", _ambient),
        "fault": Verb("NAME [on|off]", "inject a flag as a fault, or take it away", _fault),
        "faults": Verb("", "the faults there are, and every name there can be", _bare(_faults)),
        "test": Verb("", "start a self-test from the panel", _bare(_test)),
        "hold": Verb("", "freeze the physics", _bare(_hold)),
        "release": Verb("", "let the physics go on", _bare(_release)),
        "speed": Verb("N", "simulated seconds in a real one", _speed),
        "state": Verb("", "the physical truth at this instant", _bare(_state)),
        "history": Verb("[since N]", "every change, oldest first", _history),
        "commands": Verb("[since N]", "every write that a wire took in", _commands),
        "wire": Verb(
            "[LISTENER] [SETTING VALUE | fault KIND ... | faults]", "show or change how the wires behave", _wire
        ),
        "firmware": Verb(FIRMWARE_USAGE, "show the boot loader, change how it behaves, spoil an upgrade", _firmware),
        "help": Verb("", "the verbs", _bare(_help)),
    }
)
