"""A simulated Smart-UPS: its way through time, what it says, and what can be done to it.

Continuous things (charge, temperature, energy) flow in steps that end where something discrete happens, so
that happens at its exact instant however the time is handed in. What happens is decided in transfer,
output, proving, faults and execute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from drivers.ups import Flag, Identity, Settings, Snapshot, TestSource
from simulator import efficiency, execute, faults, output, proving, reading, transfer
from simulator.agenda import Item
from simulator.body import Body
from simulator.bootloader import upgrading
from simulator.mains import Mains
from simulator.model import UpgradeOutput
from simulator.orders import Answer, Order
from simulator.trials import CALIBRATION_END_CHARGE

DRAINING_STEP_S = 1.0
"""Longest step on battery: the warming of a second changes its capacity far less than a reading can show."""
RESTING_STEP_S = 60.0
"""Longest step else: charging and cooling are exact over any, only a temperature's threshold is found by steps."""
MIN_STEP_S = 1e-6
"""The resolution of an instant."""


class Unit(Body):
    """One UPS. Each method acts at the instant that the last advance reached."""

    def identity(self) -> Identity:
        return self.owner.identity()

    def settings(self) -> Settings:
        return self.owner.settings

    def snapshot(self, at: datetime) -> Snapshot:
        """The whole physical truth, dated `at`."""
        return reading.snapshot(self, at)

    def order(self, order: Order) -> Answer:
        """Take an order from a wire."""
        answer = execute.execute(self, order)
        self._happen()
        return answer

    # what is done to it

    def set_mains(self, mains: Mains, notch_s: float | None = None) -> None:
        """Change the input; `notch_s` ends its notch after that long."""
        transfer.set_mains(self, mains, notch_s)
        self._happen()

    def set_load(self, load_pct: float) -> None:
        """Connect a load of that many percent of the rated watts, spread evenly over the outlet groups."""
        output.set_load(self, load_pct)
        self._happen()

    def set_charge(self, charge_pct: float) -> None:
        self.battery.charge = charge_pct / 100
        self._happen()

    def set_battery_age(self, years: float) -> None:
        """Make the battery that old: it was installed so long ago and has lost capacity accordingly."""
        self.battery.age_years = years
        self.owner.battery_installed_on = (self.utc(self.now_s) - timedelta(days=years * 365.25)).date()
        self._happen()

    def set_temperature(self, battery_c: float | None = None, ambient_c: float | None = None) -> None:
        """Of the battery now, or of the room, which it will follow."""
        if ambient_c is not None:
            self.battery.ambient_c = ambient_c
        if battery_c is not None:
            self.battery.temp_c = battery_c
        self._happen()

    def replace_battery(self) -> None:
        """A new, full battery: the old one's alarms end."""
        faults.replace_battery(self)
        self._happen()

    def set_fault(self, flag: Flag, on: bool) -> None:
        """Inject a flag with what it brings about, or take an injected or latched one away."""
        faults.set_fault(self, flag, on)
        self._happen()

    def press_test(self) -> None:
        """Start a self-test from the panel."""
        proving.start_test(self, TestSource.LOCAL)
        self._happen()

    def begin_upgrade(self, mode: UpgradeOutput) -> None:
        """The boot loader takes over from the application."""
        upgrading.begin(self, mode)
        self._happen()

    def end_upgrade(self, firmware: str) -> None:
        """The application runs again, as this firmware."""
        upgrading.end(self, firmware)
        self._happen()

    # time

    def advance(self, now_s: float) -> None:
        """Run the physics up to that simulated second; an earlier one than it has reached changes nothing."""
        while self.now_s < now_s:
            left = now_s - self.now_s
            longest = DRAINING_STEP_S if self.draw_w > 0 else RESTING_STEP_S
            step = min(left, longest, max(MIN_STEP_S, self.next_event_s() - self.now_s))
            self._flow(step)
            self.now_s = now_s if step == left else self.now_s + step
            self._happen()

    def next_event_s(self) -> float:
        """The instant of the next discrete event that is known by now, infinity if there is none."""
        return min(self.agenda.next_s(), self.outlets.next_s(), self.now_s + self._battery_event_in())

    def _battery_event_in(self) -> float:
        if self.draw_w > 0:
            low = self.runtime_s - self.low_warning_s
            calibrated = CALIBRATION_END_CHARGE if self.calibration.running else 1.0
            return min(
                self.battery.time_to_drain_to(0.0, self.draw_w),
                self.battery.time_to_drain_to(calibrated, self.draw_w),
                low if low > 0 else math.inf,
            )
        if not self.charging:
            return math.inf
        full_s = self.battery.full_runtime_s(self.full_draw_w)
        awaited = [self.battery.time_to_charge_to(want / full_s) for want in self.outlets.awaited_runtimes_s()]
        awaited += [self.battery.time_to_charge_to(want / 100) for want in self.outlets.awaited_charges_pct()]
        return min([*awaited, self.battery.time_to_charge_step()])

    def _flow(self, step_s: float) -> None:
        draw_w, charging = self.draw_w, self.charging
        if draw_w > 0:
            self.battery.drain(draw_w, step_s)
        elif charging:
            self.battery.recharge(step_s)
        self.battery.warm_and_age(draw_w, charging, step_s)
        self.energy_wh += self.load_w * step_s / 3600

    def _happen(self) -> None:
        """Carry out what is due at this instant, then tell what changed."""
        while (item := self.agenda.pop_due(self.now_s + MIN_STEP_S / 2)) is not None:
            _WHEN_DUE[item](self)
        if self.upgrade is None:
            output.check_battery(self)
            output.switch_outlets(self)
            output.watch_overload(self)
        else:
            upgrading.watch(self)
        self.settle()


_WHEN_DUE: Mapping[Item, Callable[[Unit], None]] = MappingProxyType(
    {
        Item.POWER_ON: output.watch_overload,
        Item.NOTCH_END: transfer.end_notch,
        Item.TRANSFER: transfer.go_to_battery,
        Item.RETURN: transfer.accept_input,
        Item.HIGH_EFFICIENCY: efficiency.resume,
        Item.TEST_START: proving.run_test,
        Item.TEST_END: proving.finish_test,
        Item.SCHEDULED_TEST: proving.scheduled_test,
        Item.CALIBRATION_START: proving.run_calibration,
        Item.SIMULATED_FAILURE_START: proving.run_simulated_failure,
        Item.SIMULATED_FAILURE_END: proving.end_simulated_failure,
        Item.OVERLOAD: output.give_way,
        Item.PANEL_TEST_END: execute.end_panel_test,
    }
)
"""What each item of the agenda does when its time has come."""
