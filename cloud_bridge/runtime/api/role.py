"""The API's process: a unix socket, and TLS where `listen_api` names an address."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from cloud_bridge.addresses import Address, exposure, parse_address
from cloud_bridge.host_header import OWN_HOSTS, hosts_of_api
from cloud_bridge.runtime.administer.office import Office
from cloud_bridge.runtime.api.app import guarded
from cloud_bridge.runtime.https import CONNECTIONS, serving, tls_of
from cloud_bridge.runtime.listening import listening, listening_unix
from cloud_bridge.settings import CloudSettings
from config.runtime.ready import announce

SOCKET_MODE = 0o660
"""S25: for whoever runs the cloud, and the group of the folder that it is in."""
LASTS_S = 45.0
"""A connection: a test of a channel takes 30 s at most."""

log = logging.getLogger(__name__)


def run_api(settings: CloudSettings) -> None:
    """Serves until SIGTERM or SIGINT; says `ready: api PATH`, and `ready: api-tls ADDRESS` where it listens to a
    network. Raises CloudError."""
    # Strangers can draw uvicorn's warnings as often as they like.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    with Office(settings) as office:
        asyncio.run(_run(settings, office))


async def _run(settings: CloudSettings, office: Office) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    path = socket_of(settings)
    async with AsyncExitStack() as serves:
        here = listening_unix(path, SOCKET_MODE)
        serves.callback(path.unlink, missing_ok=True)
        local = guarded(office, OWN_HOSTS, needs_token=False)
        await serves.enter_async_context(serving(local, here, None, each=CONNECTIONS, lasts_s=LASTS_S))
        if settings.listen_api:
            await _serve_network(settings, office, serves)
        announce("api", str(path))
        await stop.wait()


async def _serve_network(settings: CloudSettings, office: Office, serves: AsyncExitStack) -> None:
    listen = parse_address(settings.listen_api)
    if warning := exposure(listen):
        log.warning("%s", warning)
    app = guarded(office, hosts_of_api(settings.enrolment.host, listen.host), needs_token=True)
    there = listening(listen)
    await serves.enter_async_context(serving(app, there, tls_of(settings.tls.enrol), lasts_s=LASTS_S))
    host, port = there.getsockname()[:2]
    announce("api-tls", str(Address(host, port)))


def socket_of(settings: CloudSettings) -> Path:
    return settings.data / settings.api_socket
