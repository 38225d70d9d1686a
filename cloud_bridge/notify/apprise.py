"""Apprise: one target at one of the services in services.py. The library itself works in a process of its own."""

from __future__ import annotations

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import Notice
from cloud_bridge.alerts.wording import brief, for_chat, title
from cloud_bridge.notify.apprise_process import AppriseProcess
from cloud_bridge.notify.apprise_words import Ask
from drivers.ups import Severity

_KINDS = {Severity.CRITICAL: "failure", Severity.WARNING: "warning", Severity.INFORMATIONAL: "info"}
"""Apprise's NotifyType."""


class Apprise:
    """Sends to one target."""

    def __init__(self, target: str, process: AppriseProcess) -> None:
        self._target = target
        self._process = process

    async def send(self, notice: Notice) -> None:
        """Raises NotSent."""
        over = bool(notice.items) and all(item.what is What.RESOLVED for item in notice.items)
        kind = "success" if over else _KINDS[notice.severity]
        body = for_chat(brief(notice))
        await self._process.send(Ask(url=self._target, title=for_chat(title(notice)), body=body, kind=kind))

    async def close(self) -> None:
        """The process is everybody's."""
