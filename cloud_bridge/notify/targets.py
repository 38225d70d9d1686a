"""What a channel's target may look like, judged when it is saved: without a network, by its text alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

from cloud_bridge.notify.errors import BadTarget
from cloud_bridge.notify.guard import check_host
from cloud_bridge.notify.services import FORBIDDEN_PARAMETERS, SERVICES, Service

TARGET_LENGTH = 2000
SECRET_LENGTH = 16, 200
"""Of a webhook's secret: fewest and most characters."""
SECRET = "secret="
_ADDRESS = re.compile(
    r"(?=.{3,254}\Z)(?=[^@]{1,64}@)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z"
)
"""What every mail server takes: an unquoted local part, a host name in ASCII (RFC 5321, 4.1.2)."""


class WebhookTarget(NamedTuple):
    """`secret`: what its requests are signed with; empty: they are not."""

    url: SplitResult
    secret: str


def check_target(kind: str, target: str, allow_private: bool) -> None:
    """Raises BadTarget, which says which part is wrong and what would be right."""
    if len(target) > TARGET_LENGTH:
        raise BadTarget("target", f"longer than {TARGET_LENGTH} characters")
    if not target.isprintable() or target != target.strip():
        raise BadTarget("target", "has line ends, control characters or blanks at an end")
    if kind == "mail":
        check_address(target)
    elif kind == "webhook":
        check_host(str(webhook_target(target).url.hostname), allow_private)
    elif kind == "apprise":
        _check_apprise(target, allow_private)
    else:
        raise BadTarget("kind", f"{kind!r} is none of mail, webhook, apprise")


def check_address(address: str) -> None:
    """Raises BadTarget."""
    if not _ADDRESS.match(address) or ".." in address or address.startswith(".") or ".@" in address:
        raise BadTarget("address", f"{address[:80]!r} is no mail address: expected one as in name@example.net")


def webhook_target(target: str) -> WebhookTarget:
    """`URL` or `URL secret=TEXT`. Raises BadTarget."""
    address, _, rest = target.partition(" ")
    if rest and not rest.startswith(SECRET):
        raise BadTarget("target", f"after the URL comes nothing, or a blank and {SECRET} with its text")
    secret = rest.removeprefix(SECRET)
    fewest, most = SECRET_LENGTH
    if rest and (not fewest <= len(secret) <= most or " " in secret or not secret.isascii()):
        raise BadTarget("secret", f"expected {fewest} to {most} ASCII characters without a blank")
    url = _split(address)
    _check_port(url)
    if url.scheme not in ("http", "https"):
        raise BadTarget("scheme", f"{url.scheme[:20]!r}: a webhook's URL begins with https:// or http://")
    if url.username is not None or url.password is not None:
        raise BadTarget("URL", "no user and password in a webhook's URL; its requests are signed with secret=")
    if not url.hostname:
        raise BadTarget("host", "missing: expected https://HOST/…")
    if url.fragment:
        raise BadTarget("URL", f"#{url.fragment[:20]} never reaches a server: leave it out")
    return WebhookTarget(url, secret)


def _check_apprise(target: str, allow_private: bool) -> None:
    if any(character in " ,;\\" for character in target):
        raise BadTarget("target", "one URL without blanks, commas, semicolons and backslashes; a channel for each")
    url = _split(target)
    service = SERVICES.get(url.scheme)
    if service is None:
        raise BadTarget("scheme", _unknown(url.scheme, SERVICES))
    for name, _ in parse_qsl(url.query, keep_blank_values=True):
        if name.lstrip("+-:").lower() in FORBIDDEN_PARAMETERS:
            raise BadTarget(f"parameter {name[:40]}", "not allowed here: it would read files, or lift a limit")
    if service is Service.ANYWHERE and url.hostname:  # else the first part is a token
        _check_port(url)
        check_host(url.hostname, allow_private)


def _split(text: str) -> SplitResult:
    """Raises BadTarget."""
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise BadTarget("URL", f"not a URL: {error}") from error
    if not url.scheme or not url.netloc:
        raise BadTarget("URL", "expected SCHEME://…, as in https://example.net/hook")
    if url.hostname and not url.hostname.isascii():
        raise BadTarget("host", f"{url.hostname[:80]!r}: write it as DNS has it, as in xn--bcher-kva.example")
    return url


def _check_port(url: SplitResult) -> None:
    """Raises BadTarget."""
    try:
        _ = url.port
    except ValueError as error:
        raise BadTarget("port", "expected a number up to 65535") from error


def _unknown(scheme: str, known: Mapping[str, Service]) -> str:
    return f"{scheme[:20]!r} is no service that notices may go to; there are: {', '.join(sorted(known))}"
