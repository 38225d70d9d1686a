"""A whole upsd in memory, made from the protocol's description and with nothing of what is under test; and the driver
on it.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable

from drivers.driver import Report
from drivers.nut.options import read_options
from drivers.nut.runtime.driver import NutDriver
from drivers.ups import Command, Verb
from drivers.url import parse
from tests.drivers.memory import MemoryClock
from tests.drivers.peer_port import PeerPort

SERIAL = "AS1234567890"
USER, PASSWORD = "gateway", 'pa"ss\\word #1'
TRACKING_ID = "3f2b1c9e-0000-4000-8000-000000000001"

VARIABLES = {
    "battery.alarm.threshold": "0",
    "battery.charge": "100.0",
    "battery.charge.restart": "15",
    "battery.date": "11/29/16",
    "battery.runtime": "3720",
    "battery.runtime.low": "120",
    "battery.voltage": "27.60",
    "device.serial": SERIAL,
    "driver.name": "apcsmart",
    "input.frequency": "50.00",
    "input.sensitivity": "H",
    "input.transfer.high": "253",
    "input.transfer.low": "208",
    "input.transfer.reason": "no transfers yet since turnon",
    "input.voltage": "230.4",
    "output.voltage": "230.4",
    "output.voltage.nominal": "230",
    "ups.delay.shutdown": "020",
    "ups.delay.start": "000",
    "ups.firmware": "652.13.I",
    "ups.id": 'RACK "A" \\ #1',
    "ups.load": "023.4",
    "ups.model": "Smart-UPS 1500",
    "ups.serial": SERIAL,
    "ups.status": "OL CHRG",
    "ups.test.interval": "1209600",
    "ups.test.result": "NO",
}


class MemoryUpsd:
    """`requests` is every line that came, `told` those of them that command or set. `unavailable` is the token that
    availability checks answer. `effects`: what variables become once a command or setting was taken. `refuse`: tokens
    by command or variable. `tracking`: what GET TRACKING says, the last for ever; empty: this upsd has none.
    """

    def __init__(self) -> None:
        self.name = "rack"
        self.variables = dict(VARIABLES)
        self.writable = {"ups.id", "battery.date", "input.sensitivity", "input.transfer.high", "ups.delay.shutdown"}
        self.enums = {"input.transfer.high": ["253", "264", "271", "280"], "ups.delay.shutdown": ["020", "180", "300"]}
        self.commands = ["test.battery.start", "beeper.mute", "load.off", "shutdown.return", "outlet.1.load.off"]
        self.users = {USER: PASSWORD}
        self.unavailable = ""
        self.tls = ""
        self.effects: dict[str, dict[str, str]] = {}
        self.refuse: dict[str, str] = {}
        self.tracking: list[str] = ["SUCCESS"]
        self.requests: list[str] = []
        self._said: dict[str, str] = {}

    @property
    def told(self) -> list[str]:
        return [line for line in self.requests if line.startswith(("INSTCMD", "SET VAR"))]

    def open(self) -> None:
        self._said = {}

    def answer(self, request: bytes) -> bytes:
        assert request.endswith(b"\n")
        assert request.count(b"\n") == 1
        line = request.decode()[:-1]
        self.requests.append(line)
        verb, *rest = split(line)
        method: Callable[[list[str]], str] = getattr(self, f"_{verb.lower()}")
        return method(rest).encode() + b"\n"

    def _starttls(self, words: list[str]) -> str:
        return f"ERR {self.tls}" if self.tls else "OK STARTTLS"

    def _username(self, words: list[str]) -> str:
        self._said["user"] = words[0]
        return "OK"

    def _password(self, words: list[str]) -> str:
        self._said["password"] = words[0]
        return "OK"

    def _available(self, unit: str) -> str:
        if unit.lower() != self.name:
            return "ERR UNKNOWN-UPS"
        return f"ERR {self.unavailable}" if self.unavailable else ""

    def _denied(self) -> str:
        known = "user" in self._said and self.users.get(self._said["user"]) == self._said.get("password")
        return "" if known else "ERR ACCESS-DENIED" if "user" in self._said else "ERR USERNAME-REQUIRED"

    def _list(self, words: list[str]) -> str:
        kind, unit, *more = words
        if error := self._available(unit):
            return error
        rows = {
            "VAR": [f"{key} {quote(value)}" for key, value in self.variables.items()],
            "RW": [f"{key} {quote(self.variables[key])}" for key in sorted(self.writable)],
            "CMD": self.commands,
            "ENUM": [quote(value) for value in self.enums.get(more[0], [])] if more else [],
        }[kind]
        head = " ".join(words)
        return "\n".join((f"BEGIN LIST {head}", *(f"{head} {row}" for row in rows), f"END LIST {head}"))

    def _get(self, words: list[str]) -> str:
        if words[0] == "TRACKING":
            said = self.tracking.pop(0) if len(self.tracking) > 1 else self.tracking[0]
            return said if words[1] == TRACKING_ID else "ERR UNKNOWN"
        _, unit, variable = words
        if error := self._available(unit):
            return error
        if variable not in self.variables:
            return "ERR VAR-NOT-SUPPORTED"
        return f"VAR {unit} {variable} {quote(self.variables[variable])}"

    def _set(self, words: list[str]) -> str:
        if words[0] == "TRACKING":
            return self._denied() or ("OK" if self.tracking else "ERR INVALID-ARGUMENT")
        _, unit, variable, value = words
        error = self._available(unit) or self._denied()
        if error or variable in self.refuse:
            return error or f"ERR {self.refuse[variable]}"
        if variable not in self.writable:
            return "ERR READONLY"
        self.variables.update(self.effects.get(variable, {variable: value}))
        return self._ok()

    def _instcmd(self, words: list[str]) -> str:
        unit, command = words
        error = self._available(unit) or self._denied()
        if error or command in self.refuse:
            return error or f"ERR {self.refuse[command]}"
        if command not in self.commands:
            return "ERR CMD-NOT-SUPPORTED"
        self.variables.update(self.effects.get(command, {}))
        return self._ok()

    def _ok(self) -> str:
        return f"OK TRACKING {TRACKING_ID}" if self.tracking else "OK"


def split(line: str) -> list[str]:
    """A line's words; like upsd's, this parser knows no bare # in quotes."""
    pattern = re.compile(r'"((?:\\.|[^"\\#])*)"|([^\s"\\#]+)')
    assert not pattern.sub("", line).strip(), line
    return [bare or re.sub(r"\\(.)", r"\1", quoted) for quoted, bare in pattern.findall(line)]


def quote(value: str) -> str:
    for character in '\\"#':
        value = value.replace(character, "\\" + character)
    return f'"{value}"'


class NutBench:
    """`also` is put behind the URL."""

    def __init__(
        self,
        also: str = "",
        *,
        user: bool = False,
        tls: bool = False,
        pinned: str | None = None,
        also_allowed: frozenset[Verb] = frozenset(),
    ) -> None:
        self.clock = MemoryClock()
        self.upsd = MemoryUpsd()
        self.port = PeerPort(self.clock, self.upsd)
        self.url = "nut://10.0.0.7/rack?" + also + (f"&user={USER}&password_file=/run/password" if user else "")
        self.driver = NutDriver(
            self.url,
            self.port,
            read_options(parse(self.url)),
            pinned=pinned,
            also_allowed=also_allowed,
            context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if tls else None,
            password=PASSWORD if user else None,
            clock=self.clock,
            chance=lambda: 0.5,
        )

    async def execute(self, verb: Verb, **more: object) -> Report:
        """The command, for the unit that is there unless `serial` says another."""
        await self.driver.connect()
        fields: dict[str, object] = {"serial": SERIAL, **more}
        return await self.driver.execute(Command(verb=verb, **fields))  # type: ignore[arg-type]  # fields of Command
