"""A cloud that tells people: its mail server, its terms, and owners with devices, before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from cloud_bridge.alerts.terms import Terms
from cloud_bridge.folder import Folder
from cloud_bridge.runtime.administer import people, wishes
from cloud_bridge.runtime.administer.office import Office, open_office

SENDER = "ups@example.net"
PER_MINUTE = 600
"""The most that a channel can have."""


class Household(msgspec.Struct, frozen=True, kw_only=True):
    """An owner, and by site the devices there, each as GATEWAY/UNIT; those of "" stand nowhere."""

    owner: str
    devices: Mapping[str, tuple[str, ...]]

    @property
    def mail(self) -> str:
        return f"{self.owner}@example.net"


def tells_by_mail(cloud: Folder, port: int, terms: Terms | None = None) -> None:
    """Mails go to the server at that port of 127.0.0.1; `terms`: those that differ from the defaults."""
    settings = yaml.safe_load(cloud.settings.read_text())
    settings["smtp"] = {"host": "127.0.0.1", "port": port, "security": "none", "sender": SENDER}
    settings["alerts"] = _differing(terms or Terms())
    cloud.settings.write_text(yaml.safe_dump(settings))


def settle(cloud: Path, households: Iterable[Household], *, per_minute: int = PER_MINUTE, group_s: int = 0) -> None:
    """Each owner with the policy that a new one has, sites and devices. `group_s`: of the policy; `per_minute`: of the
    channel."""
    with open_office(cloud) as office:
        for household in households:
            _move_in(office, household, {"per_minute": per_minute}, {"group_s": group_s})


def _move_in(office: Office, household: Household, channel: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
    owner = household.owner
    people.add_owner(office, {"name": owner, "email": household.mail})
    wishes.set_channel(office, f"{owner}/mail", dict(channel))
    wishes.set_policy(office, f"{owner}/default", dict(policy))
    for site, devices in household.devices.items():
        if site:
            people.add_site(office, {"owner": owner, "name": site})
        for device in devices:
            people.add_device(office, device, {"owner": owner, "site": site})


def _differing(terms: Terms) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(terms)
    usual: dict[str, Any] = msgspec.to_builtins(Terms())
    return {name: value for name, value in plain.items() if value != usual[name]}
