"""Webhook: the notice as JSON, signed with a secret that only both ends have. docs/channels.md documents it."""

from __future__ import annotations

import hashlib
import hmac
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

import msgspec

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import About, Item, Links, Notice
from cloud_bridge.alerts.wording import brief, line, title
from cloud_bridge.notify.errors import NotSent
from cloud_bridge.notify.http import Answer, request, retry_after_s
from cloud_bridge.notify.targets import webhook_target
from drivers.ups import Severity
from gateway.wire.messages import Scalar

SCHEMA = "ridethrough.notice/1"
ANOTHER_TRY = frozenset({408, 425, 429})
"""Besides 5xx: what a server says that may take it later (RFC 9110, 6585, 8470)."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one alert. Instants as in 2026-11-24T12:00:00.000Z."""

    alert: str
    number: int
    what: What
    stage: str
    severity: Severity
    device: str
    site: str
    at: str
    onset_at: str
    happened: str
    meaning: str
    do_this: str
    details: Mapping[str, Scalar]
    lists: tuple[str, ...]


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted. A later version of the same schema may have more members; receivers ignore those."""

    schema: str
    id: str
    about: About
    title: str
    text: str
    severity: Severity
    at: str
    to: str
    policy: str
    until: str | None
    left_out: int
    links: Links
    alerts: tuple[Step, ...]


class Webhook:
    """Posts to one URL; a connection for each notice."""

    def __init__(
        self,
        target: str,
        *,
        allow_private: bool,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url, self._secret = webhook_target(target)
        self._allow_private = allow_private
        self._tls = tls
        self._clock = clock

    async def send(self, notice: Notice) -> None:
        """Raises NotSent."""
        body = msgspec.json.encode(body_of(notice))
        stamp = str(int(self._clock()))
        headers = [
            ("Content-Type", "application/json"),
            ("User-Agent", "Ridethrough"),
            ("X-Ridethrough-Id", line(notice.id)),
            ("X-Ridethrough-Timestamp", stamp),
        ]
        if self._secret:
            headers.append(("X-Ridethrough-Signature", signature(self._secret, stamp, body)))
        answer = await request("POST", self._url, headers, body, allow_private=self._allow_private, tls=self._tls)
        _judge(answer, str(self._url.hostname), self._clock())

    async def close(self) -> None:
        """Nothing is held open."""


def signature(secret: str, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 of timestamp, full stop and body, in hexadecimal."""
    return "v1=" + hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def body_of(notice: Notice) -> Body:
    return Body(
        schema=SCHEMA,
        id=line(notice.id),
        about=notice.about,
        title=title(notice),
        text=brief(notice),
        severity=notice.severity,
        at=_instant(notice.at),
        to=line(notice.to),
        policy=line(notice.policy),
        until=None if notice.until is None else _instant(notice.until),
        left_out=notice.left_out,
        links=notice.links,
        alerts=tuple(map(_step, notice.items)),
    )


def _step(item: Item) -> Step:
    return Step(
        alert=line(item.alert),
        number=item.number,
        what=item.what,
        stage=line(item.stage),
        severity=item.severity,
        device=line(item.label),
        site=line(item.place),
        at=_instant(item.at),
        onset_at=_instant(item.onset_at),
        happened=line(item.happened),
        meaning=line(item.meaning),
        do_this=line(item.do_this),
        details={line(name): line(value) if isinstance(value, str) else value for name, value in item.details.items()},
        lists=tuple(map(line, item.lists)),
    )


def _instant(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _judge(answer: Answer, host: str, now: float) -> None:
    """Raises NotSent unless the peer took it."""
    status = answer.status
    if 200 <= status < 300:
        return
    names = {entry.value: entry.phrase for entry in HTTPStatus}
    said = f"{host} answered {status} {names.get(status, '')}".rstrip()
    if 300 <= status < 400:
        raise NotSent(f"{said}: redirects are not followed; put the final URL into the channel", again=False)
    again = status in ANOTHER_TRY or status >= 500
    raise NotSent(said, again, retry_after_s(answer, now) if again else None)
