"""A whole Modbus driver on a unit in memory."""

from __future__ import annotations

from drivers.driver import Transport
from drivers.modbus.options import read_options
from drivers.modbus.runtime.driver import ModbusDriver
from drivers.ups import Verb
from drivers.url import parse
from tests.drivers.memory import MemoryClock, MemoryPort, MemoryUnit

RTU = "modbus+rtu:///dev/ttyUSB0"
TCP = "modbus+tcp://10.0.0.5"


class DriverBench:
    """`chance` is the random number that every back-off draws."""

    def __init__(
        self,
        url: str = TCP,
        *,
        unit: MemoryUnit | None = None,
        pinned: str | None = None,
        also_allowed: frozenset[Verb] = frozenset(),
        chance: float = 0.5,
    ) -> None:
        transport = Transport.SERIAL if url.startswith(RTU) else Transport.TCP
        self.clock = MemoryClock()
        self.unit = unit or MemoryUnit()
        self.port = MemoryPort(self.clock, self.unit, rtu=transport is Transport.SERIAL)
        self.driver = ModbusDriver(
            url,
            self.port,
            read_options(parse(url), transport),
            pinned=pinned,
            also_allowed=also_allowed,
            clock=self.clock,
            chance=lambda: chance,
        )

    def reads(self) -> list[tuple[int, int]]:
        """Address and count of what was read since the last call."""
        found = [(address, words[0]) for function, address, words in self.unit.requests if function == 3]
        self.unit.requests.clear()
        return found
