"""What a command asks of the unit, and what it answers (ups-link.md sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from drivers.ups import Flag, State, TestStatus
from simulator.orders import Answer, Order, Task
from simulator.upslink.engine import Sent, Unit
from simulator.upslink.profile import Profile
from simulator.upslink.sequences import spelled
from simulator.upslink.values import MAIN_GROUP

SILENCE = ""
OK, NA, NO = "OK\r\n", "NA\r\n", "NO\r\n"
STAR = "*"
"""What an old unit says in place of OK to what cuts its output: one character, no end of line (section 4.2)."""
CLEAR = "CLEAR\r\n"
SLEEP_UNIT_S = 360
"""What one of `@nnn` stands for: six minutes."""
_ACTIVE = (TestStatus.PENDING, TestStatus.IN_PROGRESS)


class Commands:
    """Gives the unit its orders. Each method returns the text of the answer; everything is told."""

    def __init__(self, unit: Unit, profile: Profile) -> None:
        self._unit, self._old = unit, profile.old
        self._told: Sent | None = None

    def told(self, characters: str, reply: str, order: Order | None = None) -> str:
        """Keep these characters for the record and give the answer to them."""
        self._told = Sent(characters=spelled(characters), order=order, reply=reply.rstrip("\r\n"))
        return reply

    def take_told(self) -> Sent | None:
        """What was told since the last call: one byte completes one command at most."""
        told, self._told = self._told, None
        return told

    def order(self, characters: str, order: Order, *, taken: str = OK, refused: str = NA) -> str:
        answer = self._unit.order(order)
        return self.told(characters, taken if answer is Answer.TAKEN else refused, order)

    def single(self, character: str) -> str | None:
        """A command of one character; None if it is none."""
        command = _SINGLE.get(character)
        return None if command is None else command(self)

    def doubled(self, character: str) -> str:
        """K, Z or ^N, whose second press has come in time."""
        characters = character * 2
        if character == "K":
            order = Order(task=Task.OUTLET_OFF, groups=MAIN_GROUP, use_off_delay=not self._old)
            return self._cut(characters, order)
        if character == "Z":
            return self.order(characters, Order(task=Task.REMOTE_OFF), taken=SILENCE)
        if Flag.INPUT_ACCEPTABLE not in self._unit.snapshot().flags:
            return self.told(characters, NA)
        return self.order(characters, Order(task=Task.REMOTE_ON), taken=SILENCE)

    def sleep(self, digits: str) -> str:
        """`@` with its digits; old units do nothing with three zeros (7.2)."""
        seconds = int(digits) * SLEEP_UNIT_S
        if self._old and not seconds:
            return self.told(f"@{digits}", STAR)
        order = Order(task=Task.SLEEP, value=seconds, use_off_delay=not self._old, cold_boot=self._old)
        return self._cut(f"@{digits}", order)

    def _cut(self, characters: str, order: Order) -> str:
        return self.order(characters, order, taken=STAR if self._old else OK)

    def _soft_shutdown(self) -> str:
        if self._unit.snapshot().state is not State.ON_BATTERY:
            return self.told("S", NA)
        if self._old:
            return self._cut("S", Order(task=Task.OUTLET_SHUTDOWN, groups=MAIN_GROUP))
        return self._cut("S", Order(task=Task.REQUEST_SHUTDOWN))

    def _cancel(self) -> str:
        """DEL, while a grace delay runs."""
        snapshot = self._unit.snapshot()
        going_off = snapshot.main_outlet is not None and bool(snapshot.main_outlet.turn_off_s)
        if snapshot.state is State.OFF or not going_off:
            return self.told("\x7f", NA)
        return self.order("\x7f", Order(task=Task.OUTLET_CANCEL, groups=MAIN_GROUP))

    def _self_test(self) -> str:
        if self._status("self_test") in _ACTIVE:
            return self.order("W", Order(task=Task.SELF_TEST_ABORT), refused=NO)
        return self._trial("W", "self_test", Task.SELF_TEST)

    def _calibration(self) -> str:
        if self._status("calibration") in _ACTIVE:
            return self.order("D", Order(task=Task.CALIBRATION_ABORT), refused=NO)
        return self._trial("D", "calibration", Task.CALIBRATION)

    def _trial(self, character: str, name: str, task: Task) -> str:
        """What is refused is so in the unit's status, not in its answer to the order."""
        taken = self._unit.order(order := Order(task=task)) is Answer.TAKEN
        refused = not taken or self._status(name) is TestStatus.REFUSED
        return self.told(character, NO if refused else OK, order)

    def _status(self, name: str) -> TestStatus | None:
        result: msgspec.Struct | None = getattr(self._unit.snapshot(), name)
        return None if result is None else getattr(result, "status", None)

    def _simulate_failure(self) -> str:
        return self.order("U", Order(task=Task.SIMULATE_POWER_FAILURE))

    def _panel_test(self) -> str:
        return self.order("A", Order(task=Task.PANEL_TEST))

    def _factory_settings(self) -> str:
        return self.order("z", Order(task=Task.FACTORY_SETTINGS), taken=CLEAR)


_SINGLE: Mapping[str, Callable[[Commands], str]] = MappingProxyType(
    {
        "S": Commands._soft_shutdown,
        "\x7f": Commands._cancel,
        "W": Commands._self_test,
        "D": Commands._calibration,
        "U": Commands._simulate_failure,
        "A": Commands._panel_test,
        "z": Commands._factory_settings,
    }
)
