"""Targets are refused when they are saved, with the place (S24)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.notify.errors import BadTarget
from cloud_bridge.notify.services import SERVICES
from cloud_bridge.notify.targets import TARGET_LENGTH, check_target, webhook_target

SECRET = "0123456789abcdef"

GOOD = [
    pytest.param("mail", "erika@example.net", id="a mail address"),
    pytest.param("mail", "erika.m+ups@mail.example.co.uk", id="a mail address with a tag"),
    pytest.param("mail", "root@localhost", id="a mail address on this machine"),
    pytest.param("webhook", "https://example.net/hook?a=1", id="a webhook without a secret"),
    pytest.param("webhook", f"https://example.net:8443/hook secret={SECRET}", id="a webhook with a secret"),
    pytest.param("webhook", "http://93.184.216.34/", id="a webhook at a public address"),
    pytest.param("webhook", "https://[2606:4700::1111]/x", id="a webhook at a public address of IPv6"),
    pytest.param("apprise", "ntfys://ntfy.example.net/ups-alerts?priority=high", id="ntfy on a host of one's own"),
    pytest.param(
        "apprise", "tgram://123456789:abcdefg_hijklmnopqrstuv/12315544/", id="Telegram, whose token has a colon"
    ),
    pytest.param("apprise", "slack://TokenA/TokenB/TokenC/#general", id="Slack"),
    pytest.param("apprise", "pagerduty://apikey@integration", id="PagerDuty"),
    pytest.param("apprise", "workflows://prod.logic.azure.com:443/643e69f83c8944/signature/", id="Teams"),
]
BAD = [
    pytest.param("fax", "+49 1234", "kind", id="a kind that does not exist"),
    pytest.param("mail", "erika", "address", id="a mail address without a host"),
    pytest.param("mail", "a@b@c.example", "address", id="a mail address with two hosts"),
    pytest.param("mail", "Erika <erika@example.net>", "address", id="a mail address with a name"),
    pytest.param("mail", "erika@example.net, max@example.net", "address", id="two mail addresses"),
    pytest.param(
        "mail", "erika@example.net\r\nRCPT TO:<eve@example.org>", "target", id="a mail address with a line end"
    ),
    pytest.param("mail", " erika@example.net", "target", id="a blank before it"),
    pytest.param("mail", "erika@exam_ple.net", "address", id="a host name with an underscore"),
    pytest.param("mail", ".erika@example.net", "address", id="a mail address that begins with a full stop"),
    pytest.param("webhook", "example.net/hook", "URL", id="a URL without a scheme"),
    pytest.param("webhook", "ftp://example.net/hook", "scheme", id="a scheme that is no web's"),
    pytest.param("webhook", "file:///etc/passwd", "URL", id="a file"),
    pytest.param("webhook", "https:///hook", "URL", id="a URL without a host"),
    pytest.param("webhook", "https://:443/hook", "host", id="a URL with a port alone"),
    pytest.param("webhook", "https://example.net:99999/", "port", id="a port that does not exist"),
    pytest.param("webhook", "https://user:pw@example.net/", "URL", id="a user and a password"),
    pytest.param("webhook", "https://example.net/#x", "URL", id="a fragment"),
    pytest.param("webhook", "https://bücher.example/", "host", id="a host name beyond ASCII"),
    pytest.param("webhook", "https://example.net/ token=x", "target", id="something else after the URL"),
    pytest.param("webhook", "https://example.net/ secret=short", "secret", id="a secret that can be guessed"),
    pytest.param("webhook", f"https://example.net/ secret={SECRET} x", "secret", id="a secret with a blank"),
    pytest.param("webhook", "https://127.0.0.1/", "host", id="loopback"),
    pytest.param("webhook", "https://[::ffff:10.0.0.1]/", "host", id="a private address, mapped"),
    pytest.param("webhook", "http://169.254.169.254/latest/meta-data", "host", id="the metadata service"),
    pytest.param("webhook", "https://2130706433/", "host", id="loopback as one number"),
    pytest.param("webhook", "https://localhost/", "host", id="this machine by its name"),
    pytest.param("apprise", "ntfy://192.168.1.5/topic", "host", id="a private host of a service"),
    pytest.param("apprise", "ntfys://a.example/b ntfy://c.example/d", "target", id="two URLs"),
    pytest.param("apprise", "ntfys://a.example/b,json://c.example", "target", id="two URLs with a comma"),
    pytest.param("apprise", "ntfys://a.example/b?attach=file:///etc/passwd", "parameter attach", id="an attachment"),
    pytest.param("apprise", "slack://A/B/C?template=/etc/passwd", "parameter template", id="a template in a file"),
    pytest.param("apprise", "slack://A/B/C?TEMPLATE=x", "parameter TEMPLATE", id="a template in capitals"),
    pytest.param("apprise", "ntfys://a.example/b?redirect=yes", "parameter redirect", id="redirects"),
    pytest.param("apprise", "ntfys://a.example/b?rto=600", "parameter rto", id="another time limit"),
    pytest.param("apprise", "ntfys://a.example/b?retry=9", "parameter retry", id="tries of its own"),
    pytest.param("apprise", "https://discord.com/api/webhooks/1/2", "scheme", id="a service's web address"),
]
LOCAL_SCHEMES = """
    syslog rsyslog dbus glib gnome macosx windows json jsons xml xmls form forms apprise apprises mqtt mqtts amqp amqps
    file config mailto mailtos growl xmpp irc kodi blink1 fcm vapid smpp aprs memory http https ftp enigma2 emby
"""


@pytest.mark.parametrize(("kind", "target"), GOOD)
def test_good_targets_are_taken(kind: str, target: str) -> None:
    check_target(kind, target, allow_private=False)


@pytest.mark.parametrize(("kind", "target", "place"), BAD)
def test_s24_bad_targets_are_refused_with_the_place(kind: str, target: str, place: str) -> None:
    with pytest.raises(BadTarget) as caught:
        check_target(kind, target, allow_private=False)
    assert caught.value.place == place
    assert caught.value.what


@pytest.mark.parametrize("scheme", LOCAL_SCHEMES.split())
def test_s24_schemes_that_act_here_or_speak_to_anything_are_off_even_for_private_targets(scheme: str) -> None:
    assert scheme not in SERVICES
    for spelling in (scheme, scheme.upper()):
        with pytest.raises(BadTarget) as caught:
            check_target("apprise", f"{spelling}://example.net/x", allow_private=True)
        assert caught.value.place == "scheme"


def test_the_operator_can_allow_private_targets() -> None:
    for kind, target in (("webhook", "http://127.0.0.1:8080/"), ("apprise", "ntfy://192.168.1.5/topic")):
        check_target(kind, target, allow_private=True)


def test_a_target_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadTarget, match=str(TARGET_LENGTH)):
        check_target("webhook", "https://example.net/" + "x" * TARGET_LENGTH, allow_private=False)


def test_a_webhook_s_target_is_its_url_and_its_secret() -> None:
    url, secret = webhook_target(f"https://example.net/hook secret={SECRET}")
    assert (url.geturl(), secret) == ("https://example.net/hook", SECRET)
    assert webhook_target("https://example.net/hook").secret == ""


@given(
    st.sampled_from(["mail", "webhook", "apprise"]), st.text(max_size=80), st.sampled_from(["", "https://", "ntfy://"])
)
def test_any_text_is_taken_or_refused_with_a_place_and_nothing_else_happens(kind: str, text: str, prefix: str) -> None:
    try:
        check_target(kind, prefix + text, allow_private=False)
    except BadTarget as error:
        assert error.place
