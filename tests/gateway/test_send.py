"""An emergency message on its way out: to a real mail server and an ntfy server, good and bad ones."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.ups import Severity
from gateway.emergency_text import Errand, Message, Outcome
from gateway.enrolment import pem
from gateway.errors import NotSent
from gateway.runtime import send
from gateway.runtime.emergency import performed
from gateway.runtime.secret import SECRET_BYTES, read_secret
from gateway.settings import MailRoute, NtfyRoute
from tests.gateway.papers import DAY, NOW, Papers
from tests.gateway.postbox import postbox, topic

HOSTILE = "a\r\nBcc: everybody@example.net \x1b[31m <script> =cmd \"'"
MESSAGE = Message(
    id="12ab.pi", subject="[pi] rack-1: low battery", text="On battery. 21 °C\n", severity=Severity.CRITICAL
)


def mail(port: int, **more: Any) -> MailRoute:
    values: dict[str, Any] = {"sender": "ups@example.net", "to": ("owner@example.net",), "security": "none", **more}
    return MailRoute(host="127.0.0.1", port=port, **values)


async def sent(*routes: MailRoute | NtfyRoute, message: Message = MESSAGE, clock_is_right: bool = True) -> Outcome:
    by_kind: dict[str, Any] = {"mail" if isinstance(route, MailRoute) else "ntfy": route for route in routes}
    return await asyncio.to_thread(send.send, Errand(message=message, clock_is_right=clock_is_right, **by_kind))


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "mail.password"
    path.write_text("right\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def papers(tmp_path: Path) -> tuple[Papers, Path]:
    """An authority and the file that names it."""
    authority = Papers("mail")
    (tmp_path / "mail-ca.pem").write_text(pem(authority.certificate))
    return authority, tmp_path / "mail-ca.pem"


async def test_a_mail_arrives_whole() -> None:
    async with postbox() as box:
        assert await sent(mail(box.port)) == Outcome(taken=True)
    (letter,) = box.letters
    assert (letter["From"], letter["To"], letter["Subject"]) == (
        "ups@example.net",
        "owner@example.net",
        MESSAGE.subject,
    )
    assert letter["Message-ID"] == "<12ab.pi@example.net>"
    assert (letter["Auto-Submitted"], letter["Importance"]) == ("auto-generated", "high")
    assert letter["Date"] is not None
    assert letter.get_content().replace("\r\n", "\n") == MESSAGE.text


async def test_starttls_and_a_login_are_used_before_anything_is_said(
    tmp_path: Path, papers: tuple[Papers, Path], password: Path
) -> None:
    async with postbox(starttls=papers[0].server(tmp_path), login=True) as box:
        route = mail(box.port, security="starttls", user="ups", password=password, ca=papers[1])
        assert await sent(route) == Outcome(taken=True)
    assert (box.logins, len(box.letters)) == ([("ups", "right")], 1)


async def test_tls_from_the_first_byte_on_is_a_way_too(
    tmp_path: Path, papers: tuple[Papers, Path], password: Path
) -> None:
    async with postbox(tls=papers[0].server(tmp_path)) as box:
        assert (await sent(mail(box.port, security="tls", user="ups", password=password, ca=papers[1]))).taken
    assert (box.logins, len(box.letters)) == ([("ups", "right")], 1)


async def test_a_password_is_never_said_to_a_server_that_nobody_vouches_for(tmp_path: Path, password: Path) -> None:
    async with postbox(starttls=Papers("another").server(tmp_path), login=True) as box:
        outcome = await sent(mail(box.port, security="starttls", user="ups", password=password))
    assert not outcome.taken
    assert "certificate is not believed" in outcome.trouble
    assert box.logins == []


async def test_a_server_without_starttls_gets_no_mail() -> None:
    async with postbox() as box:
        outcome = await sent(mail(box.port, security="starttls"))
    assert (outcome.taken, outcome.unclear, box.letters) == (False, False, [])
    assert "STARTTLS" in outcome.trouble


async def test_dates_of_a_certificate_count_only_by_a_clock_that_is_right(
    tmp_path: Path, papers: tuple[Papers, Path]
) -> None:
    context = papers[0].server(tmp_path, begins=NOW - 90 * DAY, ends=NOW - DAY)
    async with postbox(tls=context) as box:
        route = mail(box.port, security="tls", ca=papers[1])
        assert not (await sent(route)).taken
        assert (await sent(route, clock_is_right=False)).taken


async def test_a_wrong_password_is_told_in_the_servers_words_and_not_in_its_own(
    tmp_path: Path, papers: tuple[Papers, Path], password: Path
) -> None:
    await asyncio.to_thread(password.write_text, "topsecret")
    async with postbox(tls=papers[0].server(tmp_path)) as box:
        outcome = await sent(mail(box.port, security="tls", user="ups", password=password, ca=papers[1]))
    assert outcome.trouble.startswith("mail by 127.0.0.1: it answers 535")
    assert "topsecret" not in outcome.trouble


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param("451 greylisted, come again", "it answers 451 greylisted", id="a server that says later"),
        pytest.param("552 too much", "it answers 552 too much", id="a server that says never"),
    ],
)
async def test_a_mail_that_is_refused_is_not_sent_and_certainly_not(answer: str, words: str) -> None:
    async with postbox() as box:
        box.answer = lambda: answer
        outcome = await sent(mail(box.port))
    assert (outcome.taken, outcome.unclear) == (False, False)
    assert words in outcome.trouble


async def test_one_recipient_that_is_refused_keeps_no_other_from_the_mail() -> None:
    async with postbox() as box:
        box.refused = {"gone@example.net"}
        outcome = await sent(mail(box.port, to=("gone@example.net", "owner@example.net")))
        nobody = await sent(mail(box.port, to=("gone@example.net",)))
    assert (outcome.taken, box.to) == (True, [["owner@example.net"]])
    assert "refuses gone@example.net" in outcome.trouble
    assert not nobody.taken


async def test_nobody_there_is_told_as_that() -> None:
    async with postbox() as box:
        port = box.port
    outcome = await sent(mail(port))
    assert outcome == Outcome(taken=False, trouble="mail by 127.0.0.1: Connection refused")


async def test_s6_a_hostile_text_makes_no_header_of_its_own() -> None:
    async with postbox() as box:
        hostile = msgspec.structs.replace(MESSAGE, subject=HOSTILE, text=HOSTILE)
        outcome = await sent(mail(box.port), message=hostile)
    assert not outcome.taken or (box.letters[0]["Bcc"], box.to) == (None, [["owner@example.net"]])


async def test_ntfy_gets_title_priority_and_text(tmp_path: Path, papers: tuple[Papers, Path], password: Path) -> None:
    async with topic(papers[0].server(tmp_path)) as heard:
        route = NtfyRoute(url=f"https://127.0.0.1:{heard.port}/x/rack-alarms", token=password, ca=papers[1])
        assert await sent(route) == Outcome(taken=True)
    ((head, body),) = heard.requests
    assert head.startswith("POST /x/rack-alarms HTTP/1.1\r\n")
    assert {"Title: [pi] rack-1: low battery", "Priority: 5", "Authorization: Bearer right"} <= set(head.splitlines())
    assert body == MESSAGE.text


async def test_a_text_longer_than_ntfy_shows_is_cut_between_two_characters() -> None:
    async with topic() as heard:
        long = msgspec.structs.replace(MESSAGE, text="°" * 3000 + "x")
        assert (await sent(NtfyRoute(url=f"http://127.0.0.1:{heard.port}/a"), message=long)).taken
    assert heard.requests[0][1] == "°" * (send.NTFY_BYTES // 2)


@pytest.mark.parametrize(
    ("status", "words", "unclear"),
    [
        pytest.param(403, "HTTP status 403", False, id="a topic that others own"),
        pytest.param(302, "HTTP status 302", False, id="a redirect, which is not followed"),
        pytest.param(0, "without response", True, id="a server that hangs up and may have taken it"),
    ],
)
async def test_what_ntfy_does_not_take_is_told(status: int, words: str, unclear: bool) -> None:
    async with topic() as heard:
        heard.status = status
        outcome = await sent(NtfyRoute(url=f"http://127.0.0.1:{heard.port}/a"))
    assert (outcome.taken, outcome.unclear) == (False, unclear)
    assert words in outcome.trouble


async def test_one_route_that_fails_does_not_stop_the_other() -> None:
    async with topic() as heard, postbox() as box:
        heard.status = 500
        outcome = await sent(mail(box.port), NtfyRoute(url=f"http://127.0.0.1:{heard.port}/a"))
    assert (outcome.taken, len(box.letters)) == (True, 1)
    assert "HTTP status 500" in outcome.trouble


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        pytest.param(b"right", 0o640, "mode 0640", id="a file that others may read"),
        pytest.param(b"", 0o600, "expected one line of text", id="an empty file"),
        pytest.param(b"a\nb", 0o600, "expected one line of text", id="two lines"),
        pytest.param(b"\xff\xfe", 0o600, "expected one line of text", id="bytes that are no text"),
        pytest.param(b"x" * (SECRET_BYTES + 1), 0o600, "4096 bytes at most", id="more than a secret has"),
    ],
)
def test_a_secret_is_one_line_in_a_file_of_its_owner_alone(
    tmp_path: Path, content: bytes, mode: int, words: str
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(NotSent, match=words):
        read_secret(path)


def test_a_secret_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="nowhere"):
        read_secret(tmp_path / "nowhere")


async def test_the_process_that_sends_takes_its_errand_as_json(password: Path) -> None:
    async with topic() as heard:
        ntfy = NtfyRoute(url=f"http://127.0.0.1:{heard.port}/a")
        route = mail(1, security="tls", password=password, user="x")
        outcome = await performed(Errand(message=MESSAGE, ntfy=ntfy, mail=route))
    assert (outcome.taken, heard.requests[0][1]) == (True, MESSAGE.text)
    assert outcome.trouble == "mail by 127.0.0.1: Connection refused"


def test_the_process_is_not_needed_to_know_that_tls_is_modern(tmp_path: Path) -> None:
    context = send._context(None, clock_is_right=True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    with pytest.raises(NotSent, match="nowhere"):
        send._context(tmp_path / "nowhere.pem", clock_is_right=True)


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that says a byte now and then for ever, each well within any patience."""
    try:
        while not reader.at_eof():
            writer.write(b"220-still here\r\n")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await reader.read(1024)
    except (ConnectionError, asyncio.CancelledError):
        pass
    finally:
        writer.transport.abort()


async def test_a_mail_server_that_never_ends_its_answer_keeps_no_word_from_ntfy() -> None:
    server = await asyncio.start_server(dripping, "127.0.0.1", 0)
    errand = Errand(message=MESSAGE, mail=mail(server.sockets[0].getsockname()[1]))
    async with server, topic() as heard:
        errand = msgspec.structs.replace(errand, ntfy=NtfyRoute(url=f"http://127.0.0.1:{heard.port}/a"))
        outcome = await asyncio.to_thread(send.send, errand, 2.0)
        assert (outcome.taken, heard.requests[0][1]) == (True, MESSAGE.text)
        assert outcome.trouble == "mail by 127.0.0.1: no end within 2 s"
        assert outcome.unclear


async def test_a_secret_that_a_server_repeats_is_in_no_log(
    tmp_path: Path, papers: tuple[Papers, Path], password: Path
) -> None:
    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 22\r\n\r\nnot with Bearer right!")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(repeat, "127.0.0.1", 0, ssl=papers[0].server(tmp_path))
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/a"
        outcome = await sent(NtfyRoute(url=url, token=password, ca=papers[1]))
    assert "HTTP status 403: not with Bearer …!" in outcome.trouble
