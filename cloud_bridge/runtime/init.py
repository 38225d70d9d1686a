"""`cloud init` and `cloud gateway add`: new folders with their keys, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from cloud_bridge.addresses import Address, is_every_address, listen_for, parse_address
from cloud_bridge.authority import GATEWAY_LIFE, Authority, Use
from cloud_bridge.enrolment import as_row
from cloud_bridge.errors import BadAddress, BadName, NotAFolder
from cloud_bridge.folder import (
    BRIDGE,
    BROKER,
    ENROL,
    GATEWAY_FILES,
    GATEWAYS,
    HTTPS_PORT,
    SERVICES,
    SETTINGS,
    Folder,
    check_gateway_name,
    check_units,
    cloud_yaml,
    gateway_yaml,
)
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.files import made_whole, new_folder, write_new
from cloud_bridge.runtime.forward import OWN_HOSTS, bring_forward
from cloud_bridge.runtime.keys import load_authority, new_authority, new_command_key, new_leaf, read
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import gateways as registered
from cloud_bridge.store.registry.registry import Registry
from config.runtime.files import load

DEFAULT_MQTTS = "127.0.0.1:8883"

Units = Mapping[str, str]
"""URLs of UPSs, by the units' names."""


def init(
    directory: Path,
    mqtts: str = DEFAULT_MQTTS,
    gateways: Sequence[str] = (),
    *,
    https: str | None = None,
    demo: bool = False,
    units: Mapping[str, Units] | None = None,
) -> Folder:
    """Makes a cloud's folder: settings, authorities, keys, registry, a folder for each gateway; `units` are by gateway.

    `https`: where gateways enrol; by default the host of `mqtts` at port 8443 (any free one if it has any).
    Raises AlreadyThere if `directory` holds anything, BadAddress, BadName; CloudError if it can't be written.
    """
    units = units or {}
    named = _nameable(parse_address(mqtts))
    enrolment = _nameable(parse_address(https)) if https else Address(named.host, HTTPS_PORT if named.port else 0)
    _check_names(gateways, units)
    with made_whole(directory) as making:
        made = Folder(making)
        authorities = _authorities(made, demo=demo)
        hosts = (named.host, *OWN_HOSTS)
        new_leaf(made.service(BROKER), authorities[SERVICES], BROKER, Use.SERVER, hosts)
        new_leaf(made.service(BRIDGE), authorities[SERVICES], BRIDGE, Use.CLIENT)
        new_leaf(made.service(ENROL), authorities[SERVICES], ENROL, Use.SERVER, (enrolment.host, *OWN_HOSTS))
        new_command_key(made.command_key)
        text = cloud_yaml(named, listen_for(named), enrolment, listen_for(enrolment))
        write_new(made.settings, text.encode())
        new_folder(making / "data")
        new_folder(made.gateways)
        settings = load(made.settings, CloudSettings)
        for name in gateways:
            new_folder(made.gateway(name))
            _fill_gateway(made.gateway(name), name, units.get(name, {}), authorities[GATEWAYS], settings)
        bring_forward(made, settings)
    return Folder(directory)


def add_gateway(directory: Path, name: str, units: Units | None = None) -> tuple[Path, bool]:
    """The folder of gateway `name` and whether it was made just now; one that is there is left as it is.

    Raises BadName, NotAFolder, SettingsError; CloudError if it can't be written.
    """
    check_gateway_name(name)
    check_units(units or {})
    folder, settings = open_folder(directory)
    target = folder.gateway(name)
    if target.exists():
        _check_whole(target)
        return target, False
    authority = load_authority(settings.tls.gateways, settings.tls.issuing_key)
    bring_forward(folder, settings)
    with made_whole(target) as making:
        certificate = _fill_gateway(making, name, units or {}, authority, settings)
        now = now_ms()
        with Registry(settings.registry_at) as registry, registry.writing(noticed=True) as connection:
            registered.register(connection, name, now)
            registered.readmit(connection, name)
            registered.record(connection, as_row(certificate, name, now))
    return target, True


def open_folder(directory: Path) -> tuple[Folder, CloudSettings]:
    """Raises NotAFolder, SettingsError."""
    folder = Folder(directory)
    if not folder.settings.exists():
        raise NotAFolder(f"{directory}: no {SETTINGS} in it: `ridethrough cloud init` makes a cloud's folder")
    return folder, load(folder.settings, CloudSettings)


def _nameable(address: Address) -> Address:
    if is_every_address(address.host):
        raise BadAddress(f"{address}: gateways can't connect to it; give the name or address they will use")
    return address


def _check_names(gateways: Sequence[str], units: Mapping[str, Units]) -> None:
    for name in gateways:
        check_gateway_name(name)
    if len(set(gateways)) < len(gateways):
        raise BadName("a gateway is named twice")
    for name, its_units in units.items():
        if name not in gateways:
            raise BadName(f"units for {name!r}, which is not among the gateways")
        check_units(its_units)


def _authorities(folder: Folder, *, demo: bool) -> dict[str, Authority]:
    now = datetime.now(UTC)
    return {name: new_authority(folder.authority(name), name, now, demo=demo) for name in (GATEWAYS, SERVICES)}


def _fill_gateway(
    target: Path, name: str, units: Units, authority: Authority, settings: CloudSettings
) -> x509.Certificate:
    pair = (target / "gateway.pem", target / "gateway.key")
    certificate = new_leaf(pair, authority, name, Use.CLIENT, life=GATEWAY_LIFE)
    write_new(target / "ca.pem", settings.tls.services.read_bytes())
    write_new(target / "issuer.pem", settings.tls.gateways.read_bytes())
    lines = gateway_yaml(name, settings.mqtts, str(settings.enrolment), units)
    write_new(target / "command.pub", read(settings.command_public))
    write_new(target / "gateway.yaml", lines.encode())
    return certificate


def _check_whole(gateway: Path) -> None:
    if missing := [name for name in GATEWAY_FILES if not (gateway / name).exists()]:
        raise NotAFolder(f"{gateway} lacks {', '.join(missing)}: remove the folder to have it made again")
