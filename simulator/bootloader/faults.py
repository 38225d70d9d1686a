"""What can go wrong with an upgrade, by order of the control port: deterministic, by the number of a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

import msgspec

from simulator.errors import ControlError
from simulator.lines import near, number


class Kind(StrEnum):
    """A fault's name on the control port, where `-` may stand for `_`."""

    NAK = "nak"
    LOST_ACK = "lost_ack"
    CANCEL = "cancel"
    GARBAGE = "garbage"
    SECOND_START = "second_start"
    BOOTS_OLD = "boots_old"
    STAYS = "stays"


HELP: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.NAK: "a good block is refused, as if it had been damaged",
        Kind.LOST_ACK: "a block is taken and its ACK lost",
        Kind.CANCEL: "the unit cancels in place of taking a block",
        Kind.GARBAGE: "20 bytes of noise come before an answer",
        Kind.SECOND_START: "each C comes twice, the second while block 1 is on its way",
        Kind.BOOTS_OLD: "after a good image the unit boots the version that it had",
        Kind.STAYS: "after a good image the unit stays in its boot loader",
    }
)
USAGE = "KIND [count=1] [at=BLOCK] | KIND off | off"
MAX_COUNT = 1_000_000
NOISE = bytes.fromhex("FF 00 7E AA 55") + b"flash 1.0 ok.\r\n"
"""As long as a banner that makes some senders give up; none of its bytes means something in XMODEM."""


class Fault(msgspec.Struct):
    """So many times, from that block on: 1 is the first, the header's."""

    count: int = 1
    at: int = 0


class Faults:
    """Those that are ordered."""

    def __init__(self) -> None:
        self._ordered: dict[Kind, Fault] = {}

    def strikes(self, kind: Kind, block: int = 0) -> bool:
        """Whether this one strikes now, once less to come then."""
        fault = self._ordered.get(kind)
        if fault is None or block < fault.at:
            return False
        fault.count -= 1
        if not fault.count:
            del self._ordered[kind]
        return True

    def order(self, kind: Kind, fault: Fault) -> None:
        self._ordered[kind] = fault

    def obey(self, words: Sequence[str]) -> None:
        """Obey `KIND [count=N] [at=BLOCK]`, `KIND off` or `off`; ControlError for anything else."""
        match [word.lower().replace("-", "_") for word in words]:
            case ["off"]:
                self._ordered.clear()
            case [name, "off"]:
                self._ordered.pop(_kind(name), None)
            case [name, *settings]:
                self.order(_kind(name), _fault(settings))
            case _:
                raise ControlError(f"expected `firmware fault {USAGE}`")

    def values(self) -> dict[str, dict[str, int]]:
        return {kind.value: msgspec.to_builtins(fault) for kind, fault in self._ordered.items()}


def _kind(name: str) -> Kind:
    if name not in set(Kind):
        known = ", ".join(Kind)
        raise ControlError(f"no fault of an upgrade is called {name[:40]!r}{near(name, map(str, Kind))}: {known}")
    return Kind(name)


def _fault(settings: Sequence[str]) -> Fault:
    fault = Fault()
    for setting in settings:
        match setting.partition("="):
            case ("count", "=", text):
                fault.count = int(number(text, "count", 1, MAX_COUNT))
            case ("at", "=", text):
                fault.at = int(number(text, "at", 0, MAX_COUNT))
            case _:
                raise ControlError(f"expected `firmware fault {USAGE}`, got {setting[:40]!r}")
    return fault
