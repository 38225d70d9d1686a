"""How much a command can do (S7). Gateway and cloud share the table: a cloud asks for no more than is needed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from drivers.ups import Verb


class CommandClass(StrEnum):
    QUIET = "quiet"
    TO_BATTERY = "to_battery"
    CUTS_OUTPUT = "cuts_output"


CLASSES: Mapping[Verb, CommandClass] = MappingProxyType(
    {
        Verb.BEEP: CommandClass.QUIET,
        Verb.MUTE: CommandClass.QUIET,
        Verb.UNMUTE: CommandClass.QUIET,
        Verb.SELF_TEST: CommandClass.TO_BATTERY,
        Verb.SELF_TEST_ABORT: CommandClass.TO_BATTERY,
        Verb.SIMULATE_POWER_FAILURE: CommandClass.TO_BATTERY,
        Verb.CALIBRATION: CommandClass.TO_BATTERY,
        Verb.CALIBRATION_ABORT: CommandClass.TO_BATTERY,
        Verb.BYPASS_ON: CommandClass.TO_BATTERY,
        Verb.BYPASS_OFF: CommandClass.TO_BATTERY,
        # Whatever switches an outlet, on too: somebody may have it open. Cleared faults can bring the output back.
        Verb.OUTLET_ON: CommandClass.CUTS_OUTPUT,
        Verb.OUTLET_OFF: CommandClass.CUTS_OUTPUT,
        Verb.OUTLET_REBOOT: CommandClass.CUTS_OUTPUT,
        Verb.OUTLET_SHUTDOWN: CommandClass.CUTS_OUTPUT,
        Verb.OUTLET_CANCEL: CommandClass.CUTS_OUTPUT,
        Verb.SHUTDOWN: CommandClass.CUTS_OUTPUT,
        Verb.CLEAR_FAULTS: CommandClass.CUTS_OUTPUT,
    }
)
"""Verbs that the cloud can ask for at all. Those that are not here set something in the unit (S10)."""
