"""What the owner of a unit can set, and who the unit is."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from drivers.ups import Flag, GroupDelays, Identity
from simulator.model import Model


class Owner:
    """Names, battery date and settings; rules of what may be set are in execute."""

    def __init__(self, model: Model, serial: str, name: str, today: date) -> None:
        self._model = model
        self.serial = serial
        self.name = name
        self.firmware = model.firmware
        self.group_names = dict(model.group_names)
        self.battery_installed_on = model.battery_installed_on or today
        self.settings = model.settings

    @property
    def replace_battery_on(self) -> date:
        """The computed date of replacement: installation and design life (register 133)."""
        return self.battery_installed_on + timedelta(days=self._model.battery.life_days)

    def identity(self) -> Identity:
        model = self._model
        return Identity(
            serial=self.serial,
            model=model.model,
            sku=model.sku,
            firmware=self.firmware,
            product_id=model.product_id,
            name=self.name,
            manufactured_on=model.manufactured_on,
            battery_sku=model.battery.sku,
            external_battery_sku=model.battery.external_sku or None,
            battery_installed_on=self.battery_installed_on,
            battery_nominal_v=model.battery.nominal_v,
            battery_packs=model.battery.packs,
            apparent_power_va=model.apparent_power_va,
            real_power_w=model.real_power_w,
            nominal_output_v=self.settings.output_v or model.nominal_v,
            outlet_groups=tuple(self.group_names.items()),
            reported_flags=frozenset(Flag),
        )

    def delays(self, index: int) -> GroupDelays:
        return next(each for each in self.settings.delays if each.index == index)

    def change(self, **fields: object) -> None:
        self.settings = msgspec.structs.replace(self.settings, **fields)

    def change_delay(self, index: int, field: str, seconds: int) -> None:
        changed = msgspec.structs.replace(self.delays(index), **{field: seconds})
        self.change(delays=tuple(changed if each.index == index else each for each in self.settings.delays))

    def restore_factory_settings(self) -> None:
        """Everything but names and dates (apc-modbus.md 8.1)."""
        self.settings = self._model.settings
