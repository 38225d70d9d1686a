"""Whether a unit is fit to be without its firmware for a while: its mains, its doings, its battery (A5)."""

from __future__ import annotations

from collections.abc import Callable

from drivers.ups import Flag, Snapshot, State
from gateway.firmware.hindrance import Hindrances, failing, number
from gateway.firmware.look import Look
from gateway.preconditions import Track, busy, mains_are_good

INPUT_HZ = (45.0, 65.0)
INPUT_SHARE = (0.8, 1.2)
"""Of the nominal voltage; a unit that regulates is on mains a little beyond its transfer points too."""
INPUT_V = (80.0, 280.0)
"""Where the nominal voltage is not known."""

INTERNAL_FAULTS = frozenset(
    {
        Flag.FAULT_STATE,
        Flag.EEPROM,
        Flag.AD_CONVERTER,
        Flag.LOGIC_POWER_SUPPLY,
        Flag.INTERNAL_COMMUNICATION,
        Flag.OSCILLATOR,
        Flag.MEASUREMENT_MISMATCH,
        Flag.SUBSYSTEM,
        Flag.EPO_ACTIVE,
        Flag.OUTPUT_SHORT_CIRCUIT,
        Flag.OUTPUT_OVERVOLTAGE,
        Flag.TRANSFORMER_DC_IMBALANCE,
        Flag.OVERTEMPERATURE,
        Flag.BACKFEED_RELAY,
        Flag.AVR_RELAY,
        Flag.PFC_INPUT_RELAY,
        Flag.OUTPUT_RELAY,
        Flag.BYPASS_RELAY,
        Flag.PFC,
        Flag.DC_BUS_OVERVOLTAGE,
        Flag.INVERTER,
        Flag.OVERCURRENT,
    }
)
"""Of registers 0, 19 and 20 those that say the unit itself is not sound (apc-modbus.md 7.5, 7.6); another image may be
what mends a firmware mismatch."""
OVERLOADS = frozenset({Flag.OUTPUT_OVERLOAD, Flag.OVERLOAD_STATE})


def soundness(look: Look, track: Track) -> Hindrances:
    yield from _mains(look, track)
    yield from _doings(track)
    yield from _battery(look, track.snapshot, _reported(track))


def _reported(track: Track) -> frozenset[Flag]:
    return track.identity.reported_flags if track.identity else frozenset()


def _mains(look: Look, track: Track) -> Hindrances:
    snapshot, wanted_s = track.snapshot, look.facts.before.mains_stable_s
    if not mains_are_good(snapshot):
        found = "bad" if snapshot.state is State.ONLINE else snapshot.state
        yield failing("not_on_mains", "mains", found, "online and good")
        return
    yield from number("input_v", snapshot.input_v, _within(*_band_v(look)), "{:g} to {:g} V".format(*_band_v(look)))
    if snapshot.input_hz is not None:
        yield from number("input_hz", snapshot.input_hz, _within(*INPUT_HZ), "{:g} to {:g} Hz".format(*INPUT_HZ))
    steady_s = None if track.mains_since_s is None else look.now_s - track.mains_since_s
    if steady_s is None or not steady_s >= wanted_s:
        yield failing("mains_not_steady", "seconds of good mains", steady_s, wanted_s)


def _band_v(look: Look) -> tuple[float, float]:
    identity = look.readings.identity
    if identity is None or not identity.nominal_output_v:
        return INPUT_V
    return INPUT_SHARE[0] * identity.nominal_output_v, INPUT_SHARE[1] * identity.nominal_output_v


def _within(low: float, high: float) -> Callable[[float], bool]:
    return lambda value: low <= value <= high


def _doings(track: Track) -> Hindrances:
    snapshot = track.snapshot
    for found in busy(snapshot):
        yield failing(found.reason, "under way", found.detail, "nothing")
    yield from _flags("internal_fault", snapshot, INTERNAL_FAULTS, _reported(track))
    yield from _flags("overload", snapshot, OVERLOADS, _reported(track))


def _battery(look: Look, snapshot: Snapshot, reported: frozenset[Flag]) -> Hindrances:
    before = look.facts.before
    yield from _flags("battery_disconnected", snapshot, frozenset({Flag.BATTERY_DISCONNECTED}), reported)
    yield from number(
        "charge_pct",
        snapshot.charge_pct,
        lambda charge: charge >= before.charge_pct,
        f"at least {before.charge_pct}",
        overridable=True,
    )
    yield from number(
        "runtime_s",
        snapshot.runtime_s,
        lambda runtime: runtime >= before.runtime_s,
        f"at least {before.runtime_s}",
        overridable=True,
    )
    yield from number(
        "load_pct",
        snapshot.load_pct,
        lambda load: 0 <= load <= before.load_pct,
        f"at most {before.load_pct}",
        overridable=True,
    )


def _flags(reason: str, snapshot: Snapshot, bad: frozenset[Flag], reported: frozenset[Flag]) -> Hindrances:
    """None of `bad` is set, and the unit is one that would say so."""
    if found := snapshot.flags & bad:
        yield failing(reason, "set", ", ".join(sorted(found)), "none of these")
    elif not reported & bad:
        yield failing(f"{reason}_unknown", reason, None, "reported by the unit")
