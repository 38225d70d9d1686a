"""Records a Modbus unit: every register that the map has, then its state as time passes."""

from __future__ import annotations

from drivers.capture.model import Refusal, Registers, Said, Silence
from drivers.capture.plan import EVERYTHING, FULL, STATE
from drivers.driver import Pace
from drivers.errors import BadAnswer, NoAnswer, NotAllowed, UnitException
from drivers.modbus.frames import Read, Write
from drivers.modbus.options import Options
from drivers.modbus.plan import Refusals, halves
from drivers.modbus.runtime.link import Link
from drivers.runtime.port import Clock, Port
from drivers.smartups.registers import Block


def refuse_to_write(write: Write) -> None:
    """S5: a recording writes nothing."""
    raise NotAllowed(f"a recording writes nothing: register {write.address}")


class ModbusRecorder:
    """See drivers.capture.runtime.record.Recorder."""

    def __init__(self, port: Port, options: Options, clock: Clock) -> None:
        self.pace: Pace = options.pace
        self.unit: int | None = options.unit
        self._link = Link(port, options, clock, refuse_to_write)
        self._refusals = Refusals()

    async def open(self) -> None:
        await self._link.open()
        await self._link.verify()

    async def everything(self) -> list[Said]:
        return [said for block in EVERYTHING for said in await self._ask(block)]

    async def full(self) -> list[Said]:
        return [said for block in FULL for said in await self._ask(block)]

    async def state(self) -> list[Said]:
        return await self._ask(STATE)

    async def close(self) -> None:
        await self._link.close()

    async def _ask(self, block: Block) -> list[Said]:
        """The block; where the unit refuses it, the refusal and the block's parts. What it refuses again and again is
        not asked any more.
        """
        said: list[Said] = []
        if not self._refusals.believed(block):
            said.append(await self._answer(block))
            if not isinstance(said[0], Refusal):
                self._refusals.answered(block)
                return said
            self._refusals.refused(block)
        for part in halves(block):
            said += await self._ask(part)
        return said

    async def _answer(self, block: Block) -> Said:
        try:
            return Registers(block.address, await self._link.transact(Read(block.address, block.count)))
        except UnitException as error:
            return Refusal(block.address, block.count, error.code)
        except NoAnswer:
            return Silence(block.address, block.count)
        except BadAnswer:
            return Silence(block.address, block.count, garbled=True)
