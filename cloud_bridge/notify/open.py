"""Channels as the registry has them, opened. A kind is one module, imported when its first channel is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from cloud_bridge.alerts.notice import Notice
from cloud_bridge.alerts.terms import Channel as Row
from cloud_bridge.notify.channel import Channel
from cloud_bridge.notify.errors import BadTarget
from cloud_bridge.notify.targets import check_target
from cloud_bridge.settings import CloudSettings

if TYPE_CHECKING:
    from cloud_bridge.notify.apprise_process import AppriseProcess
    from cloud_bridge.notify.smtp import Post


class Shared:
    """What the channels of one process have in common: connections to the mail server, and Apprise's process."""

    def __init__(self, settings: CloudSettings) -> None:
        self._settings = settings
        self._post: Post | None = None
        self._apprise: AppriseProcess | None = None

    @property
    def post(self) -> Post:
        """Raises BadTarget if cloud.yaml names no mail server, or one that can't be used."""
        if self._post is None:
            from cloud_bridge.notify.smtp import Post

            if self._settings.smtp is None:
                raise BadTarget("smtp", "cloud.yaml names no mail server: add smtp with host and sender")
            self._post = Post(self._settings.smtp)
        return self._post

    @property
    def apprise(self) -> AppriseProcess:
        if self._apprise is None:
            from cloud_bridge.notify.apprise_process import AppriseProcess

            self._apprise = AppriseProcess(self._settings.allow_private_targets)
        return self._apprise

    async def close(self) -> None:
        if self._post is not None:
            await self._post.close()
        if self._apprise is not None:
            await self._apprise.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *why: object) -> None:
        await self.close()


def open_channel(channel: Row, settings: CloudSettings, shared: Shared | None = None) -> Channel:
    """Raises BadTarget. Without `shared` the channel has all of it for itself, until it is closed."""
    check_target(channel.kind, channel.target, settings.allow_private_targets)
    if shared is None:
        alone = Shared(settings)
        return _Alone(open_channel(channel, settings, alone), alone)
    if channel.kind == "mail":
        from cloud_bridge.notify.mail import Mail

        return Mail(channel.target, shared.post)
    if channel.kind == "webhook":
        from cloud_bridge.notify.webhook import Webhook

        return Webhook(channel.target, allow_private=settings.allow_private_targets)
    from cloud_bridge.notify.apprise import Apprise

    return Apprise(channel.target, shared.apprise)


class _Alone:
    """A channel that shares with no other."""

    def __init__(self, channel: Channel, shared: Shared) -> None:
        self._channel = channel
        self._shared = shared

    async def send(self, notice: Notice) -> None:
        await self._channel.send(notice)

    async def close(self) -> None:
        await self._channel.close()
        await self._shared.close()
