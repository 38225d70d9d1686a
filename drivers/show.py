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
Rows = Iterator[tuple[str, str]]


def table(identity: Identity, snapshot: Snapshot, settings: Settings | None = None) -> Table:
    """One table: who, state, the six groups, flags, settings."""
    grid = Table(show_header=False, box=None, pad_edge=False)
    grid.add_column(style="dim")
    grid.add_column()
    _section(grid, "Unit", _identity_rows(identity))
    _section(grid, "State", _state_rows(snapshot))
    for group, heading in HEADINGS.items():
        _section(grid, heading, _group_rows(group, identity, snapshot))
    _section(grid, "Flags", ((flag.replace("_", " "), "yes") for flag in sorted(snapshot.flags)))
    if settings is not None:
        _section(grid, "Settings", _setting_rows(settings))
    return grid


def _section(grid: Table, heading: str, rows: Rows) -> None:
    shown = list(rows)
    if shown:
        grid.add_row(Text(heading, style="bold"))
    for label, value in shown:
        grid.add_row(Text(f"  {label}"), Text(clean_text(value, 200)))


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
        ("rating, VA", identity.apparent_power_va),
        ("rating, W", identity.real_power_w),
        ("nominal output, V", identity.nominal_output_v),
    ):
        if value is not None:
            yield label, str(value)


def _state_rows(snapshot: Snapshot) -> Rows:
    yield "state", _words(snapshot.state or "unknown")
    if snapshot.cause:
        yield "cause of the last change", _words(snapshot.cause)
    yield from _test_rows("self-test", snapshot.self_test)
    yield from _test_rows("runtime calibration", snapshot.calibration)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _test_rows(label: str, result: TestResult | None) -> Rows:
    if result is not None:
        source = f", by {result.source}" if result.source else ""
        reasons = "".join(f", {_words(reason)}" for reason in result.reasons)
        yield label, f"{_words(result.status)}{source}{reasons}"


def _group_rows(group: Group, identity: Identity, snapshot: Snapshot) -> Rows:
    for reading in READINGS:
        value = getattr(snapshot, reading.name)
        if reading.group is group and value is not None:
            yield reading.label, _quantity(reading, value)
    if group is Group.INPUT and snapshot.efficiency_reason:
        yield "efficiency", _words(snapshot.efficiency_reason)
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
    ):
        if value is not None:
            yield label, _words(str(value))
    for delay in settings.delays:
        for label, count in (
            ("turn off after, s", delay.turn_off_s),
            ("turn on after, s", delay.turn_on_s),
            ("stay off for, s", delay.stay_off_s),
            ("runtime to return, s", delay.minimum_return_runtime_s),
        ):
            if count is not None:
                yield f"group {delay.index}: {label}", str(count)
