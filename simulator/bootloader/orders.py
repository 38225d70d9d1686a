"""`firmware` on the control port: what the boot loader does, how it behaves, what goes wrong with an upgrade."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.bootloader.faults import HELP
from simulator.bootloader.loader import Loader
from simulator.errors import ControlError
from simulator.lines import Reply, done

USAGE = "[SETTING VALUE | fault KIND [count=N] [at=BLOCK] | faults]"


def obey(loader: Loader, words: Sequence[str]) -> Reply:
    """ControlError for a line that is not understood."""
    match words:
        case []:
            pass
        case ["fault", *order]:
            loader.faults.obey(order)
        case ["faults"]:
            return done(faults=loader.faults.values(), known={kind.value: text for kind, text in HELP.items()})
        case [setting, value]:
            try:
                loader.settings.change(setting, value)
            except ValueError as error:
                raise ControlError(str(error)) from error
        case _:
            raise ControlError(f"expected `firmware {USAGE}`")
    return done(firmware=loader.state(), settings=loader.settings.values())
