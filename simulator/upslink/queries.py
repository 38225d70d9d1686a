"""Answers to the characters that only ask (ups-link.md section 5), in the forms in which real units give them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from drivers.ups import Flag, Identity, Settings, Snapshot, TestResult, TestStatus
from simulator.upslink import registers
from simulator.upslink.profile import Profile
from simulator.upslink.values import SETTINGS, date_text
from simulator.upslink.watch import Watch

NAME_LENGTH = 8


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the answers are made of, at the unit's second `now_s`."""

    snapshot: Snapshot
    identity: Identity
    settings: Settings
    profile: Profile
    watch: Watch
    now_s: float


def answer(character: str, truth: Truth) -> str | None:
    """The text of the answer; None if the unit has no such value."""
    if character in SETTINGS:
        return SETTINGS[character].read(truth.settings)
    query = _QUERIES.get(character)
    return None if query is None else query(truth)


def _reading(field: str, form: str) -> Callable[[Truth], str | None]:
    def read(truth: Truth) -> str | None:
        value = getattr(truth.snapshot, field)
        return None if value is None else format(value, form)

    return read


def _highest(truth: Truth) -> str:
    return f"{truth.watch.highest_v:05.1f}"


def _lowest(truth: Truth) -> str:
    return f"{truth.watch.lowest_v:05.1f}"


def _runtime(truth: Truth) -> str:
    return f"{math.floor((truth.snapshot.runtime_s or 0) / 60):04}:"


def _nominal_battery(truth: Truth) -> str | None:
    volts = truth.identity.battery_nominal_v
    return None if volts is None else f"{volts:03.0f}"


def _packs(truth: Truth) -> str | None:
    packs = truth.identity.battery_packs
    return None if packs is None else f"{packs:03}"


def _quality(truth: Truth) -> str:
    return "FF" if Flag.INPUT_ACCEPTABLE in truth.snapshot.flags else "00"


def _test_result(truth: Truth) -> str:
    result = truth.snapshot.self_test or TestResult(status=TestStatus.NONE)
    if not truth.watch.result_is_fresh(truth.now_s):
        return "NO"
    match result.status:
        case TestStatus.PASSED:
            return "OK"
        case TestStatus.FAILED:
            return "NG" if "internal_fault_or_overload" in result.reasons else "BT"
    return "NO"


def _hex(value: int) -> str:
    return f"{value:02X}"


_QUERIES: Mapping[str, Callable[[Truth], str | None]] = MappingProxyType(
    {
        "Q": lambda truth: _hex(registers.status(truth.snapshot, truth.settings)),
        "~": lambda truth: _hex(registers.register_1(truth.snapshot)),
        "'": lambda truth: _hex(registers.register_2(truth.snapshot)),
        "8": lambda truth: _hex(registers.register_3(truth.snapshot)),
        "7": lambda _: "00",
        "9": _quality,
        "G": lambda truth: truth.watch.transfer,
        "X": _test_result,
        "L": _reading("input_v", "05.1f"),
        "M": _highest,
        "N": _lowest,
        "O": _reading("output_v", "05.1f"),
        "F": _reading("output_hz", "05.2f"),  # follows the mains on line, and is the inverter's on battery
        "P": _reading("load_pct", "05.1f"),
        "/": _reading("output_a", "05.2f"),
        "f": _reading("charge_pct", "05.1f"),
        "B": _reading("battery_v", "05.2f"),
        "C": _reading("battery_temp_c", "05.1f"),
        "j": _runtime,
        "g": _nominal_battery,
        ">": _packs,
        "\x01": lambda truth: truth.identity.model,
        "n": lambda truth: truth.identity.serial,
        "b": lambda truth: None if truth.profile.new_code is None else truth.identity.firmware,
        "V": lambda truth: truth.profile.old_code,
        "m": lambda truth: date_text(truth.identity.manufactured_on),
        "c": lambda truth: (truth.identity.name or "")[:NAME_LENGTH],
        "x": lambda truth: date_text(truth.identity.battery_installed_on),
        "y": lambda _: "(C) APCC",
        "a": lambda truth: truth.profile.command_list,
        "\x1a": lambda truth: truth.profile.capability or None,
    }
)
