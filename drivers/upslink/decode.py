"""Replies to readings (ups-link.md sections 5, 8, 13). An image holds the last reply to each character asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType

from drivers.ups import (
    Calibration,
    Cause,
    Flag,
    GroupDelays,
    Identity,
    OutletGroup,
    Settings,
    Snapshot,
    State,
    TestResult,
    TestStatus,
    clean_text,
)
from drivers.upslink import status
from drivers.upslink.abilities import Abilities, model_of
from drivers.upslink.characters import MODEL, SHOWN

Image = Mapping[str, str]

NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        "input_v": "L",
        "input_max_v": "M",
        "input_min_v": "N",
        "output_v": "O",
        "output_a": "/",
        "load_pct": "P",
        "apparent_load_pct": SHOWN,
        "charge_pct": "f",
        "battery_v": "B",
        "battery_temp_c": "C",
        "ambient_temp_c": "t",
        "ambient_humidity_pct": "h",
    }
)
"""Snapshot field to character. `C` is the unit's own, inner temperature: the only one there is."""

CENTURY_TURN = 70
"""Two digits of a year from here on are 19xx; UPS-Link was first built in the 1990s."""


def number(image: Image, char: str) -> float | None:
    reply = image.get(char)
    return None if reply is None else float(reply.rstrip(":"))


def whole(image: Image, char: str, times: int = 1) -> int | None:
    found = number(image, char)
    return None if found is None else round(found) * times


def bits(image: Image, char: str) -> int:
    """A status byte; 0 where there is none."""
    return int(image.get(char, "0"), 16)


def text(image: Image, char: str) -> str | None:
    return clean_text(image.get(char, "")) or None


def day(image: Image, char: str) -> date | None:
    """Month first, as every unit of section 14 has it whatever its country, unless that is no date."""
    parts = re.fullmatch("([0-9]{1,2})/([0-9]{1,2})/([0-9]{2})", image.get(char, "").strip())
    if parts is None:
        return None
    month, day_of_month, year = map(int, parts.groups())
    if month > 12:
        month, day_of_month = day_of_month, month
    try:
        return date(year + (1900 if year >= CENTURY_TURN else 2000), month, day_of_month)
    except ValueError:
        return None


def model(image: Image) -> str | None:
    """`^A`; a unit of the table without it is told by its code (20)."""
    return text(image, MODEL) or model_of(image.get("V", ""))


def firmware(image: Image) -> str | None:
    """`b`, unless an old unit says a voltage there; else `V`."""
    new = image.get("b", "")
    return text(image, "b") if "." in new else text(image, "V")


def locale(image: Image) -> str:
    """The firmware code's last character, by which ^Z names its groups (11)."""
    return (firmware(image) or "")[-1:]


def identity(image: Image, abilities: Abilities) -> Identity:
    return Identity(
        serial=text(image, "n"),
        model=model(image),
        firmware=firmware(image),
        name=text(image, "c"),
        manufactured_on=day(image, "m"),
        battery_installed_on=day(image, "x"),
        battery_nominal_v=number(image, "g"),
        battery_packs=whole(image, ">"),
        bad_battery_packs=whole(image, "<"),
        nominal_output_v=whole(image, "o"),
        outlet_groups=((0, ""),),
        reported_flags=reported(abilities, model(image)),
    )


def reported(abilities: Abilities, name: str | None) -> frozenset[Flag]:
    """The flags that this unit's characters can raise."""
    kind, has = status.family(name), abilities.characters
    found = {Flag.OUTPUT_OVERLOAD, Flag.REPLACE_BATTERY, Flag.SHUTDOWN_IMMINENT, Flag.AVR_BOOST}
    found |= set() if abilities.old else {Flag.AVR_TRIM}
    found |= {Flag.INPUT_ACCEPTABLE, Flag.INPUT_NOT_ACCEPTABLE} if "9" in has else set()
    if "~" in has:
        found |= {Flag.PENDING_OUTPUT_ON}
        found |= {Flag.COMMANDED} if kind is status.Family.MATRIX else set()
    if "'" in has:
        found |= _raised(status.register_2_bits(kind), status.REGISTER_2)
    if "8" in has:
        found |= {Flag.PENDING_OUTPUT_OFF}
        found |= _raised(status.register_3_bits(kind, old=abilities.old), status.REGISTER_3)
    return frozenset(found)


def _raised(value: int, table: Mapping[int, Flag]) -> set[Flag]:
    return {flag for bit, flag in table.items() if value & bit}


def state(image: Image, kind: status.Family = status.Family.SMART) -> State | None:
    """None before the first `Q`, or if it says online and on battery at once."""
    if "Q" not in image:
        return None
    power = bits(image, "Q") & (status.ONLINE | status.ON_BATTERY)
    if power == status.ONLINE:
        in_bypass = bits(image, "~") & status.register_1_bits(kind) & status.BYPASS_BITS
        return State.BYPASS if in_bypass else State.ONLINE
    return {status.ON_BATTERY: State.ON_BATTERY, 0: State.OFF}.get(power)


def cause(image: Image, now: State | None) -> Cause | None:
    """Why the output is off stands in register 3; all else in `G`."""
    shutdown = bits(image, "8")
    if now is State.OFF and shutdown & status.BATTERY_RAN_OUT:
        return Cause.LOW_BATTERY_VOLTAGE
    if now is State.OFF and shutdown & (status.ASLEEP | status.IN_SHUTDOWN):
        return Cause.PROTOCOL_COMMAND
    return status.CAUSES.get(image.get("G", ""))


def flags(image: Image, abilities: Abilities, kind: status.Family, now: State | None) -> frozenset[Flag]:
    """Bit 6 of `Q` is register 18 bit 1 of newer units only on battery (S18): on mains it says that a battery
    still charges, and no shutdown.
    """
    waking, shutdown = bits(image, "~") & status.register_1_bits(kind), bits(image, "8")
    found = _raised(bits(image, "Q"), status.STATUS_FLAGS)
    found |= _raised(bits(image, "'") & status.register_2_bits(kind), status.REGISTER_2)
    found |= _raised(shutdown & status.register_3_bits(kind, old=abilities.old), status.REGISTER_3)
    if now is State.ON_BATTERY and bits(image, "Q") & status.LOW_BATTERY:
        found.add(Flag.SHUTDOWN_IMMINENT)
    if "9" in image:
        found.add(Flag.INPUT_ACCEPTABLE if image["9"] == "FF" else Flag.INPUT_NOT_ACCEPTABLE)
    if now is State.OFF and waking & status.WAKES_WITH_MAINS:
        found.add(Flag.PENDING_OUTPUT_ON)
    if now is not State.OFF and shutdown & status.IN_SHUTDOWN:
        found.add(Flag.PENDING_OUTPUT_OFF)
    if waking & status.BYPASS_COMMANDED_BITS and kind is status.Family.MATRIX:
        found.add(Flag.COMMANDED)
    return frozenset(found)


def self_test(image: Image, now: State | None) -> TestResult | None:
    """`X`, or a run that shows by its cause: on battery by `S`, which a simulated failure says too (5.4)."""
    if now is State.ON_BATTERY and image.get("G") == "S" and not bits(image, "Q") & status.CALIBRATING:
        return TestResult(status=TestStatus.IN_PROGRESS)
    return status.TEST_RESULTS.get(image.get("X", ""))


def snapshot(
    image: Image, abilities: Abilities, *, at: datetime, full_at: datetime | None, answer_ms: float | None
) -> Snapshot:
    """Everything that the image says about now."""
    kind = status.family(model(image))
    now = state(image, kind)
    calibrating = bool(bits(image, "Q") & status.CALIBRATING)
    shutdown = bits(image, "8")
    hertz = number(image, "F")
    return Snapshot(
        at=at,
        full_at=full_at,
        state=now,
        cause=cause(image, now),
        flags=flags(image, abilities, kind, now),
        self_test=self_test(image, now),
        calibration=Calibration(status=TestStatus.IN_PROGRESS if calibrating else TestStatus.NONE),
        input_hz=None if abilities.output_hz else hertz,
        output_hz=hertz if abilities.output_hz else None,
        runtime_s=whole(image, "j", 60),
        main_outlet=OutletGroup(
            index=0,
            on=None if now is None else now is not State.OFF,
            shutting_down=now is not State.OFF and bool(shutdown & status.IN_SHUTDOWN),
            sleeping=now is State.OFF and bool(shutdown & (status.ASLEEP | status.IN_SHUTDOWN)),
        ),
        answer_ms=answer_ms,
        **{field: number(image, char) for field, char in NUMBERS.items()},  # type: ignore[arg-type]  # named by NUMBERS
    )


def settings(image: Image) -> Settings:
    return Settings(
        transfer_high_v=whole(image, "u"),
        transfer_low_v=whole(image, "l"),
        sensitivity=status.SENSITIVITIES.get(image.get("s", "")),
        battery_test_interval=status.TEST_INTERVALS.get(image.get("E", "").strip()),
        output_v=whole(image, "o"),
        low_battery_runtime_s=whole(image, "q", 60),
        minimum_return_charge_pct=whole(image, "e"),
        alarm_delay=status.ALARM_DELAYS.get(image.get("k", "")),
        delays=(GroupDelays(index=0, turn_off_s=whole(image, "p"), turn_on_s=whole(image, "r")),),
    )
