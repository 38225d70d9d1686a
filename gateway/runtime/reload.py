"""Settings read anew: a short-lived process reads and checks the files and prints what they say, so that the agent
carries no YAML parser.

The child is `python -m gateway.runtime.reload`, with a Source as JSON on its standard input. What is wrong it logs
itself, where the agent logs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import msgspec

from config.runtime.log import set_up_logging
from gateway.errors import NotReloaded
from gateway.order import Source, Wishes, wishes_from_json, wishes_to_json

logger = logging.getLogger("gateway")

DONE, MISUSED = 0, 2

PATIENCE_S = 60.0
"""An interpreter starts in a second on a Pi, in many on one whose card stalls."""


async def reread(source: Source) -> Wishes:
    """What the files say now. Raises NotReloaded."""
    environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "gateway.runtime.reload"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await child.communicate(msgspec.json.encode(source))
    except TimeoutError:
        raise NotReloaded(f"reading {source.config} took more than {PATIENCE_S:.0f} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != DONE:
        raise NotReloaded(f"{source.config} can't be taken")
    return wishes_from_json(said)


def main() -> int:
    from config.errors import SettingsError
    from gateway.runtime.read import read_usable

    source = msgspec.json.decode(sys.stdin.buffer.read(), type=Source)
    set_up_logging(source.log_level)
    try:
        sys.stdout.buffer.write(wishes_to_json(read_usable(source)))
    except SettingsError as error:
        for line in str(error).splitlines():
            logger.error("%s", line)
        return MISUSED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
