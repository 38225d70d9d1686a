"""What the registry raises.

RegistryError        (a CloudError)
├── NoRegistry       none was ever made there
├── OlderRegistry    an earlier version made it
├── NewerRegistry    a later version made it
├── RegistryFailed   it can't be reached, is locked, or its disk is full: the next try may do
├── UnknownGateway   no gateway of that name
└── TooManyCommands  a gateway has as many on their way as it may
"""

from __future__ import annotations

from cloud_bridge.errors import CloudError


class RegistryError(CloudError):
    """Any error of the registry. Texts name its place without a password."""


class NoRegistry(RegistryError):
    def __init__(self, place: str) -> None:
        super().__init__(f"{place}: no registry there: `ridethrough cloud run` makes it when it first runs")


class OlderRegistry(RegistryError):
    def __init__(self, place: str, step: str) -> None:
        super().__init__(f"{place}: made by an earlier version ({step}): `ridethrough cloud run` brings it forward")


class NewerRegistry(RegistryError):
    """`step`: the step of its schema that this version does not know."""

    def __init__(self, place: str, step: str) -> None:
        super().__init__(f"{place}: made by a later version ({step}): install that version or a later one")
        self.step = step


class RegistryFailed(RegistryError):
    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"registry {place}: {what}")


class UnknownGateway(RegistryError):
    def __init__(self, name: str) -> None:
        super().__init__(f"no gateway {name!r} in the registry; `ridethrough cloud gateway list` names all")
        self.name = name


class TooManyCommands(RegistryError):
    def __init__(self, gateway: str, most: int) -> None:
        super().__init__(f"gateway {gateway}: {most} commands are on their way, the most there may be: wait for them")
