"""Faults of a wire, whatever its protocol: what becomes of a reply's bytes, and of the values that are shown.

One WireFaults stands in each listener. The listener hands it the whole reply and sends the pieces it gets back;
what it shows goes through `shown` before it is encoded. Nothing here is left to chance: the same seed and the
same replies give the same pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from drivers.ups import READINGS, OutletGroup, Snapshot
from simulator.errors import ControlError
from simulator.wire_orders import USAGE, Kind, Order, described, kind_named, ordered

SESSIONS_ONLY = frozenset({Kind.ONE_REQUEST, Kind.REFUSE_SECOND})
"""A serial line has no sessions."""
TCP_FAULTS = frozenset(Kind) - {Kind.WRONG_CRC}
RTU_FAULTS = frozenset(Kind) - SESSIONS_ONLY
CHECK_BYTES = 2
"""Of Modbus RTU, the only wire with a check sum."""
UPSLINK_FAULTS = RTU_FAULTS - {Kind.WRONG_CRC, Kind.WORD_SWAP, Kind.ROLL_OVER, Kind.CLOCK_DRIFT}
"""It has no check sum, and shows neither counters nor countdowns."""


class Piece(msgspec.Struct, frozen=True):
    """Wait `after_s`, send `data`, then close the connection if `hang_up` (a serial line just goes on)."""

    after_s: float = 0.0
    data: bytes = b""
    hang_up: bool = False


class Draws:
    """The numbers that a seed stands for, one after the other."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._drawn = 0

    def share(self) -> float:
        """The next number, from 0 up to 1."""
        self._drawn += 1
        digest = blake2b(f"{self._seed}/{self._drawn}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / (1 << 64)

    def below(self, limit: int) -> int:
        return int(self.share() * limit)


class _Running:
    """An order, and how often it has struck."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.draws = Draws(f"{order.seed}/{order.kind}")
        self.struck = 0

    def over(self, now: float) -> bool:
        """Whether it will not strike any more."""
        spent = self.order.count is not None and self.struck >= self.order.count
        return spent or (self.order.until is not None and now >= self.order.until)

    def strikes(self, now: float) -> bool:
        if self.over(now) or self.draws.share() >= self.order.chance:
            return False
        self.struck += 1
        return True


class WireFaults:
    """The faults of one listener; `known` are those that mean something on its wire.

    For the listener, at the monotonic second `now`: `pieces` of each reply to send, `shown` for what is encoded,
    `swaps_words` and `second_refused` to be asked, `reopened` to be told when a client opens the port. `watchers` are
    called after each change by a control line.
    """

    def __init__(self, known: frozenset[Kind] = frozenset(Kind)) -> None:
        self.known = known
        self.watchers: list[Callable[[], None]] = []
        self._running: dict[Kind, _Running] = {}
        self._wedged = False
        self._last: bytes | None = None
        self._held: Snapshot | None = None
        self._counted_from: int | None = None

    # for the control port

    def obey(self, words: Sequence[str], now: float) -> None:
        """What follows `fault` on a control line: KIND [NAME=VALUE ...], KIND off, or off for all.

        ControlError says what is wrong; nothing has changed then.
        """
        match [word.lower() for word in words]:
            case ["off"]:
                for kind in self.known:
                    self._end(kind)
            case [name, "off"]:
                self._end(kind_named(name, self.known))
            case [name, *settings]:
                self.begin(ordered(kind_named(name, self.known), settings, now))
            case _:
                raise ControlError(f"expected `fault {USAGE}`")
        for tell in self.watchers:
            tell()

    def begin(self, order: Order) -> None:
        """Order a fault; one of the same kind ends."""
        self._end(order.kind)
        self._running[order.kind] = _Running(order)

    def _end(self, kind: Kind) -> None:
        self._running.pop(kind, None)
        if kind is Kind.WEDGE:
            self._wedged = False
        elif kind is Kind.STUCK:
            self._held = None
        elif kind is Kind.ROLL_OVER:
            self._counted_from = None

    def values(self, now: float) -> dict[str, dict[str, Any]]:  # Any: JSON
        """The faults that are on, with how long each still is, and how often it has struck."""
        return {
            kind: {**described(each.order, now), "struck": each.struck}
            for kind, each in self._running.items()
            if not each.over(now) or (kind is Kind.WEDGE and self._wedged)
        }

    # for the listener

    def reopened(self) -> None:
        """A client has opened the port: a wedge is over."""
        self._wedged = False

    def second_refused(self, now: float) -> bool:
        return self._on(Kind.REFUSE_SECOND, now)

    def swaps_words(self, now: float) -> bool:
        """Asked once a reply."""
        return self._strikes(Kind.WORD_SWAP, now)

    @property
    def exception_code(self) -> int:
        """What Modbus refuses with while EXCEPTION_STORM is on."""
        return int(self._by(Kind.EXCEPTION_STORM)) if Kind.EXCEPTION_STORM in self._running else 0

    def shown(self, snapshot: Snapshot, now: float) -> Snapshot:
        """The snapshot as this wire shows it. Called once a reply."""
        if self._strikes(Kind.CLOCK_DRIFT, now):
            snapshot = _drifted(snapshot, self._by(Kind.CLOCK_DRIFT))
        if self._strikes(Kind.ROLL_OVER, now) and snapshot.energy_wh is not None:
            if self._counted_from is None:
                self._counted_from = snapshot.energy_wh
            snapshot = msgspec.structs.replace(snapshot, energy_wh=max(0, snapshot.energy_wh - self._counted_from))
        if self._strikes(Kind.STUCK, now):
            self._held = self._held or snapshot
            snapshot = msgspec.structs.replace(snapshot, **{name: getattr(self._held, name) for name in MEASURED})
        return snapshot

    def pieces(self, reply: bytes, now: float, *, refusal: bytes = b"") -> tuple[Piece, ...]:
        """What is sent in the place of this reply; none is silence. `refusal` is the wire's way to say no."""
        if self._wedged or self._strikes(Kind.WEDGE, now):
            self._wedged = True
            return ()
        hang_up = self._strikes(Kind.ONE_REQUEST, now)
        if self._strikes(Kind.SILENCE, now):
            return (Piece(hang_up=True),) if hang_up else ()
        data = self._spoilt(reply, refusal, now)
        if self._strikes(Kind.DISCONNECT, now):
            data = data[: self._draws(Kind.DISCONNECT).below(len(data))]
            hang_up = True
        sent = self._in_time(data, now)
        return (*sent, Piece(hang_up=True)) if hang_up else tuple(sent)

    def _spoilt(self, reply: bytes, refusal: bytes, now: float) -> bytes:
        """Another reply, or one with other bytes."""
        data, self._last, before = reply, reply, self._last
        if self._strikes(Kind.SHIFT, now):
            data = before or b""
        if self._strikes(Kind.EXCEPTION_STORM, now):
            data = refusal
        if self._strikes(Kind.WRONG_CRC, now) and data:
            data = data[:-CHECK_BYTES] + bytes(each ^ 0xFF for each in data[-CHECK_BYTES:])
        if self._strikes(Kind.NOISE, now):
            data = _noisy(data, int(self._by(Kind.NOISE)), self._draws(Kind.NOISE))
        return data

    def _in_time(self, data: bytes, now: float) -> list[Piece]:
        late_s = self._by(Kind.DELAY) if self._strikes(Kind.DELAY, now) else 0.0
        if not data:
            return []
        pieces = [Piece(late_s, data)]
        if self._strikes(Kind.SPLIT, now):
            gap_s = self._by(Kind.SPLIT)
            pieces = [Piece(gap_s if at else late_s, data[at : at + 1]) for at in range(len(data))]
        if self._strikes(Kind.REPEAT, now):
            pieces.append(Piece(self._by(Kind.REPEAT), data))
        return pieces

    def _on(self, kind: Kind, now: float) -> bool:
        return kind in self._running and not self._running[kind].over(now)

    def _strikes(self, kind: Kind, now: float) -> bool:
        return kind in self._running and self._running[kind].strikes(now)

    def _by(self, kind: Kind) -> float:
        return self._running[kind].order.by

    def _draws(self, kind: Kind) -> Draws:
        return self._running[kind].draws


TURNED = 2
MEASURED = frozenset(reading.name for reading in READINGS) - {"answer_ms"}


def _noisy(data: bytes, count: int, draws: Draws) -> bytes:
    """Bytes put in at one place, others in the place of those that stood there, or one bit of each of those turned."""
    at, way = draws.below(len(data) + 1), draws.below(3)
    if way == TURNED:
        return data[:at] + bytes(each ^ 1 << draws.below(8) for each in data[at : at + count]) + data[at + count :]
    noise = bytes(draws.below(256) for _ in range(count))
    return data[:at] + noise + data[at + way * count :]


def _drifted(snapshot: Snapshot, factor: float) -> Snapshot:
    """Countdowns are the only times that a unit tells by its own clock."""

    def drift(group: OutletGroup) -> OutletGroup:
        counts = {name: getattr(group, name) for name in ("turn_off_s", "turn_on_s", "stay_off_s")}
        wrong = {name: None if s is None else round(s * factor) for name, s in counts.items()}
        return msgspec.structs.replace(group, **wrong)

    main = snapshot.main_outlet
    return msgspec.structs.replace(
        snapshot,
        main_outlet=None if main is None else drift(main),
        switched_outlets=tuple(drift(group) for group in snapshot.switched_outlets),
    )
