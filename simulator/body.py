"""What a simulated unit is at one instant, and what follows from it: its state, load, draw and runtime."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from drivers.ups import Cause, Flag, State
from simulator.agenda import Agenda, Item
from simulator.battery import Battery
from simulator.history import History, Kind, Value
from simulator.mains import NO_VOLTAGE, Bypass, Verdict
from simulator.model import Model, UpgradeOutput
from simulator.outlets import Outlets, Supply
from simulator.owner import Owner
from simulator.telling import changes, show
from simulator.trials import Trial

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
MAX_RUNTIME_S = 86400.0
"""What an SMT 04.1 shows with next to no load (apc-modbus.md 6.2)."""


def utc_from_epoch(at_s: float) -> datetime:
    """Simulated seconds as an instant, where no clock gives one."""
    return EPOCH + timedelta(seconds=at_s)


class Body:
    """`utc` tells at which instant a simulated second is; with `seed` 0 readings do not wander.

    Its attributes may be read by anyone and are changed by the simulator's rules only.
    """

    def __init__(
        self,
        model: Model,
        *,
        serial: str = "AS0000000001",
        name: str | None = None,
        seed: int = 0,
        load_pct: float = 25.0,
        charge_pct: float = 100.0,
        utc: Callable[[float], datetime] = utc_from_epoch,
    ) -> None:
        self.model, self.seed, self.utc = model, seed, utc
        self.now_s = 0.0
        self.load_pct = load_pct
        self.energy_wh = 0.0
        self.history = History()
        self.agenda = Agenda()
        self.agenda.set(Item.POWER_ON, 0.0)
        self.owner = Owner(model, serial, name or model.unit_name, utc(0.0).date())
        self.battery = Battery(model.battery)
        self.battery.charge = charge_pct / 100
        self.outlets = Outlets((index for index, _ in model.group_names), model.timing.sequence_gap_s)
        self.self_test, self.calibration = Trial(), Trial()
        self.calibration_load_pct = 0.0
        self.simulating_failure = False
        self.mains = model.normal_mains()
        self.verdict = Verdict()
        self.input_usable = True
        self.bypass: Bypass | None = None
        self.upgrade: UpgradeOutput | None = None
        self.upgrade_dropped = False
        self.high_efficiency = True
        self.faults: frozenset[Flag] = frozenset()
        self.latched: frozenset[Flag] = frozenset()
        self.muted = self.panel_test = self.acknowledged = False
        self.cause = Cause.ACCEPTABLE_INPUT
        self.shown = show(self)

    def settle(self, cause: Cause | None = None) -> None:
        """Tell the history what changed; `cause` is why, if this changes the unit's status."""
        if cause is not None:
            self.cause = cause
        shown = show(self)
        for change in changes(self.shown, shown):
            self.record(*change)
        self.shown = shown
        if shown.flags.isdisjoint({Flag.ALARM_SOUNDING, Flag.ALARM_MUTED}):
            self.muted = False

    def record(self, kind: Kind, name: str, old: Value, new: Value, cause: Cause | None = None) -> None:
        """Write one change into the history, as of this instant."""
        self.history.add(self.utc(self.now_s), kind, name, old, new, cause=cause)

    @property
    def state(self) -> State:
        if not self.outlets.any_on:
            return State.OFF
        if self.bypass is not None:
            return State.BYPASS
        return State.ONLINE if self.input_usable and not self.on_trial else State.ON_BATTERY

    @property
    def on_trial(self) -> bool:
        return self.self_test.running or self.calibration.running or self.simulating_failure

    @property
    def all_faults(self) -> frozenset[Flag]:
        return self.faults | self.latched

    # load

    @property
    def load_share_pct(self) -> float:
        """Percent of the rated watts, of the groups that are on."""
        return self.load_pct * self.outlets.share_on

    @property
    def load_w(self) -> float:
        return self.model.real_power_w * self.load_share_pct / 100

    @property
    def apparent_load_pct(self) -> float:
        return self.load_w / self.model.power_factor / self.model.apparent_power_va * 100

    @property
    def worst_load_pct(self) -> float:
        """Over 100 is overload, in watts or in volt-amperes."""
        return max(self.load_share_pct, self.apparent_load_pct)

    # battery

    @property
    def draw_w(self) -> float:
        """What is taken from the battery: the load's power, or the electronics' with output and mains off."""
        state = self.state
        if not self.battery_usable or self.battery.charge <= 0:
            return 0.0
        if state is State.ON_BATTERY:
            return self._inverted(self.load_w)
        return self.model.own_draw_w if state is State.OFF and not self.input_usable else 0.0

    @property
    def full_draw_w(self) -> float:
        """What the battery would have to give with all groups on."""
        return self._inverted(self.model.real_power_w * self.load_pct / 100)

    def _inverted(self, load_w: float) -> float:
        return load_w / self.model.inverter_efficiency + self.model.own_draw_w

    @property
    def battery_usable(self) -> bool:
        return not self.all_faults & {Flag.BATTERY_DISCONNECTED, Flag.INVERTER}

    @property
    def charger_on(self) -> bool:
        broken = self.all_faults & {Flag.CHARGER, Flag.BATTERY_DISCONNECTED}
        return self.input_usable and not self.on_trial and not broken

    @property
    def charging(self) -> bool:
        return self.charger_on and self.battery.charge < 1

    @property
    def runtime_s(self) -> float:
        """How long the battery carries the present load."""
        if not self.battery_usable:
            return 0.0
        return min(MAX_RUNTIME_S, self.battery.runtime_s(self._inverted(self.load_w)))

    @property
    def low_warning_s(self) -> int:
        """The runtime at which the battery counts as low."""
        own_s = self.owner.settings.low_battery_runtime_s
        return self.model.low_runtime_warning_s if own_s is None else own_s

    @property
    def mains_present(self) -> bool:
        """Whether there is voltage at all, good or bad."""
        return self.mains.voltage_v >= NO_VOLTAGE * self.model.nominal_v

    @property
    def powered(self) -> bool:
        """Whether anything feeds the unit's own electronics."""
        connected = Flag.BATTERY_DISCONNECTED not in self.all_faults
        return self.mains_present or (connected and self.battery.charge > 0)

    # what the output could get

    def supply(self) -> Supply:
        """What a group that wants to come on finds."""
        forbidden = self.all_faults & {Flag.EPO_ACTIVE, Flag.OUTPUT_SHORT_CIRCUIT}
        return Supply(
            ac=self.input_usable and not forbidden,
            battery=self.battery_usable and self.battery.charge > 0 and not forbidden,
            runtime_s=self.battery.runtime_s(self.full_draw_w) if self.battery_usable else 0.0,
            charge_pct=self.battery.charge * 100,
        )

    @property
    def bypass_usable(self) -> bool:
        """A bypass passes the mains on as they are, so they have to lie between the transfer points."""
        settings = self.owner.settings
        within = (settings.transfer_low_v or 0) <= self.mains.voltage_v <= (settings.transfer_high_v or 0)
        return self.model.bypass and within and Flag.BYPASS_RELAY not in self.all_faults
