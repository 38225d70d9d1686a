"""The faults of a wire by name, and the control line that orders one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from simulator.errors import ControlError
from simulator.lines import near, number


class Kind(StrEnum):
    """A fault's name on the control port, where `-` may stand for `_`."""

    SILENCE = "silence"
    DELAY = "delay"
    NOISE = "noise"
    WRONG_CRC = "wrong_crc"
    SPLIT = "split"
    REPEAT = "repeat"
    SHIFT = "shift"
    EXCEPTION_STORM = "exception_storm"
    ONE_REQUEST = "one_request"
    REFUSE_SECOND = "refuse_second"
    WEDGE = "wedge"
    DISCONNECT = "disconnect"
    STUCK = "stuck"
    ROLL_OVER = "roll_over"
    WORD_SWAP = "word_swap"
    CLOCK_DRIFT = "clock_drift"


class Meaning(msgspec.Struct, frozen=True):
    """What a fault does, and what its `by` is: the number if the order gives none, and its limits."""

    help: str
    by: float = 0.0
    by_is: str = ""
    least: float = 0.0
    most: float = 0.0
    count: int | None = None


MEANINGS: Mapping[Kind, Meaning] = MappingProxyType(
    {
        Kind.SILENCE: Meaning("no reply"),
        Kind.DELAY: Meaning("the reply comes late", 1.0, "seconds", 0.001, 60),
        Kind.NOISE: Meaning("bytes put in, in the place of others, or with a bit turned", 3, "bytes", 1, 64),
        Kind.WRONG_CRC: Meaning("the check sum is wrong"),
        Kind.SPLIT: Meaning("each byte comes alone", 0.002, "seconds between two", 0, 1),
        Kind.REPEAT: Meaning("the reply comes twice", 0.02, "seconds between the two", 0, 10),
        Kind.SHIFT: Meaning("each request gets the reply to the one before it"),
        Kind.EXCEPTION_STORM: Meaning("requests are refused", 2, "exception code on Modbus", 1, 11),
        Kind.ONE_REQUEST: Meaning("the connection is closed after one reply"),
        Kind.REFUSE_SECOND: Meaning("one session at a time; others are refused"),
        Kind.WEDGE: Meaning("silent until the port is opened anew", count=1),
        Kind.DISCONNECT: Meaning("the reply breaks off; a connection is closed"),
        Kind.STUCK: Meaning("measurements stand still, the status goes on"),
        Kind.ROLL_OVER: Meaning("counters begin again at 0"),
        Kind.WORD_SWAP: Meaning("the words of two-register numbers are exchanged"),
        Kind.CLOCK_DRIFT: Meaning("the unit's clock is wrong by this factor", 1.1, "times as fast", 0.1, 10),
    }
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One fault as it was ordered: on a share of the replies, so many times, until a monotonic second."""

    kind: Kind
    chance: float = 1.0
    count: int | None = None
    until: float | None = None
    by: float = 0.0
    seed: int = 0


USAGE = "KIND [chance=0.3] [count=5] [for=10s] [by=N] [seed=N] | KIND off | off"


def described(order: Order, now: float) -> dict[str, float | None]:
    """An order as the control port shows it; `left_s` None is without end."""
    left_s = None if order.until is None else max(0.0, round(order.until - now, 1))
    return {"chance": order.chance, "count": order.count, "left_s": left_s, "by": order.by, "seed": order.seed}


def explained(known: frozenset[Kind]) -> dict[str, str]:
    """What each of these faults does, by name."""
    return {
        kind: meaning.help + (f"; by={meaning.by:g} {meaning.by_is}" if meaning.by_is else "")
        for kind, meaning in MEANINGS.items()
        if kind in known
    }


def kind_named(name: str, known: frozenset[Kind]) -> Kind:
    """The fault of that name, if it means something on this wire; else ControlError."""
    plain = name.lower().replace("-", "_")
    if plain not in set(Kind):
        raise ControlError(
            f"no fault of a wire is called {name[:40]!r}{near(plain, map(str, Kind))}; `wire faults` lists them"
        )
    if plain not in known:
        raise ControlError(f"{plain} means nothing on this wire; it knows {', '.join(sorted(known))}")
    return Kind(plain)


def ordered(kind: Kind, settings: Sequence[str], now: float) -> Order:
    """The order that `name=value` settings make at the monotonic second `now`; ControlError for a wrong one."""
    meaning = MEANINGS[kind]
    order = Order(kind=kind, by=meaning.by, count=meaning.count)
    for setting in settings:
        name, _, text = setting.partition("=")
        change: dict[str, Any]  # Any: fields of Order
        match name:
            case "chance":
                change = {"chance": number(text, "chance", 0, 1)}
            case "count":
                change = {"count": int(number(text, "count", 1, 1_000_000))}
            case "for":
                change = {"until": now + number(text, "for", 0.001, 86_400, ["s"])}
            case "seed":
                change = {"seed": int(number(text, "seed", 0, 999_999_999))}
            case "by" if meaning.by_is:
                change = {"by": number(text, f"by ({meaning.by_is})", meaning.least, meaning.most, ["s", "x"])}
            case _:
                raise ControlError(f"{kind}: expected {USAGE}, got {setting[:40]!r}")
        order = msgspec.structs.replace(order, **change)
    return order
