"""A notice as a mail: text and HTML beside each other, with the last hour as a picture inside it.

RFC 5322 (header), 2046 (parts), 2392 (cid), 3834 (Auto-Submitted), 8058 (one-click unsubscribe).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from cloud_bridge.alerts.notice import Links, Notice
from cloud_bridge.alerts.wording import is_over, line, text, title, words
from cloud_bridge.notify.chart import draw
from drivers.ups import Severity

REFERENCES = 10
"""Most alerts that a mail refers to; a thread is one alert's."""
NAME_LENGTH = 64
CHART = "last-hour"
_SAFE_URL = re.compile(r"https?://[!-;=?-~]+\Z")
"""Printable ASCII without blank, `<` and `>`."""
_COLOURS = {Severity.CRITICAL: "#b3261e", Severity.WARNING: "#b26a00", Severity.INFORMATIONAL: "#2e7d32"}


def letter(notice: Notice, sender: Address, recipient: str, now: datetime) -> bytes:
    """Whole, ready for SMTP, in 7-bit text. Its Message-ID is the same at every try."""
    message = EmailMessage(SMTP.clone(cte_type="7bit"))
    domain = sender.domain
    message["Subject"] = title(notice)
    message["From"] = sender
    message["To"] = Address(line(notice.to, NAME_LENGTH), addr_spec=recipient)
    message["Date"] = now.astimezone(UTC)
    message["Message-ID"] = f"<{_token(notice.id)}@{domain}>"
    alerts = dict.fromkeys(item.alert for item in notice.items if item.alert)
    threads = [f"<alert.{_token(alert)}@{domain}>" for alert in alerts]
    if threads:
        message["In-Reply-To"] = threads[0]
        message["References"] = " ".join(threads[:REFERENCES])
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if notice.severity is Severity.CRITICAL:
        message["Importance"] = "high"
    links = _safe(notice.links)
    if links.unsubscribe.startswith("https://"):
        message["List-Unsubscribe"] = f"<{links.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    _fill(message, notice, links, f"{CHART}.{_token(notice.id)}@{domain}")
    return message.as_bytes()


def _fill(message: EmailMessage, notice: Notice, links: Links, cid: str) -> None:
    picture = draw(notice)
    said = words(notice)
    message.set_content(text(notice), cte="quoted-printable")
    page = _page().render(
        words=said,
        links=links,
        chart=cid if picture else "",
        colour=_COLOURS[Severity.INFORMATIONAL if is_over(notice) else notice.severity],
        shown=", ".join(line(series.label) for series in notice.series if series.points),
    )
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    if picture:
        html = message.get_payload(1)
        assert isinstance(html, EmailMessage)
        html.add_related(
            picture, "image", "png", cid=f"<{cid}>", disposition="inline", filename=f"{CHART}.png", cte="base64"
        )


@cache
def _page() -> Template:
    folder = PackageLoader("cloud_bridge.notify", "templates")
    return Environment(
        loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("mail.html")


def _token(text: str) -> str:
    """What may stand in a Message-ID, of an id that is hexadecimal digits anyway."""
    return re.sub(r"[^0-9A-Za-z]", "", text)[:NAME_LENGTH] or "0"


def _safe(links: Links) -> Links:
    """Without what is not plainly a URL; all are made by this cloud."""
    keep = [url if _SAFE_URL.match(url) else "" for url in (links.unsubscribe, links.turn_on)]
    return Links(unsubscribe=keep[0], turn_on=keep[1])
