"""`cloud check`: whether a cloud's folder can be used as it is, and how far its door can be reached."""

from __future__ import annotations

import errno
import socket
import ssl
import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cloud_bridge.addresses import Address, exposure, is_every_address, parse_address
from cloud_bridge.audit import Leaf, Problem, authority_problems, leaf_problems
from cloud_bridge.authority import Use
from cloud_bridge.broker.runtime.door import listening
from cloud_bridge.errors import BrokerFailed
from cloud_bridge.folder import BRIDGE, BROKER, Folder
from cloud_bridge.settings import EMBEDDED, CloudSettings, KeyPair
from config.errors import SettingsError
from config.runtime.files import load

PROBE_TIMEOUT_S = 2.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

T = TypeVar("T")


def check(directory: Path, now: datetime | None = None) -> list[Problem]:
    """Everything found in a cloud's folder; empty if all is well. Nothing is changed."""
    folder = Folder(directory)
    try:
        settings = load(folder.settings, CloudSettings)
    except SettingsError as error:
        return [Problem(str(folder.settings), str(error))]
    checked = _Check(folder, settings, now or datetime.now(UTC))
    checked.modes()
    checked.services()
    checked.gateways()
    if settings.broker == EMBEDDED:
        checked.door()
    return checked.found


class _Check:
    def __init__(self, folder: Folder, settings: CloudSettings, now: datetime) -> None:
        self.folder = folder
        self.settings = settings
        self.now = now
        self.found: list[Problem] = []

    def modes(self) -> None:
        for path in (self.folder.root, self.folder.root / "authority", self.folder.gateways):
            if path.is_dir() and (mode := stat.S_IMODE(path.stat().st_mode)) & _OTHERS:
                self._add(path, f"mode {mode:04o}: others may look into it; expected 0700", serious=False)

    def services(self) -> None:
        tls = self.settings.tls
        for path in (tls.gateways, tls.services):
            if certificate := self._certificate(path):
                self.found += authority_problems(str(path), certificate, self.now)
        hosts = [parse_address(self.settings.mqtts).host]
        if self.settings.broker == EMBEDDED:
            hosts.append(self.settings.bridge_connects_to.host)
        self._leaf(tls.broker, tls.services, BROKER, Use.SERVER, hosts)
        self._leaf(tls.bridge, tls.services, BRIDGE, Use.CLIENT)

    def gateways(self) -> None:
        for path in self.folder.gateway_folders():
            pair = KeyPair(path / "gateway.pem", path / "gateway.key")
            self._leaf(pair, self.settings.tls.gateways, path.name, Use.CLIENT)

    def door(self) -> None:
        """Whether the broker can listen, or already does; and who can reach it (S13)."""
        listen = self.settings.listen_at
        if told := exposure(listen):
            self._add(self.folder.settings, f"listen: {told}", serious=False)
        try:
            listening(listen).close()
        except BrokerFailed as error:
            cause = error.__cause__
            in_use = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
            if not (in_use and self._is_ours(listen)):
                self._add(self.folder.settings, f"listen: {error}")

    def _is_ours(self, listen: Address) -> bool:
        """Whether the program that holds the port is this cloud's broker."""
        tls = self.settings.tls
        host = self.settings.bridge_connects_to.host if is_every_address(listen.host) else listen.host
        try:
            context = ssl.create_default_context(cafile=tls.services)
            context.load_cert_chain(tls.bridge.certificate, tls.bridge.key)
            with (
                socket.create_connection((host, listen.port), PROBE_TIMEOUT_S) as connection,
                context.wrap_socket(connection, server_hostname=host),
            ):
                return True
        except OSError:
            return False

    def _leaf(self, pair: KeyPair, authority_file: Path, name: str, use: Use, hosts: Sequence[str] = ()) -> None:
        certificate, key = self._certificate(pair.certificate), self._public_half(pair.key)
        if certificate and authority_file.exists() and (authority := self._certificate(authority_file)):
            leaf = Leaf(str(pair.certificate), certificate, key, authority, name, use, hosts)
            self.found += leaf_problems(leaf, self.now)

    def _certificate(self, path: Path) -> x509.Certificate | None:
        return self._read(path, x509.load_pem_x509_certificate)

    def _public_half(self, path: Path) -> PublicKeyTypes | None:
        if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & _OTHERS:
            self._add(path, f"mode {mode:04o}: others may read the key; expected 0600")
        return self._read(path, lambda content: load_pem_private_key(content, password=None).public_key())

    def _read(self, path: Path, decode: Callable[[bytes], T]) -> T | None:
        try:
            return decode(path.read_bytes())
        except OSError as error:
            self._add(path, f"can't be read: {error.strerror}")
        except (ValueError, TypeError) as error:
            self._add(path, f"damaged: {error}")
        return None

    def _add(self, where: Path, what: str, *, serious: bool = True) -> None:
        problem = Problem(str(where), what, serious)
        if problem not in self.found:
            self.found.append(problem)
