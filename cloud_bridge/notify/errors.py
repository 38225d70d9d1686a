"""What this room raises.

NotifyError (a CloudError)
├── NotSent      a notice did not get through; says whether another try can help
└── BadTarget    an address, URL or setting that no notice can be sent by
"""

from __future__ import annotations

from cloud_bridge.errors import CloudError


class NotifyError(CloudError):
    """Any error of this room."""


class NotSent(NotifyError):
    """A notice did not get through. `again`: another try can help; `after_s`: not before, if the peer said so."""

    def __init__(self, reason: str, again: bool, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.after_s = after_s


class BadTarget(NotifyError):
    """No notice can be sent there. `place`: which part is wrong; `what`: why, and what would be right."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place
        self.what = what
