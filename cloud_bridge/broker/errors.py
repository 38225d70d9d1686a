"""What the broker's rules say of a client.

ClientFault            one client did wrong; it is closed, the others notice nothing
├── BadPacket          not MQTT 3.1.1 as this broker speaks it
├── Refused            a CONNECT that is turned away, with the return code that tells it so
└── OverAllowance      a gateway has used up its bytes of the day
"""

from __future__ import annotations


class ClientFault(Exception):
    """One client did wrong. `kind` names the rule in one word, `str()` tells it to a person."""

    kind = "fault"


class BadPacket(ClientFault):
    """Not MQTT 3.1.1 as this broker speaks it."""

    kind = "packet"


class OverAllowance(ClientFault):
    """A gateway has used up its bytes of the day."""

    kind = "allowance"


class Refused(ClientFault):
    """A CONNECT that is turned away. `code`: CONNACK return code (MQTT 3.1.1, table 3.1)."""

    kind = "connect"

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
