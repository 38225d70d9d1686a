"""What this room raises.

NotifyError (a CloudError)
├── NotSent      a notice did not get through; says whether another try can help
│   └── NotMade  nobody refused it: it could not be made
└── BadTarget    an address, URL or setting that no notice can be sent by
"""

from __future__ import annotations

from cloud_bridge.errors import CloudError
from drivers.ups import clean_text

REASON_CHARS = 300
"""Of what a peer may have said: it goes into the registry, notices and logs."""


class NotifyError(CloudError):
    """Any error of this room."""


class NotSent(NotifyError):
    """A notice did not get through. `again`: another try can help; `after_s`: not before, if the peer said so.
    `reason`: one line of printable characters, whatever the peer said (S6)."""

    def __init__(self, reason: str, again: bool, after_s: float | None = None) -> None:
        self.reason = clean_text(reason, REASON_CHARS)
        super().__init__(self.reason)
        self.again = again
        self.after_s = after_s


class NotMade(NotSent):
    """A mistake of ours with what one notice holds: no peer was asked, and other notices may be sent."""


class BadTarget(NotifyError):
    """No notice can be sent there. `place`: which part is wrong; `what`: why, and what would be right."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place
        self.what = what
