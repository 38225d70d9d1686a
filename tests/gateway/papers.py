"""Certificates as a test wants them, and a TLS server that has one."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.enrolment import key_pem, pem
from gateway.errors import CannotStart
from gateway.runtime.tls import client_context
from gateway.settings import Tls

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))

Key = ec.EllipticCurvePrivateKey


class Papers:
    """An authority, and what it signs."""

    def __init__(self, name: str = "authority", ends: datetime = NOW + 3650 * DAY) -> None:
        self.key = new_key()
        self.name = named(name)
        builder = built(self.name, self.name, self.key, EPOCH, ends)
        ca = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = builder.add_extension(ca, critical=True).sign(self.key, hashes.SHA256())

    def leaf(
        self,
        name: str,
        key: Key | ec.EllipticCurvePublicKey,
        *,
        begins: datetime = EPOCH,
        ends: datetime = NOW + 90 * DAY,
        use: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.CLIENT_AUTH,),
        ca: bool = False,
        hosts: Sequence[x509.GeneralName] = (),
    ) -> x509.Certificate:
        builder = built(named(name), self.name, key, begins, ends)
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if use is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(use), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def server(
        self,
        folder: Path,
        *,
        begins: datetime = EPOCH,
        ends: datetime = NOW + 90 * DAY,
        hosts: Sequence[x509.GeneralName] = (LOOPBACK,),
    ) -> ssl.SSLContext:
        """For a server on loopback."""
        key = new_key()
        use = (ExtendedKeyUsageOID.SERVER_AUTH,)
        certificate = self.leaf("server", key, begins=begins, ends=ends, use=use, hosts=hosts)
        written(folder / "server.pem", pem(certificate).encode())
        written(folder / "server.key", key_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        return context


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def built(
    subject: x509.Name, issuer: x509.Name, key: Key | ec.EllipticCurvePublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    public = key.public_key() if isinstance(key, Key) else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def gateway_pair(folder: Path, servers: Papers, gateways: Papers, ends: datetime = NOW + 90 * DAY) -> Tls:
    """The files of a gateway named `pi`."""
    key = new_key()
    written(folder / "ca.pem", pem(servers.certificate).encode())
    written(folder / "issuer.pem", pem(gateways.certificate).encode())
    written(folder / "gateway.pem", pem(gateways.leaf("pi", key, ends=ends)).encode())
    written(folder / "gateway.key", key_pem(key))
    return Tls(folder / "ca.pem", folder / "gateway.pem", folder / "gateway.key", folder / "issuer.pem")


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@asynccontextmanager
async def greeting(context: ssl.SSLContext) -> AsyncIterator[int]:
    """A TLS server on loopback that says one byte to whoever gets in; its port."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context) as server:
        yield int(server.sockets[0].getsockname()[1])


def usable(tls: Tls) -> bool:
    """Whether a connection can be made with it."""
    try:
        client_context(tls)
    except CannotStart:
        return False
    return True
