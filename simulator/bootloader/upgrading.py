"""What an upgrade is for the rest of the unit: whether it may begin, and what becomes of the output meanwhile.

SmartConnect's rules (smartconnect.md, Firmware): it cannot be started on battery. With the output off it completes
whatever the input does. With the output on the load is fed straight through, without regulator and battery, and loses
its power when the input fails; the upgrade completes.
"""

from __future__ import annotations

from drivers.ups import Cause, State
from simulator import efficiency, output, proving
from simulator.agenda import Item
from simulator.body import Body
from simulator.bootloader.hardware import running
from simulator.bootloader.image import number_of
from simulator.bootloader.profile import Enter
from simulator.bootloader.reasons import Reason
from simulator.mains import Bypass
from simulator.model import UpgradeOutput


def refusal(unit: Body, command: Enter) -> Reason | None:
    """Why the boot loader is not entered, None if it may be. What endangers the load is looked at first."""
    runs = running(unit.model, unit.owner.firmware)
    if runs is None:
        return Reason.NO_BOOT_LOADER
    checks = (
        (unit.state is State.ON_BATTERY or not unit.input_usable, Reason.ON_BATTERY),
        (command.hardware_id != runs.hardware_id, Reason.WRONG_MODEL),
        (number_of(command.version) != number_of(runs.version), Reason.WRONG_VERSION),
        (command.output not in unit.model.upgrade_outputs, Reason.OUTPUT_MODE),
        (command.output is UpgradeOutput.OFF and unit.outlets.any_on, Reason.OUTPUT_ON),
        (any(group.process for group in unit.outlets.groups.values()), Reason.OUTLETS_PENDING),
    )
    return next((reason for applies, reason in checks if applies), None)


def begin(unit: Body, mode: UpgradeOutput) -> None:
    """The application stops: nothing tests, regulates or switches any more."""
    proving.interrupt(unit)
    efficiency.lose(unit)
    unit.agenda.clear(Item.OVERLOAD)
    unit.upgrade = mode
    unit.bypass = Bypass.UPGRADE if unit.outlets.any_on else None
    unit.settle(Cause.PROTOCOL_COMMAND)


def watch(unit: Body) -> None:
    """A load that is fed straight through falls with the mains; it stays off until the unit boots (our inference)."""
    if unit.bypass is Bypass.UPGRADE and not unit.mains_present:
        output.drop(unit, unit.model.loss_cause)
        unit.upgrade_dropped = True


def end(unit: Body, firmware: str) -> None:
    """The application runs again: the output as it was before, or on its way back if it fell."""
    unit.upgrade, unit.bypass = None, None
    unit.owner.firmware = firmware
    if unit.upgrade_dropped:
        unit.upgrade_dropped = False
        output.drop(unit, unit.cause, returns=True)
    unit.settle(Cause.ACCEPTABLE_INPUT if unit.input_usable and unit.outlets.any_on else None)
    efficiency.await_return(unit)
