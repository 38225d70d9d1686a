"""A question to a short-lived process of ours, so that what it imports takes no memory of the gateway's for good."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple


class Said(NamedTuple):
    output: bytes
    status: int | None


def program(module: str) -> tuple[str, ...]:
    """How its main is started. -P: a folder named `gateway` where the gateway was started is not ours."""
    return (sys.executable, "-P", "-m", module)


async def ask(command: Sequence[str], question: bytes, within_s: float) -> Said:
    """What it prints of what is on its standard input. It is ended with whoever asks.

    Raises TimeoutError if it has not ended `within_s`, OSError if it can't be started. The service manager is the
    gateway's own to speak to.
    """
    environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate(question)
        return Said(output, process.returncode)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
