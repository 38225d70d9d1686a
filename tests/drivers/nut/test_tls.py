"""STARTTLS on a real socket: what is encrypted, whose certificate will do, and answers longer than a port's buffer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from drivers.errors import PortLost
from drivers.open import open_driver
from tests.drivers.nut.bench import SERIAL, MemoryUpsd


def make_certificate(folder: Path, address: str) -> Path:
    """A certificate that is its own authority, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "upsd of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{address}.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


class TlsUpsd:
    """The upsd in memory behind a real socket. `plain` and `secure`: the requests that came before and in TLS."""

    def __init__(self, certificate: Path) -> None:
        self.upsd = MemoryUpsd()
        self.plain: list[str] = []
        self.secure: list[str] = []
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = self.plain
        self.upsd.open()
        try:
            while line := await reader.readline():
                lines.append(line.decode().strip())
                writer.write(self.upsd.answer(line))
                await writer.drain()
                if line == b"STARTTLS\n":
                    await writer.start_tls(self._context)
                    lines = self.secure
        except OSError:
            pass  # a client that does not like the certificate goes away
        finally:
            writer.close()


@asynccontextmanager
async def serving(upsd: TlsUpsd) -> AsyncIterator[int]:
    server = await asyncio.start_server(upsd.serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_everything_after_starttls_is_encrypted_and_the_certificate_checked(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "127.0.0.1")
    upsd = TlsUpsd(certificate)
    async with serving(upsd) as port:
        driver = open_driver(f"nut://127.0.0.1:{port}/rack?ca={certificate}")
        assert (await driver.connect()).serial == SERIAL
        await driver.close()
    assert upsd.plain == ["STARTTLS"]
    assert upsd.secure == ["LIST VAR rack"]


async def test_the_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "127.0.0.2")
    upsd = TlsUpsd(certificate)
    async with serving(upsd) as port:
        driver = open_driver(f"nut://127.0.0.1:{port}/rack?ca={certificate}")
        with pytest.raises(PortLost, match="certificate"):
            await driver.connect()
        await driver.close()
    assert upsd.secure == []


async def test_the_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    upsd = TlsUpsd(make_certificate(theirs, "127.0.0.1"))
    async with serving(upsd) as port:
        driver = open_driver(f"nut://127.0.0.1:{port}/rack?ca={make_certificate(ours, '127.0.0.1')}")
        with pytest.raises(PortLost, match="certificate"):
            await driver.connect()
        await driver.close()
    assert upsd.secure == []


async def test_without_an_authority_any_certificate_encrypts(tmp_path: Path) -> None:
    upsd = TlsUpsd(make_certificate(tmp_path, "127.0.0.2"))
    async with serving(upsd) as port:
        driver = open_driver(f"nut://127.0.0.1:{port}/rack?tls=require")
        assert (await driver.connect()).serial == SERIAL
        await driver.close()
    assert upsd.secure == ["LIST VAR rack"]


@pytest.mark.parametrize("tls", ["try", "no"])
async def test_an_answer_of_many_kilobytes_is_read_whole(tmp_path: Path, tls: str) -> None:
    upsd = TlsUpsd(make_certificate(tmp_path, "127.0.0.1"))
    upsd.upsd.variables |= {f"a.{number}": "x" * 100 for number in range(500)}
    upsd.upsd.variables["outlet.1.status"] = "on"
    async with serving(upsd) as port:
        driver = open_driver(f"nut://127.0.0.1:{port}/rack?tls={tls}")
        snapshot = await driver.full()
        await driver.close()
    assert [group.index for group in snapshot.switched_outlets] == [1]
