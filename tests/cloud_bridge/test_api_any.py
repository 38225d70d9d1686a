"""Whatever is sent to the API, the answer is one of its own, and the registry stays whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_bridge.cli_views import settings_of
from cloud_bridge.host_header import OWN_HOSTS
from cloud_bridge.runtime.administer.office import Office
from cloud_bridge.runtime.api.app import AREAS, application, guarded
from cloud_bridge.runtime.init import init

WRITES = [
    (method, route.path)
    for area, _ in AREAS
    for route in area.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods or ())
    if not route.path.endswith("/test")
]
FIELDS = sorted(
    {
        field
        for name, schema in application().openapi()["components"]["schemas"].items()
        if name.endswith(("Form", "Note", "Assignment", "Routes"))
        for field in schema["properties"]
    }
)
words = st.sampled_from(["ada", "operator", "mail", "default", "pi-1", "rack-1", "Europe/Berlin", "ada@example.net"])
texts = st.one_of(words, st.text(max_size=20), st.sampled_from(["\x00", "a/b", "../x", "22:30", "=1+1"]))
numbers = st.one_of(st.integers(-10, 10**6), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)


def inside(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3))


values = st.recursive(scalars, inside, max_leaves=6)
bodies = st.one_of(st.dictionaries(st.sampled_from(FIELDS), values, max_size=8), values)
parts = st.one_of(
    words, st.text(st.characters(exclude_characters="/?#%", exclude_categories=["C"]), min_size=1, max_size=9)
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = init(tmp_path_factory.mktemp("any") / "cloud", "127.0.0.1:0")
    with Office(settings_of(folder.root)) as office:
        yield office


class Client:
    """Asks the application in this very process, so that an error that nobody foresaw is raised here."""

    def __init__(self, office: Office, runner: asyncio.Runner) -> None:
        self._transport = httpx.ASGITransport(guarded(office, OWN_HOSTS, needs_token=False))
        self._runner = runner

    def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://localhost") as client:
                return await client.request(method, path, **content)

        return self._runner.run(one())


@pytest.fixture(scope="module")
def client(office: Office) -> Iterator[Client]:
    with asyncio.Runner() as runner:
        client = Client(office, runner)
        client.ask("POST", "/v1/owners", json={"name": "ada", "email": "ada@example.net"})
        yield client


@given(st.sampled_from(WRITES), bodies, st.lists(parts, min_size=2, max_size=2))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_to_any_route_is_done_or_told_why_not(
    client: Client, route: tuple[str, str], body: object, names: list[str]
) -> None:
    method, template = route
    path = template
    for name in names:
        before, brace, rest = path.partition("{")
        if brace:
            path = before + name + rest.partition("}")[2]
    answer = client.ask(method, path, json=body)
    assert answer.status_code in (200, 201, 202, 404, 405, 409, 422), (method, path, body, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


@given(st.binary(max_size=300), st.sampled_from(["/v1/owners", "/v1/policies", "/v1/silences", "/v1/tokens"]))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_told_to_be_none_of_it(client: Client, content: bytes, path: str) -> None:
    assert client.ask("POST", path, content=content).status_code == 422


def test_everything_can_still_be_read(client: Client) -> None:
    """What the tests before this one left behind, in whatever order they ran."""
    for path in (
        "owners",
        "sites",
        "devices",
        "channels",
        "policies",
        "rules",
        "silences",
        "routes",
        "tokens",
        "health",
    ):
        assert client.ask("GET", f"/v1/{path}").status_code == 200, path


def test_a_folder_without_the_key_of_its_channels_is_told_at_once(tmp_path: Path) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0")
    (folder.root / "authority" / "channels.key").chmod(0o644)
    with pytest.raises(Exception, match="chmod 600"):
        Office(settings_of(folder.root))
