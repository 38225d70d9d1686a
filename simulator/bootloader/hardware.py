"""A unit's hardware id and version, out of the firmware text that it shows on its wire.

Modbus: the product id, and 516's text without its `UPS ` (AN176 6.2). UPS-Link: `b` is `NN.M.L`, model, revision and
locale, so `653.18.I` is hardware `653.I` with version 18 (ups-link.md 13.2); a unit without `b` has fixed firmware.
"""

from __future__ import annotations

from simulator.bootloader.upload import Running
from simulator.model import Model

PREFIX = "UPS "


def running(model: Model, firmware: str) -> Running | None:
    """What runs where the firmware text is this; None for a unit that has no boot loader."""
    if model.upslink is None:
        return Running(str(model.product_id), firmware.removeprefix(PREFIX))
    if model.upslink.new_code is None:
        return None
    kind, revision, locale = firmware.split(".")
    return Running(f"{kind}.{locale}", revision)


def firmware_text(model: Model, hardware_id: str, version: str) -> str:
    """The firmware text of a unit that runs this version."""
    if model.upslink is None:
        return f"{PREFIX}{version}"
    kind, _, locale = hardware_id.partition(".")
    return f"{kind}.{version}.{locale}"


def sayable(model: Model, version: str) -> bool:
    """Whether a unit of this model can have such a version: a revision in UPS-Link's `NN.M.L` has no dot."""
    return model.upslink is None or "." not in version
