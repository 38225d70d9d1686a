"""What `cloud check` finds wrong with the ways of notices and their links. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cloud_bridge.addresses import exposure, is_loopback, parse_address
from cloud_bridge.audit import Problem
from cloud_bridge.host_header import host_of_url
from cloud_bridge.settings import CloudSettings


def notice_problems(where: str, settings: CloudSettings) -> Iterator[Problem]:
    """`where`: the settings file."""
    if settings.listen_links and not settings.public_url:
        yield Problem(where, "listen_links: without public_url there are no links to serve")
    if settings.public_url and not settings.listen_links:
        yield Problem(where, "public_url: nothing serves its links here: set listen_links", serious=False)
    if settings.public_url.startswith("http://") and not is_loopback(host_of_url(settings.public_url)):
        what = (
            "public_url: http: anybody on the way can read the links in mails, and one-click unsubscribing needs https"
        )
        yield Problem(where, what, serious=False)
    for name, listen in (("listen_links", settings.listen_links), ("listen_api", settings.listen_api)):
        if listen and (told := exposure(parse_address(listen))):
            yield Problem(where, f"{name}: {told}", serious=False)
    smtp = settings.smtp
    if smtp and smtp.security == "none" and not is_loopback(smtp.host):
        yield Problem(where, f"smtp.security: none is for a server on this machine, not for {smtp.host}: use starttls")
