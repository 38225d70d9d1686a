"""`cloud init` and `cloud gateway add`: new folders with their keys, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cloud_bridge.addresses import Address, is_every_address, listen_for, parse_address
from cloud_bridge.authority import CURVE, Authority, Use, found, issue, key_pem, pem
from cloud_bridge.errors import AlreadyThere, BadAddress, BadName, CloudError, NotAFolder
from cloud_bridge.folder import (
    BRIDGE,
    BROKER,
    GATEWAY_FILES,
    GATEWAYS,
    SERVICES,
    SETTINGS,
    Folder,
    check_gateway_name,
    check_units,
    cloud_yaml,
    gateway_yaml,
)
from cloud_bridge.settings import CloudSettings
from config.runtime.files import load

DEFAULT_MQTTS = "127.0.0.1:8883"
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")

Units = Mapping[str, str]
"""URLs of UPSs, by the units' names."""


def init(
    directory: Path,
    mqtts: str = DEFAULT_MQTTS,
    gateways: Sequence[str] = (),
    *,
    demo: bool = False,
    units: Mapping[str, Units] | None = None,
) -> Folder:
    """Makes a cloud's folder: settings, authorities, keys, a folder for each gateway; `units` are by gateway.

    Raises AlreadyThere if `directory` holds anything, BadAddress, BadName; CloudError if it can't be written.
    """
    units = units or {}
    named = _nameable(parse_address(mqtts))
    _check_names(gateways, units)
    with _made_whole(directory) as making:
        now = datetime.now(UTC)
        made = Folder(making)
        authorities = {name: _new_authority(made, name, now, demo=demo) for name in (GATEWAYS, SERVICES)}
        hosts = (named.host, *_OWN_HOSTS)
        _new_leaf(made.service(BROKER), authorities[SERVICES], BROKER, Use.SERVER, now, hosts)
        _new_leaf(made.service(BRIDGE), authorities[SERVICES], BRIDGE, Use.CLIENT, now)
        _write(made.settings, cloud_yaml(named, listen_for(named)).encode())
        _new_folder(making / "data")
        _new_folder(made.gateways)
        for name in gateways:
            _fill_gateway(made.gateway(name), name, mqtts, units.get(name, {}), authorities[GATEWAYS], made)
    return Folder(directory)


def add_gateway(directory: Path, name: str, units: Units | None = None) -> tuple[Path, bool]:
    """The folder of gateway `name` and whether it was made just now; one that is there is left as it is.

    Raises BadName, NotAFolder, SettingsError; CloudError if it can't be written.
    """
    check_gateway_name(name)
    check_units(units or {})
    folder = Folder(directory)
    if not folder.settings.exists():
        raise NotAFolder(f"{directory}: no {SETTINGS} in it: `ridethrough cloud init` makes a cloud's folder")
    settings = load(folder.settings, CloudSettings)
    target = folder.gateway(name)
    if target.exists():
        _check_whole(target)
        return target, False
    authority = _load_authority(folder, GATEWAYS)
    with _made_whole(target) as making:
        _fill_gateway(making, name, settings.mqtts, units or {}, authority, folder)
    return target, True


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


@contextmanager
def _made_whole(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` in one step; if anything fails nothing is left of it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    except OSError as error:
        raise CloudError(f"{target}: can't be made: {error.strerror}") from error
    try:
        yield making
        _sync_folders(making)
        making.rename(target)
        _sync(target.parent)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise AlreadyThere(f"{target} is there and not empty: nothing was changed") from error
        raise CloudError(f"{target}: can't be made: {error.strerror}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _fill_gateway(target: Path, name: str, mqtts: str, units: Units, authority: Authority, cloud: Folder) -> None:
    _new_folder(target)
    _new_leaf((target / "gateway.pem", target / "gateway.key"), authority, name, Use.CLIENT, datetime.now(UTC))
    _write(target / "ca.pem", cloud.authority(SERVICES)[0].read_bytes())
    _write(target / "gateway.yaml", gateway_yaml(name, mqtts, units).encode())


def _check_whole(gateway: Path) -> None:
    if missing := [name for name in GATEWAY_FILES if not (gateway / name).exists()]:
        raise NotAFolder(f"{gateway} lacks {', '.join(missing)}: remove the folder to have it made again")


def _new_authority(folder: Folder, name: str, now: datetime, *, demo: bool) -> Authority:
    certificate_file, key_file = folder.authority(name)
    _new_folder(key_file.parent)
    key = ec.generate_private_key(CURVE)
    authority = found(f"Ridethrough {name}", key, x509.random_serial_number(), now, demo=demo)
    _write(key_file, key_pem(key))
    _write(certificate_file, pem(authority.certificate))
    return authority


def _load_authority(folder: Folder, name: str) -> Authority:
    certificate_file, key_file = folder.authority(name)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except OSError as error:
        raise NotAFolder(f"{error.filename}: can't be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise NotAFolder(f"{key_file} or {certificate_file.name} beside it is damaged: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise NotAFolder(f"{key_file} does not belong to {certificate_file.name} beside it")
    return Authority(certificate, key)


def _new_leaf(
    files: tuple[Path, Path],
    authority: Authority,
    name: str,
    use: Use,
    now: datetime,
    hosts: Sequence[str] = (),
) -> None:
    certificate_file, key_file = files
    key = ec.generate_private_key(CURVE)
    certificate = issue(authority, name, use, key.public_key(), x509.random_serial_number(), now, hosts)
    _write(key_file, key_pem(key))
    _write(certificate_file, pem(certificate))


def _new_folder(path: Path) -> None:
    path.mkdir(mode=0o700, exist_ok=True)


def _write(path: Path, content: bytes) -> None:
    """A new file that only its owner can read, on the disk before this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        _sync(Path(folder))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
