"""A recording from its first question to its end, whatever the protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from drivers.capture.changes import Changes
from drivers.capture.model import Said, Step
from drivers.driver import Pace
from drivers.runtime.port import Clock

Write = Callable[[Step], None]


class Recorder(Protocol):
    """One unit at the end of one line; nothing but reads leaves it (S5).

    `open`, and what is asked later, may raise LineError: the line is lost, and so the recording ends.
    """

    pace: Pace
    unit: int | None

    async def open(self) -> None: ...

    async def everything(self) -> list[Said]:
        """All that the unit can be asked."""
        ...

    async def full(self) -> list[Said]:
        """Status and measurements."""
        ...

    async def state(self) -> list[Said]:
        """What shows a transfer."""
        ...

    async def close(self) -> None: ...


async def record(recorder: Recorder, clock: Clock, write: Write, for_s: float) -> None:
    """One step with everything, then at the driver's pace (S4) a step wherever something changed: a change of state
    has the measurements asked too. The last step is the recording's end. Raises LineError, with all before it written.
    """
    changes = Changes()
    try:
        await recorder.open()
        started = clock.monotonic()
        write(Step(0, changes.of(await recorder.everything())))
        full_at = clock.monotonic()
        while (due := clock.monotonic() + recorder.pace.fast_s) <= started + for_s:
            await clock.wait_until(due)
            full = due - full_at >= recorder.pace.full_s
            at_ms = round(1000 * (clock.monotonic() - started))
            said = changes.of(await (recorder.full() if full else recorder.state()))
            if said and not full:
                said += changes.of(await recorder.full())
            full_at = due if said or full else full_at
            if said:
                write(Step(at_ms, said))
        await clock.wait_until(started + for_s)
        write(Step(round(1000 * (clock.monotonic() - started)), ()))
    finally:
        await recorder.close()
