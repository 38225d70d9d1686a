"""Waiting for what tells nobody that it has come: a file, a database, a port of somebody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from simulator.rig.errors import TooSlow

LOOK_S = 0.02


async def until(come: Callable[[], bool], what: str, timeout_s: float) -> None:
    """Looks again and again, as there is nothing to be woken by. Raises TooSlow, naming `what`."""
    give_up_at = time.monotonic() + timeout_s
    while not come():
        if time.monotonic() > give_up_at:
            raise TooSlow(what, timeout_s)
        await asyncio.sleep(LOOK_S)
