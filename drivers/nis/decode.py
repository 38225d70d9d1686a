"""What apcupsd tells to the words of drivers.ups (integrations.md 2.2 to 2.4). Nothing it can say makes these fail."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from drivers import dialects
from drivers.dialects import Row
from drivers.ups import (
    Calibration,
    Flag,
    GroupDelays,
    Identity,
    OutletGroup,
    Settings,
    Snapshot,
    State,
    TestStatus,
)

Keys = Mapping[str, str]

STATFLAG_WORDS: Mapping[int, str] = MappingProxyType(
    {
        0x001: "CAL",
        0x002: "TRIM",
        0x004: "BOOST",
        0x008: "ONLINE",
        0x010: "ONBATT",
        0x020: "OVERLOAD",
        0x040: "LOWBATT",
        0x080: "REPLACEBATT",
        0x100: "COMMLOST",
        0x200: "SHUTTING",
    }
)
PLUGGED = 0x01000000
"""Set while apcupsd has a UPS. One that was read and is neither on line nor on battery has its output off."""

FLAGS: Mapping[str, Flag] = MappingProxyType(
    {
        "TRIM": Flag.AVR_TRIM,
        "BOOST": Flag.AVR_BOOST,
        "OVERLOAD": Flag.OUTPUT_OVERLOAD,
        "REPLACEBATT": Flag.REPLACE_BATTERY,
        "NOBATT": Flag.BATTERY_DISCONNECTED,
        "SHUTTING": Flag.PENDING_OUTPUT_OFF,
    }
)

READING_ROWS: tuple[Row, ...] = (
    Row("input_v", ("LINEV",), 0, 1000),
    Row("input_max_v", ("MAXLINEV",), 0, 1000),
    Row("input_min_v", ("MINLINEV",), 0, 1000),
    Row("input_hz", ("LINEFREQ",), 0, 100),
    Row("output_v", ("OUTPUTV",), 0, 1000),
    Row("output_a", ("OUTCURNT",), 0, 1000),
    Row("load_pct", ("LOADPCT",), 0, 999),
    Row("apparent_load_pct", ("LOADAPNT",), 0, 999),
    Row("charge_pct", ("BCHARGE",), 0, 100),
    Row("battery_v", ("BATTV",), 0, 1000),
    Row("battery_temp_c", ("ITEMP",), -60, 150),
    Row("ambient_temp_c", ("AMBTEMP",), -60, 150),
    Row("ambient_humidity_pct", ("HUMIDITY",), 0, 100),
)
IDENTITY_ROWS: tuple[Row, ...] = (
    Row("battery_nominal_v", ("NOMBATTV",), 1, 1000),
    Row("battery_packs", ("EXTBATTS",), 0, 999, is_whole=True),
    Row("bad_battery_packs", ("BADBATTS",), 0, 999, is_whole=True),
    Row("apparent_power_va", ("NOMAPNT",), 1, 1e7, is_whole=True),
    Row("real_power_w", ("NOMPOWER",), 1, 1e7, is_whole=True),
    Row("nominal_output_v", ("NOMOUTV",), 1, 1000, is_whole=True),
)
SETTING_ROWS: tuple[Row, ...] = (
    Row("transfer_high_v", ("HITRANS",), 1, 1000, is_whole=True),
    Row("transfer_low_v", ("LOTRANS",), 1, 1000, is_whole=True),
    Row("output_v", ("NOMOUTV",), 1, 1000, is_whole=True),
    Row("minimum_return_charge_pct", ("RETPCT",), 0, 100, is_whole=True),
)
TEST_INTERVALS: Mapping[str, str] = MappingProxyType(
    {
        "336": "start_up_14d",
        "14days": "start_up_14d",
        "168": "start_up_7d",
        "7days": "start_up_7d",
        "on": "start_up",
        "off": "never",
    }
)
"""STESTI, squashed: apcupsd passes on what the unit says."""

DATE_FORMATS = ("%Y-%m-%d %H:%M:%S %z", "%a %b %d %H:%M:%S %Y %z")
"""Of 3.14, and of older builds."""


def status(keys: Keys) -> set[str]:
    """STATUS and STATFLAG together: `SHUTTING DOWN` takes the place of the other words, not of the bits."""
    bits = _statflag(keys)
    by_bits = {word for bit, word in STATFLAG_WORDS.items() if bits & bit}
    return by_bits.union(keys.get("STATUS", "").upper().split())


def _statflag(keys: Keys) -> int:
    """0x05000008, and `Status Flag` behind it in older builds."""
    first = keys.get("STATFLAG", "").partition(" ")[0]
    try:
        return int(first, 16)
    except ValueError:
        return 0


def not_live(keys: Keys, max_age_s: float) -> str | None:
    """Why this is no news of the UPS; None if it is. All times are of apcupsd's clock, ours has no say.

    Until its first reading apcupsd tells zeros, no status, and the time of its own start as DATE.
    """
    if "COMMLOST" in status(keys):
        return "apcupsd says COMMLOST"
    if "STATUS" not in keys:
        return "apcupsd says: " + (next(iter(keys), "") or "nothing")
    read_at, told_at, started_at = (moment(keys.get(key)) for key in ("DATE", "END APC", "STARTTIME"))
    if not status(keys) & {"ONLINE", "ONBATT"} and (read_at is None or started_at is None or read_at <= started_at):
        return "apcupsd has not read its UPS yet"
    if read_at is None or told_at is None:
        return None
    age = told_at - read_at
    return f"apcupsd read it {age.total_seconds():.0f} s ago" if age > timedelta(seconds=max_age_s) else None


def moment(text: str | None) -> datetime | None:
    """A DATE. Older builds name their time zone by letters, which are left out: such times are for comparing only."""
    words = (text or "").split()
    if len(words) == 6:
        del words[4]
    words += [] if len(words) == 3 else ["+0000"]
    for pattern in DATE_FORMATS:
        with contextlib.suppress(ValueError):
            return datetime.strptime(" ".join(words), pattern)  # noqa: DTZ007 - each format has %z
    return None


def state(keys: Keys) -> State | None:
    found = status(keys)
    online, on_battery = "ONLINE" in found, "ONBATT" in found
    if online != on_battery:
        return State.ONLINE if online else State.ON_BATTERY
    return State.OFF if not online and _statflag(keys) & PLUGGED else None


def flags(keys: Keys) -> frozenset[Flag]:
    return frozenset(_flags(keys))


def _flags(keys: Keys) -> Iterator[Flag]:
    """LOWBATT on battery is the low-battery signal of register 18 (S18); a voltage beyond limits is an outage (S19)."""
    found = status(keys)
    yield from (flag for word, flag in FLAGS.items() if word in found)
    if state(keys) is State.ON_BATTERY:
        if "LOWBATT" in found:
            yield Flag.SHUTDOWN_IMMINENT
        volts = dialects.numbers(READING_ROWS[:1] + SETTING_ROWS[:2], keys)
        if dialects.beyond(volts["input_v"], volts["transfer_low_v"], volts["transfer_high_v"]) is not None:
            yield Flag.POWER_FAILURE


def runtime_s(keys: Keys, key: str = "TIMELEFT") -> int | None:
    """Minutes to seconds."""
    minutes = dialects.number(keys.get(key), 0, 1e5)
    return None if minutes is None else round(60 * minutes)


def snapshot(keys: Keys, *, at: datetime, answer_ms: float | None) -> Snapshot:
    now = state(keys)
    calibrating = "CAL" in status(keys)
    return Snapshot(
        at=at,
        full_at=at,
        state=now,
        cause=dialects.cause(keys.get("LASTXFER")),
        flags=flags(keys),
        self_test=dialects.self_test(keys.get("SELFTEST")),
        calibration=Calibration(status=TestStatus.IN_PROGRESS if calibrating else TestStatus.NONE),
        runtime_s=runtime_s(keys),
        answer_ms=answer_ms,
        main_outlet=OutletGroup(index=0, on=None if now is None else now is not State.OFF),
        **dialects.numbers(READING_ROWS, keys),  # type: ignore[arg-type]  # named by READING_ROWS
    )


def serial(keys: Keys) -> str | None:
    return dialects.serial_number(keys.get("SERIALNO"))


def identity(keys: Keys) -> Identity:
    model = keys.get("APCMODEL", keys.get("MODEL"))
    return Identity(
        serial=serial(keys),
        model=dialects.words(model),
        firmware=dialects.words(keys.get("FIRMWARE")),
        name=dialects.words(keys.get("UPSNAME")),
        manufactured_on=dialects.day(keys.get("MANDATE")),
        battery_installed_on=dialects.day(keys.get("BATTDATE")),
        outlet_groups=((0, ""),),
        reported_flags=frozenset(FLAGS.values()) | {Flag.SHUTDOWN_IMMINENT, Flag.POWER_FAILURE},
        **dialects.numbers(IDENTITY_ROWS, keys),  # type: ignore[arg-type]  # named by IDENTITY_ROWS
    )


def settings(keys: Keys) -> Settings:
    main = GroupDelays(
        index=0,
        turn_off_s=dialects.whole(keys.get("DSHUTD"), 0, 10**6),
        turn_on_s=dialects.whole(keys.get("DWAKE"), 0, 10**6),
    )
    return Settings(
        sensitivity=dialects.SENSITIVITIES.get(dialects.squashed(keys.get("SENSE"))),
        battery_test_interval=TEST_INTERVALS.get(dialects.squashed(keys.get("STESTI"))),
        low_battery_runtime_s=runtime_s(keys, "DLOWBATT"),
        alarm_delay=dialects.ALARM_DELAYS.get(dialects.squashed(keys.get("ALARMDEL"))),
        delays=() if main == GroupDelays(index=0) else (main,),
        **dialects.numbers(SETTING_ROWS, keys),  # type: ignore[arg-type]  # named by SETTING_ROWS
    )
