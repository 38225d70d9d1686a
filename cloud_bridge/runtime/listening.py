"""A listening socket, and who comes to it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud_bridge.addresses import Address, is_every_address
from cloud_bridge.errors import BrokerFailed

BACKLOG = 128
NOBODY = Address("", 0)
"""Who comes to a unix socket has no address."""
NO_ACCEPT_PAUSE_S = 1.0
"""Most likely the process has no descriptor left, until a client goes; asyncio's own servers wait as long."""


def listening(listen: Address) -> socket.socket:
    """A bound socket, listening. Raises BrokerFailed."""
    try:
        found = socket.getaddrinfo(*listen, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, where = found[0]
        both = is_every_address(listen.host) and family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        listener = socket.create_server(where[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise BrokerFailed(f"can't listen at {listen}: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


def listening_unix(path: Path, mode: int) -> socket.socket:
    """A unix socket, listening; one that a dead process left behind is replaced. Raises BrokerFailed."""
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o777 & ~mode)  # nobody else may come in between
    try:
        with _short(path) as name:
            if path.is_socket():
                if _is_answered(name):
                    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
                path.unlink()
            listener.bind(name)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise BrokerFailed(f"can't listen at {path}: {error.strerror or error}") from error
    finally:
        os.umask(mask)
    listener.setblocking(False)
    return listener


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for it, however deep it lies: a socket's address has room for 108 bytes (unix(7))."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _is_answered(name: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(name) == 0


async def arrivals(listener: socket.socket, logger: logging.Logger) -> AsyncIterator[tuple[socket.socket, Address]]:
    """Each connection and where it comes from, for ever."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            connection, peer = await loop.sock_accept(listener)
        except OSError as error:
            if error.errno != errno.ECONNABORTED:
                logger.error("can't accept a connection: %s", error.strerror)
                await asyncio.sleep(NO_ACCEPT_PAUSE_S)
            continue
        yield connection, Address(peer[0], peer[1]) if peer else NOBODY
        await asyncio.sleep(0)  # sock_accept does not wait while more are there: those inside get their turn
