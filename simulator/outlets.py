"""Outlet groups: what each is doing, by countdowns that run in turn (AN177; apc-modbus.md 8.1, 8.5).

At the start of a process all its counters are loaded and held; turn-off runs first, then stay-off, then turn-on.
The main group goes off after the last switched group, and switched groups come on after the main one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

import msgspec

from drivers.ups import Cause, OutletGroup

SLEEP_S = 300
"""A reboot that stays off longer than this is a sleep (apc-modbus.md 8.1)."""
MAIN = 0


class Kind(StrEnum):
    """`OFF` stays off; `SHUTDOWN` returns with AC and enough runtime; `REBOOT` returns with AC."""

    ON = "on"
    OFF = "off"
    SHUTDOWN = "shutdown"
    REBOOT = "reboot"


class Phase(StrEnum):
    TURN_OFF = "turn_off"
    STAY_OFF = "stay_off"
    WAIT = "wait"
    TURN_ON = "turn_on"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A process to start: its counters in seconds, and the cause to tell when it switches.

    `minimum_runtime_s`, `minimum_charge_pct`: the battery has to offer that much before the group returns.
    """

    kind: Kind
    cause: Cause
    turn_off_s: int = 0
    stay_off_s: int = 0
    turn_on_s: int = 0
    cold_boot: bool = False
    minimum_runtime_s: int = 0
    minimum_charge_pct: int = 0
    return_cause: Cause = Cause.AUTOMATIC_RESTART


class Process(msgspec.Struct):
    """A plan under way; `due_s` ends the phase, infinity while it waits for AC."""

    plan: Plan
    phase: Phase
    due_s: float


class Supply(msgspec.Struct, frozen=True):
    """What a group that wants to come on looks at: acceptable AC, the charge and the runtime there would be."""

    ac: bool
    battery: bool
    runtime_s: float
    charge_pct: float


class Switched(msgspec.Struct, frozen=True):
    """A group that has just gone on or off."""

    index: int
    on: bool
    cause: Cause


class Outlet:
    """One group, on or off, with the process it is in."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.on = True
        self.on_since_s = -math.inf
        self.process: Process | None = None

    def read(self, now_s: float) -> OutletGroup:
        """The group as its registers show it: counters held, running, expired (0) or idle (None)."""
        process = self.process
        kind = process.plan.kind if process else None
        reboot = kind is Kind.REBOOT and process is not None
        sleeping = bool(reboot and process and process.plan.stay_off_s > SLEEP_S)
        turn_off_s, stay_off_s, turn_on_s = self._counters(now_s)
        return OutletGroup(
            index=self.index,
            on=self.on,
            rebooting=reboot and not sleeping,
            shutting_down=kind is Kind.SHUTDOWN,
            sleeping=sleeping,
            turn_off_s=turn_off_s,
            turn_on_s=turn_on_s,
            stay_off_s=stay_off_s,
        )

    def _counters(self, now_s: float) -> tuple[int | None, int | None, int | None]:
        if self.process is None:
            return None, None, None
        plan, phase = self.process.plan, self.process.phase
        left = max(0, math.ceil(self.process.due_s - now_s - 1e-6)) if self.process.due_s < math.inf else 0
        if plan.kind is Kind.ON:
            return None, None, left if phase is Phase.TURN_ON else plan.turn_on_s
        if plan.kind is Kind.OFF:
            return left, None, None
        order = (Phase.TURN_OFF, Phase.STAY_OFF, Phase.WAIT, Phase.TURN_ON)
        loaded = {
            Phase.TURN_OFF: plan.turn_off_s,
            Phase.STAY_OFF: plan.stay_off_s,
            Phase.TURN_ON: plan.turn_on_s,
        }
        passed = order.index(phase)
        shown = {
            each: left if each is phase else 0 if order.index(each) < passed else seconds
            for each, seconds in loaded.items()
        }
        return shown[Phase.TURN_OFF], shown[Phase.STAY_OFF], shown[Phase.TURN_ON]


class Outlets:
    """All groups of a unit; `gap_s` lies between the main group on and the switched ones on."""

    def __init__(self, indices: Iterable[int], gap_s: float) -> None:
        self.groups: dict[int, Outlet] = {index: Outlet(index) for index in indices}
        self._gap_s = gap_s

    @property
    def any_on(self) -> bool:
        return any(group.on for group in self.groups.values())

    @property
    def share_on(self) -> float:
        """The load is spread evenly over the groups."""
        return sum(group.on for group in self.groups.values()) / len(self.groups)

    def _reference(self) -> Iterable[Outlet]:
        """The main group, or all where there is none: what the unit's own pending bits go by."""
        main = self.groups.get(MAIN)
        return (main,) if main else self.groups.values()

    @property
    def going_off(self) -> bool:
        return any(g.process and g.process.phase is Phase.TURN_OFF for g in self._reference())

    @property
    def coming_on(self) -> bool:
        return any(not g.on and g.process and g.process.phase is not Phase.TURN_OFF for g in self._reference())

    def next_s(self) -> float:
        """The nearest end of a phase. A main group that waits for the switched ones has none."""
        ends = (g.process.due_s for g in self.groups.values() if g.process and not self._held(g))
        return min(ends, default=math.inf)

    def awaited_runtimes_s(self) -> list[int]:
        """The runtimes that groups want before they return."""
        return [plan.minimum_runtime_s for plan in self._waiting()]

    def awaited_charges_pct(self) -> list[int]:
        """The charges that groups want before they return."""
        return [plan.minimum_charge_pct for plan in self._waiting()]

    def _waiting(self) -> list[Plan]:
        processes = [group.process for group in self.groups.values()]
        return [process.plan for process in processes if process and process.phase is Phase.WAIT]

    def start(self, indices: Iterable[int], plan: Plan, now_s: float) -> None:
        """Start a process in each group named, in place of any it had."""
        for index in indices:
            group = self.groups[index]
            if plan.kind is Kind.ON:
                group.process = None if group.on else Process(plan, Phase.WAIT, math.inf)
            elif plan.kind is Kind.OFF and not group.on:
                group.process = None
            else:
                group.process = Process(plan, Phase.TURN_OFF, now_s + plan.turn_off_s)

    def cancel(self, indices: Iterable[int]) -> None:
        for index in indices:
            self.groups[index].process = None

    def drop(self, now_s: float, plans: Mapping[int, Plan]) -> None:
        """Power is gone: all off at once; a group with a plan waits to return by it."""
        for index, group in self.groups.items():
            plan = plans.get(index)
            group.on = False
            group.process = Process(plan, Phase.STAY_OFF, now_s + plan.stay_off_s) if plan else None

    def run(self, now_s: float, supply: Callable[[], Supply]) -> list[Switched]:
        """Carry out what is due: switched groups off before the main one, the main one on first."""
        switched: list[Switched] = []
        for phase_off in (True, False):
            for group in sorted(self.groups.values(), key=lambda g: g.index, reverse=phase_off):
                while group.process and (group.process.phase is Phase.TURN_OFF) is phase_off:
                    done = self._step(group, group.process, now_s, supply)
                    if done is None:
                        break
                    switched += done
        return switched

    def _step(
        self, group: Outlet, process: Process, now_s: float, supply: Callable[[], Supply]
    ) -> list[Switched] | None:
        """One change of phase, with what it switched; None when the group has to wait."""
        if process.phase is Phase.WAIT:
            return self._try_to_return(group, process, now_s, supply())
        if process.due_s > now_s + 1e-9 or self._held(group):
            return None
        plan = process.plan
        if process.phase is Phase.TURN_OFF:
            was_on, group.on = group.on, False
            group.process = None if plan.kind is Kind.OFF else Process(plan, Phase.STAY_OFF, now_s + plan.stay_off_s)
            return [Switched(group.index, False, plan.cause)] if was_on else []
        if process.phase is Phase.STAY_OFF:
            process.phase, process.due_s = Phase.WAIT, math.inf
            return []
        if not self._may_return(process, supply()):
            process.phase, process.due_s = Phase.WAIT, math.inf
            return None
        group.on, group.on_since_s, group.process = True, now_s, None
        return [Switched(group.index, True, plan.return_cause)]

    def _held(self, group: Outlet) -> bool:
        """The main group can go off only when all switched groups are off."""
        process = group.process
        if group.index != MAIN or process is None or process.phase is not Phase.TURN_OFF:
            return False
        return any(other.on for other in self.groups.values() if other.index != MAIN)

    def _may_return(self, process: Process, supply: Supply) -> bool:
        return supply.ac or (process.plan.cold_boot and supply.battery)

    def _try_to_return(self, group: Outlet, process: Process, now_s: float, supply: Supply) -> list[Switched] | None:
        if not self._may_return(process, supply):
            return None
        if supply.runtime_s < process.plan.minimum_runtime_s:
            return None
        if supply.charge_pct < process.plan.minimum_charge_pct - 1e-6:
            return None
        start_s = now_s
        main = self.groups.get(MAIN)
        if main and group.index != MAIN:
            if not main.on:
                return None
            start_s = max(now_s, main.on_since_s + self._gap_s)
        process.phase, process.due_s = Phase.TURN_ON, start_s + process.plan.turn_on_s
        return []
