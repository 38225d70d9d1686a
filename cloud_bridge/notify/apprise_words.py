"""What the alerts role and Apprise's process say to each other: a line of JSON each."""

from __future__ import annotations

import msgspec

LINE_BYTES = 64 * 1024
PRIVATE = "--private"
"""Argument of the process: it may connect to private addresses."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Send this. `number`: by which the answer is known; `kind`: Apprise's NotifyType."""

    url: str
    title: str
    body: str
    kind: str
    number: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """`error`: empty: it is sent. `again`: another try can help."""

    number: int
    error: str = ""
    again: bool = True
