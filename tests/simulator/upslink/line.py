"""A simulated unit and its side of a UPS-Link line, without a port: time goes on when the test says so."""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.ups import Identity, Settings, Snapshot
from simulator.body import EPOCH
from simulator.orders import Answer, Order
from simulator.unit import Unit
from simulator.upslink.dialogue import Dialogue
from simulator.upslink.engine import Sent
from simulator.upslink.settings import UpsLinkSettings
from tests.simulator.bench import mains, unit_of

STEP_S = 0.25
NEW, OLD = "SUA1500I", "SU600I"
OK, NA, NO, SM = b"OK\r\n", b"NA\r\n", b"NO\r\n", b"SM\r\n"
PRESS_S = 1.5
"""Between the two characters of a doubled command (section 4.3)."""


class Engine:
    """The unit as a line sees it, with a record of what was sent."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.sent: list[Sent] = []

    @property
    def now_s(self) -> float:
        return self.unit.now_s

    def snapshot(self) -> Snapshot:
        return self.unit.snapshot(EPOCH)

    def identity(self) -> Identity:
        return self.unit.identity()

    def settings(self) -> Settings:
        return self.unit.settings()

    def order(self, order: Order) -> Answer:
        return self.unit.order(order)

    def record_command(self, write: msgspec.Struct) -> None:
        assert isinstance(write, Sent)
        self.sent.append(write)


class Line:
    """A line in smart mode, unless `smart` is False."""

    def __init__(self, model: str = NEW, *, smart: bool = True, **start: Any) -> None:  # Any: load_pct, charge_pct
        self.unit = unit_of(model, **start)
        self.engine = Engine(self.unit)
        self.wire = UpsLinkSettings()
        profile = self.unit.model.upslink
        assert profile is not None
        self.profile = profile
        self.dialogue = Dialogue(self.engine, profile, self.wire)
        self.now = 1000.0
        self.dialogue.alerts()
        if smart:
            assert self.say("Y") == SM

    def say(self, characters: str, *, gap_s: float = 0.2) -> bytes:
        """The answer to the last of these characters, so far apart; there was none to those before it."""
        for character in characters[:-1]:
            assert self.dialogue.hear(ord(character), self.now) == b""
            self.wait(gap_s)
        return self.dialogue.hear(ord(characters[-1]), self.now)

    def ask(self, characters: str) -> list[bytes]:
        """The answer to each of these characters."""
        return [self.dialogue.hear(ord(character), self.now) for character in characters]

    def wait(self, seconds: float, *, step_s: float = STEP_S) -> str:
        """The alerts of that time."""
        end, alerts = self.now + seconds, self.dialogue.alerts()
        while self.now < end:
            step = min(step_s, end - self.now)
            self.now += step
            self.unit.advance(self.unit.now_s + step)
            alerts += self.dialogue.alerts()
        return alerts.decode("ascii")

    def outage(self) -> str:
        """Cut the mains; what the unit says of it."""
        mains(self.unit, 0)
        return self.wait(1)

    def power_back(self, seconds: float = 5) -> str:
        mains(self.unit)
        return self.wait(seconds)

    @property
    def sent(self) -> list[str]:
        return [each.characters for each in self.engine.sent]
