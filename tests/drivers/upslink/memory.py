"""A UPS-Link unit in memory at the end of a whole line, written by hand from ups-link.md with nothing of what is under
test. Time passes only when somebody waits.
"""

from __future__ import annotations

from collections.abc import Callable

from drivers.driver import Transport
from drivers.errors import DriverError, PortLost
from drivers.ups import Command, Verb
from drivers.upslink.options import read_options
from drivers.upslink.runtime.driver import UpsLinkDriver
from drivers.url import parse
from tests.drivers.memory import ArrivingLine, MemoryClock

URL = "upslink:///dev/ttyS0"
SERIAL = "WS9643050926"
LISTED = "\x01\x0e\x1a')+-89@ABDEFGKLMNOPQRSUVWXYZabcdefgjklmnopqrsuxyz~"
"""Section 10, firmware 21.3.I."""
CAPABILITIES = (
    "#uD43132135138129uM43229234239224uA43110112114108uI43253264271280lD43100103097106lM43177172168182lA43090092081085"
    "lI43196188208204e44200155090oI43230240220225oD13115oJ13100oM13208s441HMLLq44202050710p443020180300600k4410TLN"
    "r443000060180300E443336168ON OFF"
)
"""Section 11, the one complete real reply."""

Arrivals = list[tuple[float, bytes]]
Damage = Callable[[str, bytes], Arrivals]
"""The character that came and the true answer to what arrives: seconds after it, bytes."""


def su700() -> dict[str, str]:
    """The SU700 120 V of section 14 on mains, in the forms of section 5."""
    values = "Q08 9FF GR XNO L118.3 M118.9 N118.1 O118.3 F60.00 P027.0 f100.0 B27.87 j0327: C045.9 7 00 ~00 '00 800 "
    values += "V\0GWD b50.9.D m05/25/98 x05/25/98 cUPS_IDEN g024 u132 l103 sM o115 e00 p020 r000 q02 kT E336"
    found = {part[0]: part[1:].strip("\0") for part in values.replace("7 00", "700").split()}
    return {**found, "\x01": "SMART-UPS 700   ", "n": f"{SERIAL}  "}


class MemoryUnit:
    """Answers one character at a time. `heard` is all that came, `obeyed` the commands that were carried out.

    `rotations` holds the values of a setting in their order. `says` replaces the answer to a character.
    """

    def __init__(self, values: dict[str, str] | None = None, listed: str | None = LISTED) -> None:
        self.values = su700() if values is None else values
        self.listed = listed
        self.capabilities = CAPABILITIES
        self.smart = False
        self.heard: list[str] = []
        self.obeyed: list[str] = []
        self.says: dict[str, str] = {}
        self.rotations = {"u": ("132", "135", "138", "129"), "E": ("336", "168", "ON ", "OFF"), "s": tuple("HMLL")}
        self.ok = "OK\r\n"
        self._pressed: tuple[str, float] | None = None
        self._digits: str | None = None
        self._text: str | None = None
        self._asked = ""

    def answer(self, char: str, now: float) -> str:
        """Without damage. Before `Y` it is silent."""
        self.heard.append(char)
        if char in self.says and self.smart:
            return self.says[char]
        if self._text is not None:
            return self._type(char)
        if self._digits is not None:
            return self._count(char)
        if char == "Y":
            self.smart, self._pressed = True, None
            return "SM\r\n"
        return self._command(char, now) if self.smart else ""

    def _command(self, char: str, now: float) -> str:
        first, self._pressed = self._pressed, None
        if char in "KZ\x0e":
            return self._double(char, now, first)
        if char in "AWDU\x7f":
            return self._obey(char)
        if char == "S":
            return self._obey("S") if self.values["Q"] != "08" else "NA\r\n"
        if char == "@":
            self._digits = ""
            return ""
        if char == "-":
            return self._edit()
        self._asked = char
        if char == "a":
            return f"3.!$%+?=#|.{self.listed}\r\n" if self.listed else "NA\r\n"
        if char == "\x1a":
            return f"{self.capabilities}\r\n"
        return f"{self.values.get(char, 'NA')}\r\n"

    def _double(self, char: str, now: float, first: tuple[str, float] | None) -> str:
        if first is None or first[0] != char or not 1.5 <= now - first[1] <= 6:
            self._pressed = (char, now)
            return ""
        reply = self._obey(char * 2)
        return reply if char == "K" else ""

    def _obey(self, command: str) -> str:
        self.obeyed.append(command)
        change = {
            "W": {"Q": "10", "G": "S"},
            "U": {"Q": "10", "G": "S"},
            "D": {"Q": "11" if self.values["Q"] == "08" else "08"},
            "ZZ": {"Q": "00"},
            "\x0e\x0e": {"Q": "08"},
        }
        self.values.update(change.get(command, {}))
        return self.ok

    def _count(self, char: str) -> str:
        assert self._digits is not None
        if not char.isdigit():
            self._digits = None
            return "NO\r\n"
        self._digits += char
        if len(self._digits) < 3:
            return ""
        digits, self._digits = self._digits, None
        return self._obey(f"@{digits}")

    def _edit(self) -> str:
        if self._asked in "cx" and self._asked:
            self._text = ""
            return ""
        order = self.rotations.get(self._asked)
        if order is None:
            return "NO\r\n"
        self.obeyed.append(f"-{self._asked}")
        at = order.index(self.values[self._asked]) + 1
        self.values[self._asked] = order[at % len(order)]
        return self.ok

    def _type(self, char: str) -> str:
        assert self._text is not None
        self._text += char
        if len(self._text) < 8:
            return ""
        self.obeyed.append(f"-{self._asked}{self._text}")
        self.values[self._asked], self._text = self._text, None
        return self.ok


def undamaged(_: str, answer: bytes) -> Arrivals:
    """40 ms, then 7 ms a character (4.4)."""
    return [(0.04 + 0.007 * len(answer), answer)] if answer else []


class MemoryLine(ArrivingLine):
    """The port interface, in memory. `damage` is what the line does to each answer."""

    def __init__(self, clock: MemoryClock, unit: MemoryUnit) -> None:
        super().__init__(clock)
        self.unit = unit
        self.damage: Damage = undamaged
        self.fail_to_open: DriverError | None = None
        self.sent: list[tuple[float, str]] = []

    async def open(self) -> None:
        if self.fail_to_open is not None:
            raise self.fail_to_open
        self.is_open = True
        self._arrivals = []

    async def write(self, data: bytes) -> None:
        self._check()
        for octet in data:
            char = chr(octet)
            self.sent.append((self._clock.now, char))
            answer = self.unit.answer(char, self._clock.now).encode("latin-1")
            self.arrive(self.damage(char, answer))

    async def wait(self) -> None:
        self._check()
        if not self._arrivals:
            self.is_open = False
            raise PortLost(self.name, "nothing more will ever come")
        self._clock.now = max(self._clock.now, self._arrivals[0][0])

    async def drain(self) -> int:
        raise AssertionError("what comes unasked may be an alert")


class Bench:
    """A whole driver on that unit."""

    def __init__(self, url: str = URL, *, unit: MemoryUnit | None = None, pinned: str | None = None) -> None:
        self.clock = MemoryClock()
        self.unit = unit or MemoryUnit()
        self.line = MemoryLine(self.clock, self.unit)
        self.driver = UpsLinkDriver(
            url,
            self.line,
            read_options(parse(url)),
            pinned=pinned,
            clock=self.clock,
            chance=lambda: 0.5,
        )
        assert self.driver.transport is Transport.SERIAL

    def asked(self) -> str:
        """The characters sent since the last call."""
        found = "".join(self.unit.heard)
        self.unit.heard.clear()
        return found


def command(verb: Verb, **fields: object) -> Command:
    return Command(verb=verb, serial=SERIAL, **fields)  # type: ignore[arg-type]  # each test names real fields


async def met(unit: MemoryUnit | None = None) -> Bench:
    bench = Bench(unit=unit)
    await bench.driver.connect()
    bench.line.sent.clear()
    bench.asked()
    return bench


def after_the_serial(bench: Bench) -> list[tuple[float, str]]:
    """What was sent after the last look at the serial number."""
    at = max(index for index, (_, char) in enumerate(bench.line.sent) if char == "n")
    return bench.line.sent[at + 1 :]
