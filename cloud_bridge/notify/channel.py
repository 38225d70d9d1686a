"""What every channel is: mail, webhook, Apprise, and whatever comes next."""

from __future__ import annotations

from typing import Protocol

from cloud_bridge.alerts.notice import Notice

SEND_S = 10.0
"""From the first byte to the last of one notice (S24)."""
ANSWER_BYTES = 64 * 1024
"""Most of an answer that is read (S24)."""


class Channel(Protocol):
    """One way to one recipient. The same notice may come twice, under the same id."""

    async def send(self, notice: Notice) -> None:
        """Returns once somebody took it. Raises NotSent."""

    async def close(self) -> None:
        """Ends what the channel holds open; it is not used afterwards."""
