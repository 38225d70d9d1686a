"""A UPS as a table for people. All text is escaped: what a unit says is text from outside (S6)."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from drivers.ups import (
    READINGS,
    Group,
    Identity,
    OutletGroup,
    Reading,
    Settings,
    Snapshot,
    TestResult,
    clean_text,
)

HEADINGS = {
    Group.INPUT: "Input",
    Group.OUTPUT: "Output",
    Group.BATTERY: "Battery",
    Group.LINK: "Link",
    Group.MAIN_OUTLET: "Main outlet",
    Group.SWITCHED_OUTLETS: "Switched outlets",
}
UNIT, STATE, FLAGS, SETTINGS = "Unit", "State", "Flags", "Settings"
VALUE_LIMIT = 200
Rows = Iterator[tuple[str, str]]
Sections = dict[str, tuple[tuple[str, str], ...]]
"""By heading, the labels and values below it; no heading without any."""


def sections(identity: Identity, snapshot: Snapshot, settings: Settings | None = None) -> Sections:
    """Who, state, the six groups, flags, settings. Values are cut to printable characters."""
    rows: dict[str, Rows] = {UNIT: _identity_rows(identity), STATE: _state_rows(snapshot)}
    rows |= {heading: _group_rows(group, identity, snapshot) for group, heading in HEADINGS.items()}
    rows[FLAGS] = ((words(flag), "yes") for flag in sorted(snapshot.flags))
    if settings is not None:
        rows[SETTINGS] = _setting_rows(settings)
    shown = {
        heading: tuple((clean_text(label), clean_text(value, VALUE_LIMIT)) for label, value in found)
        for heading, found in rows.items()
    }
    return {heading: found for heading, found in shown.items() if found}


def table(identity: Identity, snapshot: Snapshot, settings: Settings | None = None) -> Table:
    """All the sections in one table."""
    grid = Table(show_header=False, box=None, pad_edge=False)
    grid.add_column(style="dim")
    grid.add_column()
    for heading, rows in sections(identity, snapshot, settings).items():
        grid.add_row(Text(heading, style="bold"))
        for label, value in rows:
            grid.add_row(Text(f"  {label}"), Text(value))
    return grid


def _identity_rows(identity: Identity) -> Rows:
    for label, value in (
        ("model", identity.model),
        ("SKU", identity.sku),
        ("serial number", identity.serial),
        ("firmware", identity.firmware),
        ("product id", identity.product_id),
        ("name", identity.name),
        ("manufactured", identity.manufactured_on),
        ("battery", identity.battery_sku),
        ("external battery", identity.external_battery_sku),
        ("battery installed", identity.battery_installed_on),
        ("battery nominal, V", identity.battery_nominal_v),
        ("external battery packs", identity.battery_packs),
        ("bad battery packs", identity.bad_battery_packs),
        ("rating, VA", identity.apparent_power_va),
        ("rating, W", identity.real_power_w),
        ("nominal output, V", identity.nominal_output_v),
    ):
        if value is not None:
            yield label, str(value)


def _state_rows(snapshot: Snapshot) -> Rows:
    yield "state", words(snapshot.state or "unknown")
    if snapshot.cause:
        yield "cause of the last change", words(snapshot.cause)
    yield from _test_rows("self-test", snapshot.self_test)
    yield from _test_rows("runtime calibration", snapshot.calibration)


def words(name: str) -> str:
    return name.replace("_", " ")


def _test_rows(label: str, result: TestResult | None) -> Rows:
    if result is not None:
        source = f", by {result.source}" if result.source else ""
        reasons = "".join(f", {words(reason)}" for reason in result.reasons)
        yield label, f"{words(result.status)}{source}{reasons}"


def _group_rows(group: Group, identity: Identity, snapshot: Snapshot) -> Rows:
    for reading in READINGS:
        value = getattr(snapshot, reading.name)
        if reading.group is group and value is not None:
            yield reading.label, _quantity(reading, value)
    if group is Group.INPUT and snapshot.efficiency_reason:
        yield "efficiency", words(snapshot.efficiency_reason)
    if group is Group.BATTERY and snapshot.replace_battery_on:
        yield "replace battery about", str(snapshot.replace_battery_on)
    names = dict(identity.outlet_groups)
    if group is Group.MAIN_OUTLET and snapshot.main_outlet:
        yield _outlet_row(snapshot.main_outlet, names)
    if group is Group.SWITCHED_OUTLETS:
        yield from (_outlet_row(outlet, names) for outlet in snapshot.switched_outlets)


def _quantity(reading: Reading, value: float) -> str:
    return f"{value:.{reading.digits}f} {reading.unit}"


def _outlet_row(outlet: OutletGroup, names: dict[int, str]) -> tuple[str, str]:
    says = ["unknown" if outlet.on is None else "on" if outlet.on else "off"]
    says += ["rebooting"] if outlet.rebooting else []
    says += ["shutting down"] if outlet.shutting_down else []
    says += ["sleeping"] if outlet.sleeping else []
    for label, count in (
        ("off in", outlet.turn_off_s),
        ("on in", outlet.turn_on_s),
        ("stays off for", outlet.stay_off_s),
    ):
        says += [f"{label} {count} s"] if count is not None else []
    return names.get(outlet.index) or f"group {outlet.index}", ", ".join(says)


def _setting_rows(settings: Settings) -> Rows:
    for label, value in (
        ("transfer high, V", settings.transfer_high_v),
        ("transfer low, V", settings.transfer_low_v),
        ("sensitivity", settings.sensitivity),
        ("battery test", settings.battery_test_interval),
        ("output frequency", settings.output_frequency),
        ("output, V", settings.output_v),
        ("low battery at, s", settings.low_battery_runtime_s),
        ("charge to return, %", settings.minimum_return_charge_pct),
        ("alarm", settings.alarm_delay),
    ):
        if value is not None:
            yield label, words(str(value))
    for delay in settings.delays:
        for label, count in (
            ("turn off after, s", delay.turn_off_s),
            ("turn on after, s", delay.turn_on_s),
            ("stay off for, s", delay.stay_off_s),
            ("runtime to return, s", delay.minimum_return_runtime_s),
        ):
            if count is not None:
                yield f"group {delay.index}: {label}", str(count)
