"""S25: who gets in at which door of the REST API, and what the doors themselves do."""

from __future__ import annotations

import json
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cloud_bridge.addresses import parse_address
from cloud_bridge.api_access import Scope, TokenForm
from cloud_bridge.errors import BrokerFailed
from cloud_bridge.runtime import api_tokens
from cloud_bridge.runtime.api.role import SOCKET_MODE
from cloud_bridge.runtime.init import init
from cloud_bridge.runtime.listening import listening_unix
from tests.cloud_bridge.api_served import ADA, ROUTES, Api, bad, good, served
from tests.conftest import Start


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with served(init(tmp_path / "cloud", "127.0.0.1:0")) as one:
        yield one


def scope_of(method: str, path: str) -> Scope:
    """What docs/api.md says."""
    if "/tokens" in path:
        return Scope.TOKENS
    if method == "GET":
        return Scope.READ
    if path.endswith("/test"):
        return Scope.TEST
    return Scope.RESPOND if path.endswith(("/acknowledge", "/assign", "/note")) else Scope.WRITE


async def test_s25_over_the_network_no_route_is_open_without_a_token_wherever_one_comes_from(api: Api) -> None:
    for method, path in ROUTES:
        bad(await api.stranger.request(method, path.replace("{silence}", "1")), 401, "no-token")
    for path in ("/", "/openapi.json", "/nowhere"):
        answer = await api.stranger.get(path, headers={"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "::1"})
        assert answer.headers["www-authenticate"] == "Bearer"
        bad(answer, 401, "no-token")


async def test_s25_a_token_opens_what_its_scopes_say_and_nothing_else(api: Api) -> None:
    headers = {scope: api.header(scope) for scope in Scope}
    for method, path in ROUTES:
        for scope, header in headers.items():
            answer = await api.here.request(method, path.replace("{silence}", "1"), content=b"", headers=header)
            assert (answer.status_code != 403) is (scope is scope_of(method, path)), (scope, method, path)


@pytest.mark.parametrize("header", ["Bearer x", "Bearer " + "y" * 5000, "Basic YTpi", "Bearer rt1_", "bearer\trt1_x"])
async def test_s25_a_header_that_is_no_good_token_is_refused_at_either_door(api: Api, header: str) -> None:
    for client in (api.stranger, api.here):
        bad(await client.get("/v1/owners", headers={"Authorization": header}), 401, "no-token")


async def test_s25_a_revoked_token_is_refused_from_the_next_request_on(api: Api) -> None:
    admin = await api.with_token(Scope.TOKENS, Scope.READ)
    form = {"name": "late", "scopes": ["read"], "valid_s": 3600}
    made = good(await admin.post("/v1/tokens", json=form), 201)
    headers = {"Authorization": f"Bearer {made['token']}"}
    good(await api.stranger.get("/v1/owners", headers=headers))
    listed = good(await admin.get("/v1/tokens"))
    assert made["token"] not in json.dumps(listed)
    good(await admin.delete("/v1/tokens/late"))
    bad(await api.stranger.get("/v1/owners", headers=headers), 401, "no-token")
    bad(await admin.post("/v1/tokens", json={"name": "x", "scopes": ["fly"]}), 422, "wrong")
    bad(await admin.post("/v1/tokens", json={"name": "x", "scopes": []}), 422, "wrong")
    bad(await admin.post("/v1/tokens", json={"name": "a b", "scopes": ["read"]}), 422, "wrong")


async def test_s25_a_token_at_the_socket_counts_there_too(api: Api) -> None:
    made = api_tokens.make(api.office.registry, TokenForm(name="less", scopes=frozenset({Scope.READ})))
    headers = {"Authorization": f"Bearer {made.token}"}
    good(await api.here.get("/v1/owners", headers=headers))
    bad(await api.here.post("/v1/owners", json=ADA, headers=headers), 403, "not-allowed")


@pytest.mark.parametrize("host", ["evil.example", "169.254.169.254", "", "localhost.evil.example", "[::1"])
async def test_s25_a_request_for_another_host_is_misdirected_at_either_door(api: Api, host: str) -> None:
    reader = await api.with_token(Scope.READ)
    for client in (reader, api.here):
        bad(await client.get("/v1/owners", headers={"Host": host}), 421, "misdirected")


async def test_s25_the_socket_is_for_its_owner_and_group_and_one_process(api: Api) -> None:
    path = api.folder.root / "api.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with pytest.raises(BrokerFailed, match="in use"):
        listening_unix(path, SOCKET_MODE)
    good(await api.here.get("/v1/owners"))


def test_a_socket_that_a_killed_process_left_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "api.sock"))
    left.close()
    listening_unix(tmp_path / "api.sock", SOCKET_MODE).close()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BrokerFailed, match="file"):
        listening_unix(tmp_path / "file", SOCKET_MODE)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_socket_may_lie_deeper_than_a_sockets_address_has_room_for(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    listening_unix(deep / "api.sock", SOCKET_MODE).close()
    assert (deep / "api.sock").is_socket()


def test_the_role_serves_both_doors_and_leaves_no_socket_behind(tmp_path: Path, start: Start) -> None:
    folder = init(tmp_path / "cloud", "127.0.0.1:0")
    with folder.settings.open("a") as file:
        file.write('listen_api: "127.0.0.1:0"\n')
    process = start("cloud", "run", "--dir", folder.root, "--only", "api", ready=["api", "api-tls"])
    path = Path(process.address("api"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost", timeout=20) as here:
        token = good(here.post("/v1/tokens", json={"name": "x", "scopes": ["read"]}), 201)["token"]
    address = parse_address(process.address("api-tls"))
    context = ssl.create_default_context(cafile=folder.authority("services")[0])
    with httpx.Client(base_url=f"https://{address}", verify=context, timeout=20) as there:
        bad(there.get("/v1/owners"), 401, "no-token")
        good(there.get("/v1/owners", headers={"Authorization": f"Bearer {token}"}))
    process.logged("refused: no good token")
    assert process.terminate() == 0
    assert not path.exists()
    assert token not in process.stderr
