"""The allow-list of what can ever be told to upsd (S2). Requests that change something are made here only, and
nothing is shared with the planning of commands, so that a fault there can't get past it.

Never: FSD (upsmon would shut its hosts down), shutdown.stayoff, anything with a parameter.
"""

from __future__ import annotations

import re

from drivers.errors import NotAllowed
from drivers.nut.protocol import SPECIAL, Request, bare, quoted, saying
from drivers.ups import Verb

COMMANDS = frozenset(
    {
        "beeper.mute",
        "calibrate.start",
        "calibrate.stop",
        "load.cycle",
        "load.off",
        "load.off.delay",
        "load.on",
        "load.on.delay",
        "shutdown.reboot",
        "shutdown.return",
        "shutdown.stop",
        "test.battery.start",
        "test.battery.start.quick",
        "test.battery.stop",
        "test.failure.start",
        "test.panel.start",
    }
)
BY_POLICY = {"bypass.start": Verb.BYPASS_ON, "bypass.stop": Verb.BYPASS_OFF}
_OUTLET = re.compile(r"outlet\.[1-4]\.(load\.(on|off)(\.delay)?|load\.cycle|shutdown\.(return|stop))\Z", re.ASCII)

VARIABLES = frozenset(
    {
        "battery.alarm.threshold",
        "battery.charge.restart",
        "battery.date",
        "battery.runtime.low",
        "input.sensitivity",
        "input.transfer.high",
        "input.transfer.low",
        "output.voltage.nominal",
        "ups.delay.reboot",
        "ups.delay.shutdown",
        "ups.delay.start",
        "ups.id",
        "ups.test.interval",
    }
)
VALUE_LIMIT = 32
"""Most characters of a value; units take 8 or 16, and say so."""
_OUTLET_VARIABLE = re.compile(r"outlet\.(group\.)?[0-4]\.(name|delay\.(shutdown|start|reboot))\Z", re.ASCII)


def command_request(unit: str, name: str, also_allowed: frozenset[Verb] = frozenset()) -> Request:
    """The request for an instant command. Raises NotAllowed unless this very command is on the list."""
    if name in COMMANDS or _OUTLET.match(name) or BY_POLICY.get(name) in also_allowed:
        return saying("INSTCMD", bare(unit), bare(name))
    raise NotAllowed(f"instant command {name!r} is not on the allow-list")


def setting_request(unit: str, variable: str, value: str) -> Request:
    """The request for a setting. Raises NotAllowed unless this variable is on the list and the value is plain."""
    plain = 0 < len(value) <= VALUE_LIMIT and all(" " <= c <= "~" and c not in SPECIAL for c in value)
    if plain and (variable in VARIABLES or _OUTLET_VARIABLE.match(variable)):
        return saying("SET", "VAR", bare(unit), bare(variable), quoted(value))
    raise NotAllowed(f"setting {variable!r} to {value[:40]!r} is not on the allow-list")
