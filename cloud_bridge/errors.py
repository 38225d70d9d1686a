"""What this room raises.

CloudError
├── BadAddress      not a HOST:PORT that can be used for what it was given for
├── BadName         a name that no gateway or unit may bear
├── UnknownUnit     no such gateway or unit was ever heard
├── AlreadyThere    `cloud init` would overwrite something
├── NotAFolder      no cloud lives in this folder, or a part of it is missing or unreadable
└── BrokerFailed    the broker can't serve: its port is taken, its key is unreadable, ...
"""

from __future__ import annotations


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
