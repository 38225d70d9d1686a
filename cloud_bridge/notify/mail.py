"""Mail: one address, by the mail server of cloud.yaml."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address

from cloud_bridge.alerts.notice import Notice
from cloud_bridge.notify.letter import letter
from cloud_bridge.notify.smtp import Post


def _now() -> datetime:
    return datetime.now(UTC)


class Mail:
    """Sends to one address."""

    def __init__(self, address: str, post: Post, clock: Callable[[], datetime] = _now) -> None:
        self._address = address
        self._post = post
        self._clock = clock
        self._sender = Address(post.sender_name, addr_spec=post.sender)

    async def send(self, notice: Notice) -> None:
        """Raises NotSent."""
        # Drawing takes about as long as sending.
        message = await asyncio.to_thread(letter, notice, self._sender, self._address, self._clock())
        await self._post.send(self._address, message)

    async def close(self) -> None:
        """The connections are everybody's."""
