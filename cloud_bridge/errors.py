"""What this room raises.

CloudError
├── BadAddress      not a HOST:PORT that can be used for what it was given for
├── BadName         a name that no gateway or unit may bear
├── UnknownUnit     no such gateway or unit was ever heard
├── AlreadyThere    `cloud init` would overwrite something
├── NotAFolder      no cloud lives in this folder, or a part of it is missing or unreadable
├── BrokerFailed    the broker can't serve: its port is taken, its key is unreadable, ...
└── AdministrationError     what was asked of owners, devices, channels, policies, alerts can't be done
    ├── NotThere            no such one
    ├── Ambiguous           more than one goes by that name
    ├── Taken               the name is another's
    ├── InUse               others need it
    └── Wrong               a value is wrong: every mistake with its place
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from config.text import one_line

_NAME_CHARS = 80


class CloudError(Exception):
    """Any error of this room."""


class BadAddress(CloudError):
    """Not a HOST:PORT that can be used for what it was given for."""


class BadName(CloudError):
    """A name that no gateway or unit may bear."""


class UnknownUnit(CloudError):
    """No such gateway or unit was ever heard."""


class AlreadyThere(CloudError):
    """Something would be overwritten."""


class NotAFolder(CloudError):
    """No cloud lives in this folder, or a part of it is missing or unreadable."""


class BrokerFailed(CloudError):
    """The broker can't serve."""


class AdministrationError(CloudError):
    """What was asked of owners, devices, channels, policies or alerts can't be done."""


class NotThere(AdministrationError):
    """`kind`: owner, site, device, channel, policy, rule, silence, alert, …"""

    def __init__(self, kind: str, name: str, hint: str = "") -> None:
        super().__init__(f"no {kind} {one_line(name, _NAME_CHARS)!r}" + (f"; {hint}" if hint else ""))
        self.kind = kind
        self.name = name


class Ambiguous(AdministrationError):
    def __init__(self, kind: str, name: str, choices: Sequence[str]) -> None:
        some = ", ".join(one_line(choice, _NAME_CHARS) for choice in choices[:5])
        more = f" and {len(choices) - 5} more" if len(choices) > 5 else ""
        super().__init__(f"{kind} {one_line(name, _NAME_CHARS)!r} may be any of {some}{more}: say which")
        self.kind = kind
        self.name = name


class Taken(AdministrationError):
    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {one_line(name, _NAME_CHARS)!r} is there already")
        self.kind = kind
        self.name = name


class InUse(AdministrationError):
    """`users`: what needs it, as in `policy ada/default`."""

    def __init__(self, kind: str, name: str, users: Sequence[str]) -> None:
        needed = ", ".join(one_line(user, _NAME_CHARS) for user in users[:5])
        more = f" and {len(users) - 5} more" if len(users) > 5 else ""
        super().__init__(f"{kind} {one_line(name, _NAME_CHARS)!r} is needed by {needed}{more}: change that first")
        self.kind = kind
        self.name = name


@dataclass(frozen=True, slots=True)
class Mistake:
    """`place`: the field, as in `quiet.since`; `message`: what would be right, and what was given."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class Wrong(AdministrationError):
    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes
