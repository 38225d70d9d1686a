"""The broker's process: `cloud run --only broker`, or `python -m cloud_bridge.runtime.broker --dir D`."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cloud_bridge.addresses import Address, exposure
from cloud_bridge.broker.runtime.broker import HardenedBroker
from cloud_bridge.broker.runtime.door import Door
from cloud_bridge.broker.runtime.revoked import Revoked
from cloud_bridge.errors import BrokerFailed, CloudError
from cloud_bridge.folder import GATEWAYS, SERVICES, Folder
from cloud_bridge.settings import CloudSettings, Tls
from config.errors import SettingsError
from config.runtime.files import load
from config.runtime.log import LEVELS, set_up_logging
from config.runtime.ready import announce

logger = logging.getLogger(__name__)

T = TypeVar("T")


def run_broker(settings: CloudSettings) -> None:
    """Serves until SIGTERM or SIGINT; says `ready: broker HOST:PORT` once it does. Raises BrokerFailed."""
    # amqtt's own warnings can be drawn by any client, as often as it likes; ours are counted.
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    asyncio.run(_run(settings))


async def _run(settings: CloudSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(settings) as address:
        announce("broker", str(address))
        await stop.wait()


@asynccontextmanager
async def serving(settings: CloudSettings) -> AsyncIterator[Address]:
    """A broker that serves at the address given until the block ends. Raises BrokerFailed."""
    authorities = {
        GATEWAYS: _certificate(settings.tls.gateways),
        SERVICES: _certificate(settings.tls.services),
    }
    context = tls_context(settings.tls)
    broker = HardenedBroker(settings.limits)
    revoked = Revoked(settings.tls.revoked, authorities[GATEWAYS])
    door = Door(settings.listen_at, context, authorities, settings.limits, broker.serve, revoked)
    if warning := exposure(door.address):
        logger.warning("%s", warning)
    await broker.start()
    door.open()
    watching = asyncio.create_task(revoked.watch(lambda: broker.close_revoked(revoked)), name="revocation list")
    try:
        yield door.address
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await door.close()
        await broker.shutdown()


def tls_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or newer; every client shows a certificate, each time anew. Raises BrokerFailed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    for authority in (tls.gateways, tls.services):
        _loaded(authority, lambda path: context.load_verify_locations(cafile=path))
    _loaded(tls.broker.key, lambda path: load_pem_private_key(path.read_bytes(), password=None))
    _loaded(tls.broker.certificate, lambda path: context.load_cert_chain(path, tls.broker.key))
    return context


def _certificate(path: Path) -> x509.Certificate:
    return _loaded(path, lambda path: x509.load_pem_x509_certificate(path.read_bytes()))


def _loaded(path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except (OSError, ValueError, TypeError) as error:  # ssl.SSLError is an OSError
        raise BrokerFailed(f"{path}: can't be used: {error}") from error


@click.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), required=True, help="The cloud's folder.")
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
def main(directory: Path, log_level: str) -> None:
    """Run the embedded broker of a cloud."""
    set_up_logging(log_level)
    try:
        run_broker(load(Folder(directory).settings, CloudSettings))
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except CloudError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
