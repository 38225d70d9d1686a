"""From a mail in a real mail server to what its links do, between the roles `alerts` and `links` as processes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cloud_bridge.addresses import parse_address
from cloud_bridge.store.registry import heard, reasons
from tests.cloud_bridge.alerting import OWNER_ADDRESS, House, Mails, mails
from tests.cloud_bridge.talker import eventually
from tests.conftest import Start
from tests.process import Process

HOST = "ups.example.net"


@pytest.fixture
def post() -> Iterator[Mails]:
    with mails() as post:
        yield post


@pytest.fixture
def house(tmp_path: Path, post: Mails) -> Iterator[House]:
    made = House(tmp_path / "cloud", post.box.port)
    made.change(public_url=f"https://{HOST}", listen_links="127.0.0.1:0")
    yield made
    made.close()


class Visitor:
    """Whoever follows links; the proxy is left out."""

    def __init__(self, house: House, start: Start) -> None:
        self.role: Process = start("cloud", "run", "--dir", house.root, "--only", "links", ready=["links"])
        self._base = f"http://{parse_address(self.role.address('links'))}"

    def get(self, url: str) -> httpx.Response:
        return httpx.get(self._base + urlsplit(url).path, headers={"Host": HOST}, timeout=20)

    def post(self, url: str, form: dict[str, str]) -> httpx.Response:
        return httpx.post(self._base + urlsplit(url).path, data=form, headers={"Host": HOST}, timeout=20)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_s23_one_click_in_a_mail_ends_the_mails_and_another_mail_confirms_it(
    house: House, post: Mails, start: Start
) -> None:
    house.role(start)
    visitor = Visitor(house, start)
    house.tells("overload")
    post.wait(1)
    (mail,) = post.all
    url = str(mail["List-Unsubscribe"]).strip("<>")
    assert url.startswith(f"https://{HOST}/unsubscribe/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for _ in range(3):  # whatever scans mails on their way
        assert visitor.get(url).status_code == 200
    name, _, value = str(mail["List-Unsubscribe-Post"]).partition("=")
    assert visitor.post(url, {name: value}).status_code == 200
    post.wait(2)
    confirmation = post.all[1]
    assert OWNER_ADDRESS in str(confirmation["To"])
    assert "default" in text_of(confirmation)
    house.tells("fan_fault")
    eventually(lambda: any(alert.condition == "fan_fault" for alert in house.alerts()), "no alert")
    (alert,) = [alert for alert in house.alerts() if alert.condition == "fan_fault"]
    with house.registry() as registry:

        def why() -> list[str]:
            with registry.reading() as connection:
                return [reason.code for reason in reasons.why(connection, alert.id)]

        eventually(lambda: "unsubscribed" in why(), "no reason why nobody was told")
    assert len(post.all) == 2


def test_s23_the_link_in_the_notice_of_a_mute_turns_notifications_on_once(
    house: House, post: Mails, start: Start
) -> None:
    house.role(start)
    visitor = Visitor(house, start)
    for fault in ("fan_fault", "site_wiring_fault", "avr_relay_fault", "ui_button_fault"):
        house.tells(fault, f"{fault}_cleared")
    eventually(lambda: any("/turn-on/" in text_of(mail) for mail in post.all), "no notice that it is muted")
    (notice,) = [mail for mail in post.all if "/turn-on/" in text_of(mail)]
    found = re.search(rf"https://{HOST}/turn-on/\S+", text_of(notice))
    assert found
    assert "rack-1" in visitor.get(found[0]).text
    assert visitor.post(found[0], {"confirm": "yes"}).status_code == 200
    assert visitor.post(found[0], {"confirm": "yes"}).status_code == 404
    with house.registry() as registry, registry.reading() as connection:
        assert not heard.all_mutes(connection)
    count = len(post.all)
    house.tells("charger_fault")
    post.wait(count + 1)
