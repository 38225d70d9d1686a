"""The local ways to look at a running gateway: the socket of `gateway status`, and the page if it is wanted."""

from __future__ import annotations

import logging

from config.runtime.ready import announce
from gateway.errors import CannotStart
from gateway.runtime.page import StatusPage
from gateway.runtime.status import StatusSocket, View
from gateway.settings import GatewaySettings

logger = logging.getLogger("gateway")


class Listeners:
    """One that can't be opened is told and done without: the units are watched all the same."""

    def __init__(self, settings: GatewaySettings, view: View) -> None:
        self._socket = StatusSocket(settings.status_socket, view)
        self._page = StatusPage(settings.status_page, view) if settings.status_page else None
        self._open: list[StatusSocket | StatusPage] = []

    async def open(self) -> None:
        if await self._opened(self._socket):
            announce("status", str(self._socket.path))
        if self._page is not None and await self._opened(self._page):
            announce("page", self._page.address)

    async def close(self) -> None:
        while self._open:
            await self._open.pop().close()

    async def _opened(self, listener: StatusSocket | StatusPage) -> bool:
        try:
            await listener.open()
        except CannotStart as error:
            logger.error("%s; the gateway goes on without it", error)
            return False
        self._open.append(listener)
        return True
