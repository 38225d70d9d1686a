"""An office behind the API's two real doors, and what a client there gets."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from fastapi.routing import APIRoute

from cloud_bridge.addresses import LOOPBACK, Address
from cloud_bridge.api_access import Scope, TokenForm
from cloud_bridge.cli_views import settings_of
from cloud_bridge.folder import Folder
from cloud_bridge.host_header import OWN_HOSTS, hosts_of_api
from cloud_bridge.runtime import api_tokens
from cloud_bridge.runtime.administer.office import Office
from cloud_bridge.runtime.api.app import AREAS, guarded
from cloud_bridge.runtime.api.role import SOCKET_MODE
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.https import serving, tls_of
from cloud_bridge.runtime.listening import listening, listening_unix
from tests.cloud_bridge.noticed import ADDRESS, World

ADA = {"name": "ada", "email": ADDRESS, "time_zone": "Europe/Berlin"}
ROUTES = [
    (method, route.path)
    for area, _ in AREAS
    for route in area.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods or ())
]


class Api:
    """An office, the API at both its doors, and what a client there gets."""

    def __init__(self, folder: Folder, office: Office, doors: AsyncExitStack) -> None:
        self.folder, self.office, self._doors = folder, office, doors

    async def open(self) -> None:
        path = self.folder.root / "api.sock"
        here = listening_unix(path, SOCKET_MODE)
        await self._doors.enter_async_context(serving(guarded(self.office, OWN_HOSTS, needs_token=False), here, None))
        there = listening(Address(LOOPBACK, 0))
        app = guarded(self.office, hosts_of_api("127.0.0.1", LOOPBACK), needs_token=True)
        pair = self.office.settings.tls.enrol
        await self._doors.enter_async_context(serving(app, there, tls_of(pair)))
        self.address = f"https://{LOOPBACK}:{there.getsockname()[1]}"
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        self.here = await self._client(base_url="http://localhost", transport=transport)
        self.stranger = await self._client(base_url=self.address, verify=self._tls())

    async def with_token(self, *scopes: Scope) -> httpx.AsyncClient:
        """Over the network."""
        return await self._client(base_url=self.address, verify=self._tls(), headers=self.header(*scopes))

    def header(self, *scopes: Scope) -> dict[str, str]:
        made = api_tokens.make(self.office.registry, TokenForm(name="-".join(scopes), scopes=frozenset(scopes)))
        return {"Authorization": f"Bearer {made.token}"}

    def world(self) -> World:
        return World(self.office.registry, now_ms(), self.office.vault.seal(ADDRESS))

    async def add_ada(self) -> Any:
        return good(await self.here.post("/v1/owners", json=ADA), 201)

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder.authority("services")[0])

    async def _client(self, **how: Any) -> httpx.AsyncClient:
        return await self._doors.enter_async_context(httpx.AsyncClient(timeout=20, **how))


@asynccontextmanager
async def served(folder: Folder) -> AsyncIterator[Api]:
    with Office(settings_of(folder.root)) as office:
        async with AsyncExitStack() as doors:
            one = Api(folder, office, doors)
            await one.open()
            yield one


def good(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def bad(answer: httpx.Response, status: int, kind: str) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["type"] == f"urn:ridethrough:problem:{kind}"
    assert said["status"] == status
    return said
