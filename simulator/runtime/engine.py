"""A unit that lives: stepped by its clock, brought up to the instant whenever somebody looks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from drivers.ups import Identity, Settings, Snapshot
from simulator.bootloader.loader import Loader
from simulator.control import Wire, perform
from simulator.errors import ControlError
from simulator.lines import Reply
from simulator.model import Model
from simulator.orders import Answer, Order
from simulator.runtime.clock import Clock
from simulator.scenario import Scenario
from simulator.unit import Unit

log = logging.getLogger(__name__)

TICK_S = 0.05
"""Nobody sees the physics between looks, and a look is exact: this only bounds what there is to catch up."""
COMMAND_LIMIT = 10_000
"""Writes remembered for `commands`; about 5 MB."""


class Engine:
    """Owns a unit and its clock; what the wire servers and the control port see of it.

    Times in its history are real instants: those at which the physics changed, not at which a tick noticed.
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
        speed: float = 1.0,
        scenario: Scenario | None = None,
    ) -> None:
        self.clock = Clock(speed)
        self._unit = Unit(
            model,
            serial=serial,
            name=name,
            seed=seed,
            load_pct=load_pct,
            charge_pct=charge_pct,
            utc=self.clock.utc,
        )
        self.loader = Loader(self._unit)
        self._scenario = scenario or Scenario()
        self._played_s = -1.0
        self._commands: deque[dict[str, object]] = deque(maxlen=COMMAND_LIMIT)
        self._command_number = 0
        self._wires: dict[str, Wire] = {}

    @property
    def model(self) -> Model:
        return self._unit.model

    @property
    def unit(self) -> Unit:
        """The unit as the last catch_up left it."""
        return self._unit

    def catch_up(self) -> None:
        """Advance the physics to this instant, through the steps of the scenario that lie on the way."""
        now_s = self.clock.now_s()
        for at_s, line in self._scenario.between(self._played_s, now_s):
            self._unit.advance(at_s)
            try:
                perform(line, self)
            except ControlError as error:
                log.warning("scenario, second %g: %s: %s", at_s, line, error)
        self._played_s = now_s
        self._unit.advance(now_s)

    def obey(self, line: str) -> Reply:
        """Obey one control line at this instant. ControlError says what is wrong with it."""
        self.catch_up()
        return perform(line, self)

    # for wires

    def snapshot(self) -> Snapshot:
        self.catch_up()
        return self._unit.snapshot(datetime.now(UTC))

    @property
    def now_s(self) -> float:
        """The unit's own second at this instant."""
        return self.clock.now_s()

    def identity(self) -> Identity:
        return self._unit.identity()

    def settings(self) -> Settings:
        return self._unit.settings()

    def order(self, order: Order) -> Answer:
        self.catch_up()
        return self._unit.order(order)

    def record_command(self, write: msgspec.Struct) -> None:
        """Remember a write that a wire took in, answered or not."""
        self._command_number += 1
        fields = msgspec.to_builtins(write)
        at = msgspec.to_builtins(datetime.now(UTC))
        self._commands.append({"number": self._command_number, "at": at, **fields})

    # for the control port

    def add_wire(self, name: str, wire: Wire) -> None:
        self._wires[name] = wire

    @property
    def wires(self) -> Mapping[str, Wire]:
        return self._wires

    @property
    def monotonic_s(self) -> float:
        """Real time, as the wires see it: they do not run faster when the physics do."""
        return time.monotonic()

    def commands(self) -> list[dict[str, object]]:
        return list(self._commands)

    @property
    def speed(self) -> float:
        return self.clock.speed

    @property
    def held(self) -> bool:
        return self.clock.held

    def set_pace(self, *, speed: float | None = None, held: bool | None = None) -> None:
        """Change the pace from this instant on; what lies before it has been caught up with."""
        self.clock.change(speed=speed, held=held)

    def state(self) -> dict[str, Any]:
        """The truth as JSON: the snapshot's fields, and beside them identity, settings and the bench itself."""
        unit = self._unit
        identity = msgspec.structs.replace(unit.identity(), reported_flags=frozenset())
        return {
            **msgspec.to_builtins(unit.snapshot(datetime.now(UTC))),
            "identity": msgspec.to_builtins(identity),
            "settings": msgspec.to_builtins(unit.settings()),
            "firmware": self.loader.state(),
            "simulator": {
                "model": unit.model.key,
                "now_s": unit.now_s,
                "speed": self.speed,
                "held": self.held,
                "mains": msgspec.to_builtins(unit.mains),
                "load_set_pct": unit.load_pct,
                "faults": sorted(unit.all_faults),
                "last_change": unit.history.last_number,
            },
        }

    async def run(self) -> None:
        """Keep the unit alive until cancelled."""
        while True:
            self.catch_up()
            await asyncio.sleep(TICK_S)
