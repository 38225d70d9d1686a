"""Settings read anew: a short-lived process reads and checks the files and prints what they say, so that the agent
carries no YAML parser.

The child is `python -m gateway.runtime.reload`, with a Source as JSON on its standard input. What is wrong it logs
itself, where the agent logs.
"""

from __future__ import annotations

import logging
import sys

import msgspec

from config.runtime.log import set_up_logging
from gateway.errors import NotReloaded
from gateway.order import Source, Wishes, wishes_from_json, wishes_to_json
from gateway.runtime.child import ask, program

logger = logging.getLogger("gateway")

DONE, MISUSED = 0, 2

PATIENCE_S = 60.0
"""An interpreter starts in a second on a Pi, in many on one whose card stalls."""


async def reread(source: Source) -> Wishes:
    """What the files say now. Raises NotReloaded."""
    try:
        said = await ask(program("gateway.runtime.reload"), msgspec.json.encode(source), PATIENCE_S)
    except TimeoutError:
        raise NotReloaded(f"reading {source.config} took more than {PATIENCE_S:.0f} s") from None
    if said.status != DONE:
        raise NotReloaded(f"{source.config} can't be taken")
    return wishes_from_json(said.output)


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
