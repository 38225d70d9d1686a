"""`cloud check`: whether a cloud's folder can be used as it is, and how far its door can be reached."""

from __future__ import annotations

import errno
import socket
import ssl
import stat
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from cloud_bridge.addresses import LOOPBACK, Address, exposure, is_every_address, parse_address
from cloud_bridge.audit import Leaf, Problem, authority_problems, gateway_dates, leaf_problems, list_problems
from cloud_bridge.authority import Use
from cloud_bridge.errors import BrokerFailed
from cloud_bridge.folder import BRIDGE, BROKER, ENROL, Folder
from cloud_bridge.reachability import notice_problems
from cloud_bridge.runtime.keys import OTHERS
from cloud_bridge.runtime.listening import listening
from cloud_bridge.settings import EMBEDDED, CloudSettings, KeyPair
from cloud_bridge.store.registry import gateways as registered
from cloud_bridge.store.registry.errors import RegistryError
from cloud_bridge.store.registry.registry import Registry
from config.errors import SettingsError
from config.runtime.files import load

PROBE_TIMEOUT_S = 2.0
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
    checked.command_key()
    checked.gateways()
    checked.registry()
    checked.notices()
    if settings.broker == EMBEDDED:
        checked.door("listen", settings.listen_at, settings.bridge_connects_to.host)
    checked.door("listen_https", settings.enrolment_listens_at, settings.enrolment_listens_at.host)
    return checked.found


class _Check:
    def __init__(self, folder: Folder, settings: CloudSettings, now: datetime) -> None:
        self.folder = folder
        self.settings = settings
        self.now = now
        self.found: list[Problem] = []

    def modes(self) -> None:
        for path in (self.folder.root, self.folder.root / "authority", self.folder.gateways):
            if path.is_dir() and (mode := stat.S_IMODE(path.stat().st_mode)) & OTHERS:
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
        self._leaf(tls.enrol, tls.services, ENROL, Use.SERVER, [self.settings.enrolment.host])
        self._leaf(tls.bridge, tls.services, BRIDGE, Use.CLIENT)

    def gateways(self) -> None:
        for path in self.folder.gateway_folders():
            pair = KeyPair(path / "gateway.pem", path / "gateway.key")
            self._leaf(pair, self.settings.tls.gateways, path.name, Use.CLIENT, renewed=True)

    def command_key(self) -> None:
        """The key itself may be kept elsewhere."""
        key, public = self.settings.command_key, self._read(self.settings.command_public, load_pem_public_key)
        if key.exists() and (half := self._public_half(key)) and public and half != public:
            self._add(key, f"does not belong to {self.settings.command_public.name}: gateways refuse its orders")

    def notices(self) -> None:
        """The keys of channels and links are made when the cloud runs; a password is its owner's to write."""
        settings = self.settings
        self.found += notice_problems(str(self.folder.settings), settings)
        secrets = [path for path in (settings.channel_key, settings.link_key) if path.exists()]
        if settings.smtp and settings.smtp.password:
            self._read(settings.smtp.password, bytes)
            secrets.append(settings.smtp.password)
        for path in secrets:
            self._is_private(path, "it")

    def registry(self) -> None:
        """Whether it can be used; what it says of certificates, and whether the revocation list says the same."""
        where = self.settings.registry_at
        if "@" in str(where) and (mode := stat.S_IMODE(self.folder.settings.stat().st_mode)) & OTHERS:
            self._add(self.folder.settings, f"mode {mode:04o}: others may read the registry's password; expected 0600")
        try:
            with Registry(where) as registry, registry.reading() as connection:
                known = registered.listed(connection, 0)
                revoked = registered.revoked_serials(connection)
        except RegistryError as error:
            self._add(self.folder.settings, f"registry: {error}")
            return
        self.found += gateway_dates(str(self.folder.gateways), known, self.now)
        self._revocations(revoked)

    def _revocations(self, wanted: Collection[int]) -> None:
        tls = self.settings.tls
        listed = self._read(tls.revoked, x509.load_pem_x509_crl)
        issuer = self._certificate(tls.gateways)
        if listed is not None and issuer:  # an empty list is false
            self.found += list_problems(str(tls.revoked), listed, issuer, wanted, self.now)

    def door(self, setting: str, listen: Address, host: str) -> None:
        """Whether it can be listened there, or already is; and who can reach it (S13)."""
        if told := exposure(listen):
            self._add(self.folder.settings, f"{setting}: {told}", serious=False)
        try:
            listening(listen).close()
        except BrokerFailed as error:
            cause = error.__cause__
            in_use = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
            if not (in_use and self._is_ours(Address(LOOPBACK if is_every_address(host) else host, listen.port))):
                self._add(self.folder.settings, f"{setting}: {error}")

    def _is_ours(self, address: Address) -> bool:
        """Whether the program that holds the port is this cloud's."""
        tls = self.settings.tls
        try:
            context = ssl.create_default_context(cafile=tls.services)
            context.load_cert_chain(tls.bridge.certificate, tls.bridge.key)
            with (
                socket.create_connection(address, PROBE_TIMEOUT_S) as connection,
                context.wrap_socket(connection, server_hostname=address.host),
            ):
                return True
        except OSError:
            return False

    def _leaf(
        self,
        pair: KeyPair,
        authority_file: Path,
        name: str,
        use: Use,
        hosts: Sequence[str] = (),
        *,
        renewed: bool = False,
    ) -> None:
        certificate, key = self._certificate(pair.certificate), self._public_half(pair.key)
        if certificate and authority_file.exists() and (authority := self._certificate(authority_file)):
            leaf = Leaf(str(pair.certificate), certificate, key, authority, name, use, hosts, renewed)
            self.found += leaf_problems(leaf, self.now)

    def _certificate(self, path: Path) -> x509.Certificate | None:
        return self._read(path, x509.load_pem_x509_certificate)

    def _public_half(self, path: Path) -> PublicKeyTypes | None:
        self._is_private(path, "the key")
        return self._read(path, lambda content: load_pem_private_key(content, password=None).public_key())

    def _is_private(self, path: Path, what: str) -> None:
        if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & OTHERS:
            self._add(path, f"mode {mode:04o}: others may read {what}; expected 0600")

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
