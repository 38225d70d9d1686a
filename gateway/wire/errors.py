"""What can be wrong with bytes from the other side.

WireError
├── BadTopic      the topic is none of ours
├── TooLarge      over a limit of `limits`
├── Malformed     does not parse, or breaks a rule of the message
└── BadSignature  it is not from whom it says, or not as that one wrote it
"""

from __future__ import annotations


class WireError(Exception):
    """A message that is not taken; `what` says why in one line."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class BadTopic(WireError):
    pass


class TooLarge(WireError):
    pass


class Malformed(WireError):
    pass


class BadSignature(WireError):
    pass
