"""What makes one Smart-UPS model differ from another."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec

from drivers.ups import Cause, Settings
from simulator.battery import BatteryModel
from simulator.mains import Mains
from simulator.upslink.profile import Profile


class Topology(StrEnum):
    LINE_INTERACTIVE = "line-interactive"
    DOUBLE_CONVERSION = "double-conversion"


class UpgradeOutput(StrEnum):
    """How a firmware upgrade runs: with the output off, or with the load fed straight through."""

    OFF = "off"
    ON = "on"


class PortKind(StrEnum):
    """Whose Modbus TCP server a unit has: its own SmartConnect port, or a management card."""

    SMARTCONNECT = "smartconnect"
    NMC = "nmc"


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """Answer times and session rules of a unit's ports (apc-modbus.md section 9).

    `tcp_sessions`: connections at once. `refuse_after_close_s`: a new one is refused that long after a close.
    """

    kind: PortKind = PortKind.SMARTCONNECT
    rtu_ms: int = 20
    tcp_ms: int = 50
    tcp_sessions: int = 4
    refuse_after_close_s: float = 0.0


EASY_PORT = Port()
"""Of units captured on their serial line: nothing is known of their TCP port, so it puts no rules up."""
SMARTCONNECT_PORT = Port(tcp_ms=500, tcp_sessions=1, refuse_after_close_s=10.0)
NMC_PORT = Port(kind=PortKind.NMC, tcp_ms=60)


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long the unit takes, in seconds.

    `transfer_s`: from bad input to battery. `return_s`: good input watched before going back to it.
    `sequence_gap_s`: from the main group on to the switched groups on. `shutdown_delay_s`: fixed turn-off
    countdown of a requested shutdown; None takes the settings of the groups.
    """

    transfer_s: float = 0.004
    return_s: float = 4.0
    self_test_s: float = 10.0
    high_efficiency_s: float = 300.0
    sequence_gap_s: float = 1.0
    shutdown_delay_s: int | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that makes one model differ. `key` names it on the command line.

    `input_low_v` and `input_high_v` are what a double-conversion unit's rectifier takes. `upslink`: what its serial
    line says where that speaks UPS-Link; such a unit speaks no Modbus (ups-link.md section 2). `upgrade_outputs`: the
    ways in which its firmware can be upgraded; which model has which is our inference (apc-modbus.md section 16).
    """

    key: str
    summary: str
    model: str
    sku: str
    firmware: str
    product_id: int
    apparent_power_va: int
    real_power_w: int
    nominal_v: int
    nominal_hz: int
    topology: Topology
    battery: BatteryModel
    settings: Settings
    group_names: tuple[tuple[int, str], ...]
    transfer_high_range_v: tuple[int, int]
    transfer_low_range_v: tuple[int, int]
    test_intervals: tuple[str, ...]
    output_frequencies: tuple[str, ...] = ()
    output_voltages: tuple[int, ...] = ()
    boosts: tuple[float, ...] = ()
    trims: tuple[float, ...] = ()
    input_low_v: float = 0.0
    input_high_v: float = 0.0
    loss_cause: Cause = Cause.LOW_INPUT_VOLTAGE
    bypass: bool = False
    load_shed: bool = False
    unit_name: str = "APC UPS"
    manufactured_on: date = date(2024, 3, 11)
    battery_installed_on: date | None = None
    power_factor: float = 0.95
    efficiency_pct: float = 98.0
    inverter_efficiency: float = 0.90
    own_draw_w: float = 15.0
    low_runtime_warning_s: int = 120
    minimum_calibration_load_pct: float = 15.0
    timing: Timing = Timing()
    port: Port = EASY_PORT
    upslink: Profile | None = None
    upgrade_outputs: tuple[UpgradeOutput, ...] = (UpgradeOutput.OFF, UpgradeOutput.ON)

    def normal_mains(self) -> Mains:
        return Mains(voltage_v=float(self.nominal_v), frequency_hz=float(self.nominal_hz))
