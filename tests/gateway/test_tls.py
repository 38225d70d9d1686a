"""Whom the gateway takes for the broker, by a clock that is right and by one that is not set."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509

from gateway.errors import CannotStart
from gateway.runtime.tls import NO_CHECK_TIME, client_context
from gateway.settings import Tls
from tests.gateway.papers import DAY, NOW, Papers, gateway_pair, greeting, written

YEARS = 365 * DAY
PAST = (NOW - 2 * YEARS, NOW - YEARS)
"""What a broker's certificate looks like to a Pi whose clock runs ahead."""
FUTURE = (NOW + YEARS, NOW + 2 * YEARS)
"""And to one whose clock was set back."""


@pytest.fixture
def servers() -> Papers:
    return Papers("services")


@pytest.fixture
def tls(tmp_path: Path, servers: Papers) -> Tls:
    return gateway_pair(tmp_path / "gateway", servers, Papers("gateways"))


def connect(context: ssl.SSLContext, port: int) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port), 20) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        return connection.recv(1)


async def meet(context: ssl.SSLContext, server: ssl.SSLContext) -> bytes:
    async with greeting(server) as port:
        return await asyncio.to_thread(connect, context, port)


@pytest.mark.parametrize("dates", [PAST, FUTURE], ids=["clock-ahead", "clock-back"])
async def test_a_pi_whose_clock_is_not_set_gets_through_whatever_year_it_believes(
    tmp_path: Path, servers: Papers, tls: Tls, dates: tuple[datetime, datetime]
) -> None:
    server = servers.server(tmp_path, begins=dates[0], ends=dates[1])
    assert await meet(client_context(tls, lambda: False), server) == b"!"


@pytest.mark.parametrize(("dates", "told"), [(PAST, "expired"), (FUTURE, "not yet valid")], ids=["past", "future"])
async def test_by_a_clock_that_is_right_dates_are_judged(
    tmp_path: Path, servers: Papers, tls: Tls, dates: tuple[datetime, datetime], told: str
) -> None:
    server = servers.server(tmp_path, begins=dates[0], ends=dates[1])
    with pytest.raises(ssl.SSLCertVerificationError, match=told):
        await meet(client_context(tls, lambda: True), server)


async def test_each_connection_asks_the_clock_anew(tmp_path: Path, servers: Papers, tls: Tls) -> None:
    right = False
    context = client_context(tls, lambda: right)
    server = servers.server(tmp_path, begins=PAST[0], ends=PAST[1])
    assert await meet(context, server) == b"!"
    right = True
    with pytest.raises(ssl.SSLCertVerificationError):
        await meet(context, server)
    right = False
    assert await meet(context, server) == b"!"


@pytest.mark.parametrize("right", [True, False], ids=["clock-right", "clock-not-set"])
async def test_s12_another_authority_is_never_believed(tmp_path: Path, tls: Tls, right: bool) -> None:
    server = Papers("services").server(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        await meet(client_context(tls, lambda: right), server)


@pytest.mark.parametrize("right", [True, False], ids=["clock-right", "clock-not-set"])
async def test_s12_another_host_name_is_never_believed(tmp_path: Path, servers: Papers, tls: Tls, right: bool) -> None:
    server = servers.server(tmp_path, hosts=[x509.DNSName("elsewhere.example")])
    with pytest.raises(ssl.SSLCertVerificationError, match="127.0.0.1"):
        await meet(client_context(tls, lambda: right), server)


@pytest.mark.parametrize("right", [True, False], ids=["clock-right", "clock-not-set"])
async def test_s12_a_clients_certificate_is_never_taken_for_a_brokers(
    tmp_path: Path, servers: Papers, right: bool
) -> None:
    """Even one of the right authority and name."""
    tls = gateway_pair(tmp_path / "gateway", servers, servers)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tls.certificate, tls.key)
    context = client_context(tls, lambda: right)
    context.check_hostname = False
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        await meet(context, server)


def test_old_tls_is_not_spoken(tls: Tls) -> None:
    context = client_context(tls)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.verify_flags & NO_CHECK_TIME


def test_an_authority_file_may_hold_remarks_in_any_language(tls: Tls) -> None:
    written(tls.ca, "# Behörde für Server\n".encode() + tls.ca.read_bytes())
    assert client_context(tls).get_ca_certs()


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_an_authority_is_named(tls: Tls, content: bytes) -> None:
    written(tls.ca, content)
    with pytest.raises(CannotStart, match="ca.pem"):
        client_context(tls)
