"""The gateway's view of itself: on its socket, in a terminal, on its page."""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from drivers.ups import Identity, Snapshot, State
from gateway.cli_status import status
from gateway.errors import CannotStart
from gateway.page import page
from gateway.runtime.page import HEAD_BYTES, StatusPage
from gateway.runtime.status import MODE, StatusSocket
from gateway.runtime.visitors import MOST
from gateway.show import view_table
from gateway.view import CloudLink, GatewayView, UnitOutage, UnitSight, span
from gateway.wire.health import Host, OutboxHealth
from gateway.wire.messages import Lane, Stamp
from gateway.wire.outage import OutageBody
from tests.gateway.watched_unit import START

NOW_MS = round(START.timestamp() * 1000)
HOSTILE = "x\r\n\x1b[31m[link=http://e]y<script>alert(1)</script>\"'=1+1&"
"""S6: one string against terminal, HTML and JSON."""


def view_of(**changes: object) -> GatewayView:
    unit = UnitSight(
        name="rack-1",
        url="modbus+tcp://10.0.0.5",
        fast_s=2.0,
        snapshot=Snapshot(
            at=START, state=State.ON_BATTERY, charge_pct=81.0, load_pct=40.0, runtime_s=1325, input_v=0.0
        ),
        identity=Identity(serial="AS1", model="Smart-UPS 1500"),
        answered_at=START - timedelta(seconds=2),
        conditions=("on_battery",),
    )
    outage = OutageBody(
        id="a",
        began_at=NOW_MS - 3_600_000,
        ended_at=NOW_MS - 3_500_000,
        ended="restored",
        cause="low_input_voltage",
        delivered_s=100.0,
        expected_runtime_s=1800,
        lowest_input_v=12.0,
        energy_wh=14.2,
        energy_estimated=True,
        trace=[(-1000, 230.0, None, None, 100.0, False), (0, 12.0, None, None, 99.0, True)],
    )
    view = GatewayView(
        gateway="pi-1",
        version="0.1.0",
        stamp=Stamp(at=NOW_MS, boot="b", mono=1, clock="synchronised"),
        running_s=90_061.0,
        cloud=CloudLink(url="mqtts://bridge.example.net:8883", connected=False, trouble="no route to host"),
        outbox=OutboxHealth(waiting={Lane.EVENTS: 3, Lane.STATUS: 40}, bytes=2_000_000, quota_bytes=512_000_000),
        host=Host(),
        units=(unit,),
        outages=(UnitOutage(unit="rack-1", outage=outage),),
        certificate_days_left=44.6,
    )
    return msgspec.structs.replace(view, **changes)


def hostile() -> GatewayView:
    identity = Identity(serial=HOSTILE, model=HOSTILE)
    unit = msgspec.structs.replace(view_of().units[0], identity=identity, trouble=HOSTILE, stranger=HOSTILE)
    outage = msgspec.structs.replace(view_of().outages[0].outage, cause=HOSTILE)
    return view_of(
        units=(unit,),
        outages=(UnitOutage(unit="rack-1", outage=outage),),
        warnings=(HOSTILE,),
        cloud=CloudLink(url="mqtts://x", connected=False, trouble=HOSTILE),
    )


def shown(view: GatewayView) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(view_table(view, 5))
    return console.export_text()


async def the(view: GatewayView) -> GatewayView:
    return view


@asynccontextmanager
async def on_socket(path: Path, view: GatewayView) -> AsyncIterator[StatusSocket]:
    served = StatusSocket(path, lambda: the(view))
    await served.open()
    yield served
    await served.close()


@asynccontextmanager
async def on_page(view: GatewayView) -> AsyncIterator[StatusPage]:
    served = StatusPage("127.0.0.1:0", lambda: the(view))
    await served.open()
    yield served
    await served.close()


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(status, arguments)


async def test_the_terminal_shows_units_cloud_outbox_and_outages(tmp_path: Path) -> None:
    async with on_socket(tmp_path / "s", view_of()):
        result = await asyncio.to_thread(asked, "--socket", str(tmp_path / "s"))
    assert result.exit_code == 0, result.output
    for said in (
        "pi-1",
        "no route to host",
        "43 records wait",
        "rack-1",
        "on battery",
        "81 %",
        "22 min 5 s",
        "45 days",
    ):
        assert said in result.output
    for said in ("1 min 40 s", "30 min 0 s", "12 V", "~14.2 Wh", "low input voltage"):
        assert said in result.output


async def test_as_json_it_is_the_same_value(tmp_path: Path) -> None:
    async with on_socket(tmp_path / "s", view_of()):
        result = await asyncio.to_thread(asked, "--socket", str(tmp_path / "s"), "--json")
    assert msgspec.json.decode(result.output, type=GatewayView) == view_of()


def test_without_a_gateway_it_says_so_and_ends_with_1(tmp_path: Path) -> None:
    result = asked("--socket", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "no gateway runs there" in result.output


@pytest.mark.parametrize("arguments", [(), ("--socket", "a", "--config", "b")], ids=["neither", "both"])
def test_the_gateway_is_named_in_one_way(arguments: tuple[str, ...]) -> None:
    assert asked(*arguments).exit_code == 2


async def test_s25_the_socket_is_for_the_owner_and_the_group_and_goes_with_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with on_socket(path, view_of()):
        assert path.stat().st_mode & 0o777 == MODE
    assert not path.exists()


async def test_a_socket_that_a_dead_gateway_left_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with on_socket(path, view_of()):
        with pytest.raises(CannotStart, match="another program listens there"):
            await StatusSocket(path, lambda: the(view_of())).open()


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(CannotStart, match="no socket"):
        await StatusSocket(path, lambda: the(view_of())).open()
    assert path.read_text() == "mine"


@pytest.mark.parametrize("question", [b"nonsense\n", b"x" * 1000 + b"\n", b""], ids=["nonsense", "too long", "nothing"])
async def test_what_is_no_question_gets_no_answer(tmp_path: Path, question: bytes) -> None:
    async with on_socket(tmp_path / "s", view_of()):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(question)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_a_watch_goes_on_and_more_watchers_than_allowed_are_turned_away(tmp_path: Path) -> None:
    async with on_socket(tmp_path / "s", view_of()):
        watchers = [await asyncio.open_unix_connection(tmp_path / "s", limit=2**20) for _ in range(MOST)]
        for reader, writer in watchers:
            writer.write(b"watch\n")
            assert await reader.readline()
        assert await watchers[0][0].readline(), "the next second's"
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        assert await reader.read() == b""
        for _, each in [*watchers, (reader, writer)]:
            each.close()


def test_s6_no_text_of_a_unit_reaches_a_terminal_as_it_is() -> None:
    text = shown(hostile())
    assert "\x1b" not in text
    assert "\r" not in text
    assert "[link=http://e]" in text, "shown, not obeyed"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}


def test_s6_no_text_of_a_unit_becomes_a_tag_of_the_page() -> None:
    parser = _Tags()
    parser.feed(page(hostile()))
    assert "script" not in parser.tags
    assert not parser.handlers
    assert "&lt;script&gt;" in page(hostile())


def test_the_page_says_at_once_what_is_wrong_and_draws_the_outages() -> None:
    text = page(view_of())
    assert "<title>pi-1: rack-1 on battery</title>" in text
    assert "<svg" in text
    assert "about 14.2 Wh" in text
    assert "all is well" in page(view_of(units=(UnitSight(name="rack-1", url="x", fast_s=1.0),)))
    assert "None is kept" in page(view_of(outages=()))


def _get(address: str, path: str = "/", method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    response.body = response.read()  # type: ignore[attr-defined]  # read while the connection is open
    connection.close()
    return response


async def test_the_page_is_served_with_headers_that_let_nothing_else_in() -> None:
    async with on_page(view_of()) as served:
        response = await asyncio.to_thread(_get, served.address)
        assert response.status == 200
        assert response.getheader("Content-Security-Policy", "").startswith("default-src 'none'")
        assert response.getheader("Referrer-Policy") == "no-referrer"
        as_json = await asyncio.to_thread(_get, served.address, "/status.json")
        body: bytes = as_json.body  # type: ignore[attr-defined]  # see _get
        assert msgspec.json.decode(body, type=GatewayView) == view_of()


@pytest.mark.parametrize(
    ("path", "method", "host", "code"),
    [
        ("/", "POST", "localhost", 405),
        ("/", "HEAD", "localhost:80", 200),
        ("/../etc/passwd", "GET", "localhost", 404),
        ("/", "GET", "evil.example", 421),
        ("/", "GET", "evil.example:80", 421),
        ("/", "GET", "127.0.0.1", 200),
        ("/", "GET", "[::1]:80", 200),
    ],
)
async def test_s23_s25_only_reading_by_our_own_name_is_answered(path: str, method: str, host: str, code: int) -> None:
    async with on_page(view_of()) as served:
        response = await asyncio.to_thread(_get, served.address, path, method, Host=host)
    assert response.status == code


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"\x16\x03\x01 hello\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"421"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", b"421"),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * (2 * HEAD_BYTES) + b"\r\n\r\n", b"431"),
        (b"GET /\r\n\r\n", b"400"),
    ],
)
async def test_a_request_that_is_none_is_refused_with_its_reason(request_bytes: bytes, code: bytes) -> None:
    async with on_page(view_of()) as served:
        host, _, port = served.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request_bytes)
        assert (await reader.readline()).split(b" ")[1] == code
        writer.close()


async def test_a_port_that_is_taken_is_told_with_the_setting_that_names_it() -> None:
    async with on_page(view_of()) as served:
        with pytest.raises(CannotStart, match="status_page: 127.0.0.1"):
            await StatusPage(served.address, lambda: the(view_of())).open()


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59.6, "1 min 0 s"), (3700, "1 h 1 min"), (90_061, "1 d 1 h"), (-5, "0 s")]
)
def test_durations_are_said_in_their_two_largest_units(seconds: float, said: str) -> None:
    assert span(seconds) == said
