"""A program of somebody else's as a child process."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from simulator.rig.errors import NotInstalled

PEERS = Path(__file__).parents[3] / ".peers"
STOP_S = 5.0


def program(path: str, installer: str) -> Path:
    """The program at this path in .peers. Raises NotInstalled, naming who installs it."""
    if not (found := PEERS / path).exists():
        raise NotInstalled(found, installer)
    return found


@asynccontextmanager
async def running(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> AsyncIterator[int]:
    """Its process id while it runs; what it prints goes to `log`."""
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **(environment or {})},
            cwd=folder,
        )
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def free_port() -> int:
    """A port that was free a moment ago, for a program that has to be told one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
