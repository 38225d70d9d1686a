"""Mail, to a real mail server."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import About, Links, Notice
from cloud_bridge.alerts.wording import TITLE_LENGTH
from cloud_bridge.notify.errors import BadTarget, NotSent
from cloud_bridge.notify.letter import letter
from cloud_bridge.notify.mail import Mail
from cloud_bridge.notify.smtp import Post
from cloud_bridge.settings import Smtp
from tests.cloud_bridge.notify.notices import HOSTILE, NOW, hour, item, notice
from tests.cloud_bridge.notify.peers import LOGIN, PASSWORD, Mailbox, certificates, mail_server, parsed

log = logging.getLogger(__name__)

TO = "erika@example.net"
SENDER = Address("Ridethrough", addr_spec="ups@example.net")
AT = datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)


@asynccontextmanager
async def mail(box: Mailbox, **settings: object) -> AsyncIterator[Mail]:
    """The channel, by `box` on this machine."""
    facts: dict[str, object] = {"security": "none", "sender": "Ridethrough <ups@example.net>"}
    post = Post(Smtp(host="127.0.0.1", port=box.port, **(facts | settings)))  # type: ignore[arg-type]  # by the test
    try:
        yield Mail(TO, post, lambda: AT)
    finally:
        await post.close()


def made(said: Notice) -> EmailMessage:
    return parsed(letter(said, SENDER, TO, AT))


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text = part.get_content()
    assert isinstance(text, str)
    return text


def password_file(folder: Path, text: str = PASSWORD, mode: int = 0o600) -> Path:
    path = folder / "smtp.password"
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


# what it says


def test_a_mail_says_what_happened_what_it_means_and_what_to_do_in_text_and_in_html() -> None:
    one = item()
    message = made(notice(one))
    for kind in ("plain", "html"):
        said = body(message, kind)
        assert one.happened in said
        assert one.meaning in said
        assert one.do_this in said
        assert "25 min 30 s" in said
        assert "87.5 %" in said
        assert "2026-11-24 13:00:00 CET" in said, "times are the owner's"
        assert "https://ups.example.net/u/abc.def" in said


def test_the_subject_says_severity_where_and_what() -> None:
    message = made(notice(item(), item("low_battery", number=2)))
    assert message["Subject"] == "[critical] rack-1: on battery, low battery"


def test_the_header_tells_machines_that_no_human_wrote_it_and_how_to_unsubscribe() -> None:
    message = made(notice(item("low_battery")))
    assert message["From"] == "Ridethrough <ups@example.net>"
    assert message["To"] == "Erika Muster <erika@example.net>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] == "<https://ups.example.net/u/abc.def>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Importance"] == "high"
    assert parsedate_to_datetime(message["Date"]) == AT


def test_without_https_there_is_no_one_click_header_which_rfc_8058_asks_of_it() -> None:
    message = made(notice(item(), links=Links(unsubscribe="http://127.0.0.1:8480/u/abc")))
    assert message["List-Unsubscribe"] is None
    assert message["List-Unsubscribe-Post"] is None
    assert "http://127.0.0.1:8480/u/abc" in body(message, "html")


@pytest.mark.parametrize(
    ("what", "colour"),
    [(What.FIRED, "#b26a00"), (What.RESOLVED, "#2e7d32")],
    ids=["a warning is amber", "an end is green, whatever it ends"],
)
def test_the_colour_says_whether_anything_is_still_wrong(what: What, colour: str) -> None:
    assert f"border-top:5px solid {colour}" in body(made(notice(item(what=what))), "html")


def test_without_any_link_a_mail_offers_none() -> None:
    message = made(notice(item(), links=Links()))
    assert message["List-Unsubscribe"] is None
    assert "nsubscribe" not in body(message, "plain") + body(message, "html")


def test_a_second_try_has_the_same_message_id_and_all_mails_of_an_alert_are_one_thread() -> None:
    first, again = made(notice(item())), made(notice(item()))
    later = made(notice(item(what=What.RESOLVED, number=4), id="f" * 32))
    assert first["Message-ID"] == again["Message-ID"] != later["Message-ID"]
    assert first["References"] == later["References"] == f"<alert.{'a' * 32}@example.net>"
    assert made(notice(item(alert="b" * 32)))["References"] != first["References"]


def test_a_mail_lists_the_devices_of_an_incident() -> None:
    message = made(notice(item(lists=("rack-1", "rack-2", "rack-3"))))
    assert "rack-3" in body(message, "plain")
    assert "<li>rack-3</li>" in body(message, "html")


@pytest.mark.parametrize("about", list(About), ids=str)
def test_whatever_a_notice_is_about_the_mail_has_a_subject_and_both_bodies(about: About) -> None:
    message = made(notice(item(), about=about, until=NOW + 7 * 86_400_000, left_out=3))
    assert message["Subject"]
    assert message["Subject"] in body(message, "plain")
    assert message["Subject"] in body(message, "html")


def test_the_mail_of_a_mute_has_the_link_that_ends_it() -> None:
    links = Links(turn_on="https://ups.example.net/on/xyz")
    message = made(notice(item(), about=About.MUTED, until=NOW + 7 * 86_400_000, links=links))
    assert "https://ups.example.net/on/xyz" in body(message, "plain")
    assert 'href="https://ups.example.net/on/xyz"' in body(message, "html")
    assert "2026-12-01 13:00:00 CET" in body(message, "plain")


@pytest.mark.parametrize(
    ("mutes_critical", "told", "untold"),
    [
        pytest.param(False, "Critical ones still come.", "held back", id="criticals break through"),
        pytest.param(True, "Critical ones are held back too.", "still come", id="criticals are muted too"),
    ],
)
def test_s22_the_mail_of_a_mute_says_whether_criticals_still_come(mutes_critical: bool, told: str, untold: str) -> None:
    message = made(notice(item(), about=About.MUTED, mutes_critical=mutes_critical))
    for kind in ("plain", "html"):
        said = " ".join(body(message, kind).split())
        assert told in said
        assert untold not in said


# the picture


def test_the_last_hour_is_a_picture_inside_the_mail_of_at_most_40_kb() -> None:
    series = (hour(), hour("load (real power)", "%", 40), hour("runtime remaining", "s", 1800))
    message = made(notice(item(), series=series))
    (picture,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"].strip("<>") in re.findall(r'src="cid:([^"]+)"', body(message, "html"))
    assert picture.get_content_disposition() == "inline"
    content = picture.get_content()
    assert isinstance(content, bytes)
    assert len(content) <= 40 * 1024
    with Image.open(io.BytesIO(content)) as image:
        assert image.size == (1280, 680)
    assert "The hour before: battery charge, load (real power), runtime remaining" in body(message, "html")


def test_without_readings_a_mail_has_no_picture() -> None:
    message = made(notice(item()))
    assert not [part for part in message.walk() if part.get_content_maintype() == "image"]
    assert "<img" not in body(message, "html")


# S6


def test_s6_a_hostile_name_adds_no_header_no_line_and_no_markup() -> None:
    one = item(label=HOSTILE, place=HOSTILE, happened=HOSTILE, details={HOSTILE: HOSTILE}, lists=(HOSTILE,))
    message = made(notice(one, title=HOSTILE, to=HOSTILE, policy=HOSTILE, series=(hour(HOSTILE, HOSTILE[:9]),)))
    assert message["Bcc"] is None
    assert len(message.get_all("To", [])) == len(message.get_all("Subject", [])) == 1
    assert [address.addr_spec for address in message["To"].addresses] == [TO]
    assert not re.search(r"[\x00-\x1f\x7f]", message["Subject"])
    html = body(message, "html")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html + body(message, "plain")
    assert not [row for row in body(message, "plain").splitlines() if row.startswith("Bcc:")]


def test_s6_a_link_that_is_none_becomes_neither_header_nor_anchor() -> None:
    for bad in (
        "https://x.example/\r\nBcc: eve@example.org",
        "javascript:alert(1)",
        'https://x/"><script>',
        "https://x/ y",
    ):
        message = made(notice(item(), about=About.MUTED, links=Links(unsubscribe=bad, turn_on=bad)))
        assert message["Bcc"] is None
        assert message["List-Unsubscribe"] is None
        assert "<script" not in body(message, "html")
        assert "javascript" not in body(message, "html")


@given(st.text(max_size=300), st.text(max_size=300))
def test_s6_no_text_at_all_breaks_out_of_its_place(title: str, name: str) -> None:
    raw = letter(
        notice(item(label=name, place=name, happened=title), title=title, to=name, policy=name), SENDER, TO, AT
    )
    message = parsed(raw)
    assert set(message.keys()) <= {
        "Subject", "From", "To", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "MIME-Version",
        "X-Auto-Response-Suppress", "List-Unsubscribe", "List-Unsubscribe-Post", "Content-Type",
    }  # fmt: skip
    assert [address.addr_spec for address in message["To"].addresses] == [TO]
    assert not re.search(r"[\r\n]", message["Subject"])
    assert len(message["Subject"]) <= TITLE_LENGTH + 20
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()


# the way to the server


async def test_a_mail_goes_by_starttls_with_a_login_from_a_file(tmp_path: Path) -> None:
    tls = certificates(tmp_path, "127.0.0.1", "mail.test")
    async with mail_server(starttls=tls.server, login=True) as box:
        settings = {"security": "starttls", "ca": tls.ca, "user": LOGIN, "password": password_file(tmp_path)}
        async with mail(box, **settings) as channel:
            await channel.send(notice(item()))
        assert box.logins == [(LOGIN.encode(), PASSWORD.encode())]
        assert box.envelopes == [("ups@example.net", [TO])]
        assert box.secure == [True]
        assert box.messages[0]["Subject"] == "[warning] rack-1: on battery"


async def test_a_mail_goes_by_tls_from_the_first_byte(tmp_path: Path) -> None:
    tls = certificates(tmp_path, "127.0.0.1")
    async with mail_server(tls=tls.server) as box:
        async with mail(box, security="tls", ca=tls.ca) as channel:
            await channel.send(notice(item()))
        assert len(box.letters) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_whose_certificate_nobody_vouches_for_gets_no_mail(tmp_path: Path, security: str) -> None:
    tls = certificates(tmp_path, "127.0.0.1")
    starttls = security == "starttls"
    server = mail_server(tls.server if starttls else None, None if starttls else tls.server)
    async with server as box, mail(box, security=security) as channel:
        with pytest.raises(NotSent, match="certificate") as caught:
            await channel.send(notice(item()))
        assert caught.value.again
        assert box.letters == []


async def test_a_server_with_another_s_name_in_its_certificate_gets_no_mail(tmp_path: Path) -> None:
    tls = certificates(tmp_path, "mail.example.org")
    async with mail_server(starttls=tls.server) as box, mail(box, security="starttls", ca=tls.ca) as channel:
        with pytest.raises(NotSent, match="certificate"):
            await channel.send(notice(item()))
        assert box.letters == []


async def test_a_server_without_starttls_gets_neither_mail_nor_password(tmp_path: Path) -> None:
    async with mail_server() as box:
        settings = {"security": "starttls", "user": LOGIN, "password": password_file(tmp_path)}
        async with mail(box, **settings) as channel:
            with pytest.raises(NotSent, match="STARTTLS") as caught:
                await channel.send(notice(item()))
        assert caught.value.again
        assert not box.logins
        assert not box.letters


async def test_a_password_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    tls = certificates(tmp_path, "127.0.0.1")
    password = password_file(tmp_path, mode=0o644)
    async with mail_server(starttls=tls.server, login=True) as box:
        async with mail(box, security="starttls", ca=tls.ca, user=LOGIN, password=password) as channel:
            with pytest.raises(NotSent, match="chmod 600") as caught:
                await channel.send(notice(item()))
        assert caught.value.again
        assert box.logins == []


async def test_an_authority_s_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with mail_server() as box, mail(box, security="starttls", ca=tmp_path / "gone.pem") as channel:
        with pytest.raises(NotSent, match=r"gone\.pem: No such file") as caught:
            await channel.send(notice(item()))
    assert caught.value.again


async def test_a_wrong_password_is_tried_again_since_the_operator_can_put_it_right(tmp_path: Path) -> None:
    tls = certificates(tmp_path, "127.0.0.1")
    password = password_file(tmp_path, "wrong")
    async with mail_server(starttls=tls.server, login=True) as box:
        async with mail(box, security="starttls", ca=tls.ca, user=LOGIN, password=password) as channel:
            with pytest.raises(NotSent, match="535") as caught:
                await channel.send(notice(item()))
        assert caught.value.again
        assert "wrong" not in str(caught.value)


ANSWERS = [
    pytest.param("mail", "451 try later", True, id="the sender is refused for now: again"),
    pytest.param("mail", "550 no such sender here", True, id="the sender is refused: again, the operator can mend it"),
    pytest.param("rcpt", "450 mailbox busy", True, id="the mailbox is busy: again"),
    pytest.param("rcpt", "451 greylisted", True, id="greylisting: again"),
    pytest.param("rcpt", "452 mailbox full", True, id="the mailbox is full: again"),
    pytest.param("rcpt", "550 no such user", False, id="there is no such mailbox: not again"),
    pytest.param("rcpt", "553 not allowed", False, id="the mailbox is not allowed: not again"),
    pytest.param("data", "421 closing", True, id="the server closes after the letter: again"),
    pytest.param("data", "452 out of space", True, id="the server has no room: again"),
    pytest.param("data", "554 looks like spam", False, id="the letter is refused: not again"),
]


@pytest.mark.parametrize(("step", "answer", "again"), ANSWERS)
async def test_what_the_server_says_decides_whether_it_is_tried_again(step: str, answer: str, again: bool) -> None:
    async with mail_server() as box, mail(box) as channel:
        getattr(box, step).append(answer)
        with pytest.raises(NotSent, match=answer[:3]) as caught:
            await channel.send(notice(item()))
        assert caught.value.again is again
        assert answer[4:] in caught.value.reason
        await channel.send(notice(item()))
        assert len(box.letters) == 1, "the next one is not touched by it"


async def test_a_server_that_is_away_is_tried_again() -> None:
    async with mail_server() as box:
        pass
    async with mail(box) as channel:
        with pytest.raises(NotSent) as caught:
            await channel.send(notice(item()))
        assert caught.value.again


async def test_a_burst_goes_by_few_connections_and_each_mail_takes_milliseconds() -> None:
    async with mail_server() as box, mail(box) as channel:
        await channel.send(notice(item()))
        began = time.perf_counter()
        for _ in range(20):
            await channel.send(notice(item()))
        each_s = (time.perf_counter() - began) / 20
        await asyncio.gather(*(channel.send(notice(item())) for _ in range(20)))
        assert len(box.letters) == 41
        assert len(box.connections) <= 4
        log.info("a mail takes %.1f ms", each_s * 1000)
        assert each_s < 0.5


async def test_a_connection_that_the_server_has_closed_meanwhile_is_replaced_without_a_failure() -> None:
    async with mail_server() as box, mail(box) as channel:
        await channel.send(notice(item()))
        box.connections[0].close()
        await channel.send(notice(item()))
        box.mail.append("421 idle for too long")
        await channel.send(notice(item()))
        assert len(box.letters) == 3


async def test_an_idle_connection_is_closed() -> None:
    async with mail_server() as box:
        post = Post(Smtp(host="127.0.0.1", port=box.port, security="none", sender="ups@example.net"), idle_s=0.0)
        await Mail(TO, post).send(notice(item()))
        await box.closed.wait()
        await post.close()


async def test_a_cancelled_mail_leaves_no_connection_behind() -> None:
    async with mail_server() as box, mail(box) as channel:
        box.hold = asyncio.Event()
        sending = asyncio.create_task(channel.send(notice(item())))
        await box.asked.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await box.closed.wait()
        box.hold.set()
        await channel.send(notice(item()))


BAD_SETTINGS = [
    pytest.param({"security": "none"}, "security", id="no TLS to another machine"),
    pytest.param({"user": "x"}, "password", id="a user without a password"),
    pytest.param({"password": Path("x")}, "password", id="a password without a user"),
    pytest.param({"sender": "no address"}, "sender", id="a sender that is no address"),
    pytest.param({"sender": "a@x.example\r\nBcc: b@x.example"}, "sender", id="a sender with a line end"),
]


@pytest.mark.parametrize(("changes", "place"), BAD_SETTINGS)
def test_settings_that_no_mail_can_be_sent_by_are_refused_with_the_place(
    changes: dict[str, object], place: str
) -> None:
    facts: dict[str, object] = {"host": "mail.example.net", "sender": "ups@example.net"}
    with pytest.raises(BadTarget) as caught:
        Post(Smtp(**(facts | changes)))  # type: ignore[arg-type]  # by the test
    assert caught.value.place == f"smtp.{place}"
