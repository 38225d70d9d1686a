"""Webhook, to a real web server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import About
from cloud_bridge.notify.errors import NotSent
from cloud_bridge.notify.http import LONGEST_WAIT_S, Answer, request, retry_after_s
from cloud_bridge.notify.targets import webhook_target
from cloud_bridge.notify.webhook import SCHEMA, Body, Webhook, signature
from tests.cloud_bridge.notify.notices import HOSTILE, NOW, item, notice
from tests.cloud_bridge.notify.peers import certificates, web_server

SECRET = "correct-horse-battery"
STAMP = 1_795_521_605.7


def hook(port: int, path: str = "/hook", secret: str = SECRET, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}{path}" + (f" secret={secret}" if secret else "")


def channel(target: str) -> Webhook:
    return Webhook(target, allow_private=True, clock=lambda: STAMP)


async def test_a_notice_is_posted_as_json_and_signed() -> None:
    with web_server() as web:
        await channel(hook(web.port, "/hook?a=b%20c")).send(notice(item()))
    (asked,) = web.asked
    assert (asked.method, asked.path) == ("POST", "/hook?a=b%20c")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-ridethrough-id"] == "0123456789abcdef" * 2
    assert asked.headers["x-ridethrough-timestamp"] == "1795521605"
    expected = hmac.new(SECRET.encode(), b"1795521605." + asked.body, hashlib.sha256).hexdigest()
    assert asked.headers["x-ridethrough-signature"] == f"v1={expected}"
    said = msgspec.json.decode(asked.body)
    assert said["schema"] == SCHEMA == "ridethrough.notice/1"
    assert said["title"] == "[warning] rack-1: on battery"
    assert said["at"] == "2026-11-24T12:00:00.000Z"
    (step,) = said["alerts"]
    assert step["device"] == "rack-1"
    assert step["what"] == "fired"
    assert step["onset_at"] == "2026-11-24T11:59:50.000Z"
    assert step["details"] == {"charge_pct": 87.5, "runtime_s": 1530, "input_v": 0.0, "cause": "blackout"}


def test_the_signature_is_the_one_that_the_documentation_works_out() -> None:
    assert signature("correct-horse-battery", "1795521605", b'{"a":1}') == (
        "v1=" + hmac.digest(b"correct-horse-battery", b'1795521605.{"a":1}', "sha256").hex()
    )


async def test_without_a_secret_nothing_is_signed() -> None:
    with web_server() as web:
        await channel(hook(web.port, secret="")).send(notice(item()))
    assert "x-ridethrough-signature" not in web.asked[0].headers


@pytest.mark.parametrize("about", list(About), ids=str)
async def test_every_kind_of_notice_has_the_documented_members(about: About) -> None:
    with web_server() as web:
        await channel(hook(web.port)).send(notice(item(what=What.RESOLVED), about=about, until=NOW, left_out=2))
    said = msgspec.json.decode(web.asked[0].body, type=Body, strict=True)
    assert set(msgspec.json.decode(web.asked[0].body)) == set(Body.__struct_fields__)
    assert said.about is about
    assert said.text


async def test_s6_a_hostile_name_is_text_in_the_json_and_no_header() -> None:
    one = item(label=HOSTILE, happened=HOSTILE, details={HOSTILE: HOSTILE}, lists=(HOSTILE,))
    with web_server() as web:
        await channel(hook(web.port)).send(notice(one, title=HOSTILE, to=HOSTILE, policy=HOSTILE, id=HOSTILE))
    (asked,) = web.asked
    assert "bcc" not in asked.headers
    assert b"\\r" not in asked.body
    assert b"\\n" not in asked.body.replace(b'"text"', b"").split(b'"severity"')[-1]
    assert b"\\u001b" not in asked.body


ANSWERS = [
    pytest.param(200, {}, None, None, id="200: sent"),
    pytest.param(202, {}, None, None, id="202: sent"),
    pytest.param(204, {}, None, None, id="204: sent"),
    pytest.param(301, {"Location": "/x"}, False, None, id="301: redirects are not followed"),
    pytest.param(307, {"Location": "http://169.254.169.254/"}, False, None, id="307: not even with the body"),
    pytest.param(400, {}, False, None, id="400: not again"),
    pytest.param(401, {}, False, None, id="401: not again"),
    pytest.param(404, {}, False, None, id="404: not again"),
    pytest.param(410, {}, False, None, id="410: not again"),
    pytest.param(408, {}, True, None, id="408: again"),
    pytest.param(425, {}, True, None, id="425: again"),
    pytest.param(429, {"Retry-After": "120"}, True, 120.0, id="429: again, when it says"),
    pytest.param(429, {"Retry-After": "99999999999"}, True, 3600.0, id="429: again, within an hour at the latest"),
    pytest.param(429, {"Retry-After": "soon"}, True, None, id="429: again, whatever it says"),
    pytest.param(500, {}, True, None, id="500: again"),
    pytest.param(503, {"Retry-After": "Tue, 24 Nov 2026 12:01:05 GMT"}, True, 59.3, id="503: again, at that time"),
    pytest.param(
        503, {"Retry-After": "Tue, 24 Nov 2020 12:01:05 GMT"}, True, 0.0, id="503: again, a time that is past"
    ),
]


@pytest.mark.parametrize(("status", "headers", "again", "after_s"), ANSWERS)
async def test_the_status_decides_whether_it_is_tried_again(
    status: int, headers: dict[str, str], again: bool | None, after_s: float | None
) -> None:
    with web_server() as web:
        web.answers.append((status, headers, b""))
        if again is None:
            await channel(hook(web.port)).send(notice(item()))
        else:
            with pytest.raises(NotSent, match=str(status)) as caught:
                await channel(hook(web.port)).send(notice(item()))
            assert caught.value.again is again
            assert caught.value.after_s == (None if after_s is None else pytest.approx(after_s, abs=0.01))
        assert len(web.asked) == 1, "asked once, whatever it answered"


async def test_a_redirect_says_what_to_do() -> None:
    with web_server() as web:
        web.answers.append((308, {"Location": "/there"}, b""))
        with pytest.raises(NotSent, match="put the final URL into the channel"):
            await channel(hook(web.port)).send(notice(item()))


async def test_a_certificate_is_judged_by_the_host_s_name_though_the_address_is_pinned(tmp_path: Path) -> None:
    tls = certificates(tmp_path, "localhost")
    with web_server(tls.server) as web:
        good = Webhook(f"https://localhost:{web.port}/", allow_private=True, tls=tls.client)
        await good.send(notice(item()))
        assert web.asked[0].headers["host"] == f"localhost:{web.port}"
        other = Webhook(f"https://127.0.0.1:{web.port}/", allow_private=True, tls=tls.client)
        with pytest.raises(NotSent, match="certificate") as caught:
            await other.send(notice(item()))
        assert caught.value.again
        with pytest.raises(NotSent, match="certificate"):
            await Webhook(f"https://localhost:{web.port}/", allow_private=True).send(notice(item()))
        assert len(web.asked) == 1


async def test_s24_a_name_that_leads_to_this_machine_is_refused_after_resolution() -> None:
    with web_server() as web:
        for host in ("localhost", "127.0.0.1"):
            blocked = Webhook(f"http://{host}:{web.port}/", allow_private=False)
            with pytest.raises(NotSent, match="allow_private_targets") as caught:
                await blocked.send(notice(item()))
            assert not caught.value.again
    assert web.asked == []


async def test_s24_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as proxy, web_server() as web:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await channel(hook(web.port)).send(notice(item()))
    assert proxy.asked == []


@asynccontextmanager
async def raw_server(answer: bytes, *, stay: bool = False) -> AsyncIterator[int]:
    """Reads a request's first bytes, says `answer`, and closes unless it is to stay."""
    done = asyncio.Event()
    serving: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            serving.append(task)
        await reader.read(1024)
        writer.write(answer)
        try:
            await writer.drain()
            if stay:
                await done.wait()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        done.set()
        server.close()
        await asyncio.gather(*serving)
        await server.wait_closed()


ODD = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000, id="a header without an end"),
    pytest.param(b"HTTP/1.1 999999 OK\r\n\r\n", id="a status that is none"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="a promise alone"),
]


@pytest.mark.parametrize("answer", ODD)
async def test_a_server_that_does_not_answer_properly_is_tried_again(answer: bytes) -> None:
    async with raw_server(answer) as port:
        with pytest.raises(NotSent) as caught:
            await channel(hook(port)).send(notice(item()))
    assert caught.value.again


async def test_s24_what_a_server_repeats_of_a_request_is_in_no_reason_and_a_reason_is_short() -> None:
    for answer in (
        b"400 no /a-secret-path here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n/a-secret",
    ):
        async with raw_server(answer + b"y" * 60_000) as port:
            try:
                await channel(hook(port, "/a-secret-path")).send(notice(item()))
            except NotSent as error:
                assert "secret" not in error.reason
                assert len(error.reason) < 200


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("9" * 5000, id="a number of 5000 digits"),
        pytest.param("Tue, 24 Nov " + "9" * 5000 + " 12:00:00 GMT", id="a year of 5000 digits"),
        pytest.param("1 Jan 2000 00:00:00 +" + "9" * 5000, id="a zone of 5000 digits"),
        pytest.param("Mon, 01 Jan 0001 00:00:00 -0000", id="the first year"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 -9959", id="after the last year"),
        pytest.param("-5", id="a time that was"),
        pytest.param(", , ,", id="no word at all"),
    ],
)
def test_s24_no_retry_after_makes_a_notice_wait_longer_than_an_hour(said: str) -> None:
    waits_s = retry_after_s(Answer(503, {"retry-after": said}, b""), STAMP)
    assert waits_s is None or 0 <= waits_s <= LONGEST_WAIT_S


async def test_an_answer_that_breaks_off_after_its_status_counts() -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc") as port:
        await channel(hook(port)).send(notice(item()))


async def test_a_server_that_is_away_is_tried_again() -> None:
    async with raw_server(b"") as port:
        pass
    with pytest.raises(NotSent) as caught:
        await channel(hook(port)).send(notice(item()))
    assert caught.value.again


async def test_s24_of_an_endless_answer_64_kib_are_read() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 10_000_000
    async with raw_server(endless, stay=True) as port:
        url = webhook_target(hook(port, secret="")).url
        answer = await request("POST", url, [], b"{}", allow_private=True)
    assert (answer.status, len(answer.body)) == (200, 64 * 1024)


async def test_s24_a_server_that_never_answers_is_left_after_its_time() -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\n", stay=True) as port:
        url = webhook_target(hook(port, secret="")).url
        with pytest.raises(NotSent, match="no answer within") as caught:
            await request("POST", url, [], b"{}", allow_private=True, limit_s=0.05)
    assert caught.value.again
