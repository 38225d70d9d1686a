"""Debian's NUT: drivers, upsd and its clients, in a folder of their own, on a free loopback port."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from socket import create_server
from types import MappingProxyType

import msgspec

from tests.conftest import Start
from tests.process import Process

USER, PASSWORD = "owner", "of-the-test"
"""Who may do everything that upsd lets anybody do."""

COMMAND_S = 30
SERVED_S = 60.0
"""How long a driver may take until its data are there: apcsmart asks for everything once, at 2400 baud."""
_SERVES = "open on fd"
"""What a driver logs (debug level 2) when it has read its unit and listens for upsd."""
_COMPLETE = "UPS [{}]: dump is done"
"""What upsd logs (debug level 3) when a driver has told it everything; until then upsc sees a part of it."""

_UPSD_CONF = """\
LISTEN 127.0.0.1 {port}
MAXAGE 15
{more}
"""
_USERS = f"""\
[{USER}]
    password = {PASSWORD}
    actions = SET
    actions = FSD
    instcmds = ALL
"""


class NutUnit(msgspec.Struct, frozen=True):
    """One section of ups.conf: a driver's name, its port and whatever else it is told."""

    driver: str
    port: str
    options: Mapping[str, str] = MappingProxyType({})


def dummy(dev: Path) -> NutUnit:
    """A unit that shows what stands in that .dev file, as it stood there at the start."""
    return NutUnit("dummy-ups", str(dev), {"mode": "dummy-once"})


def apcsmart(device: str, **options: str) -> NutUnit:
    """A unit that speaks UPS-Link on that serial line."""
    return NutUnit("apcsmart", device, options)


class Upsd:
    """upsd with a driver for each unit; `address` is its HOST:PORT.

    `upsd_conf` is added to upsd.conf. The files are in `folder`, which has to be the unit's own; its path must be
    short, for a driver's socket is in it.
    """

    def __init__(
        self, start_peer: Start, nut_dir: Path, folder: Path, units: Mapping[str, NutUnit], *, upsd_conf: str = ""
    ) -> None:
        self._start, self._nut_dir, self._units = start_peer, nut_dir, dict(units)
        self._environment = {name: str(folder) for name in ("NUT_CONFPATH", "NUT_STATEPATH", "NUT_ALTPIDPATH")}
        with create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        sections = [_section(name, unit) for name, unit in self._units.items()]
        _write(folder / "ups.conf", "pollinterval = 1\n" + "".join(sections))
        _write(folder / "upsd.conf", _UPSD_CONF.format(port=self.port, more=upsd_conf))
        _write(folder / "upsd.users", _USERS)
        self.drivers: dict[str, Process] = {}
        for name in self._units:
            self._start_driver(name)
        for driver in self.drivers.values():
            driver.logged(_SERVES, within_s=SERVED_S)
        self.upsd = self._run(nut_dir / "lib/nut/upsd", "-DDD")
        for name in self._units:
            self.upsd.logged(_COMPLETE.format(name))

    def start_driver(self, name: str) -> None:
        """Start the driver of a unit again; upsd has all that it says when this returns."""
        complete = self.upsd.stderr.count(_COMPLETE.format(name))
        self._start_driver(name)
        self.upsd.logged(_COMPLETE.format(name), times=complete + 1, within_s=SERVED_S)

    def _start_driver(self, name: str) -> None:
        self.drivers[name] = self._run(self._program(name), "-DD", "-a", name)

    def stop_driver(self, name: str) -> None:
        """End a unit's driver: its data become stale."""
        self.drivers.pop(name).terminate()

    def kill_power(self, name: str) -> str:
        """What upsdrvctl does at the end of a shutdown: the driver, run with -k. What it logged."""
        if name in self.drivers:
            self.stop_driver(name)
        killer = self._run(self._program(name), "-a", name, "-k")
        assert killer.ended(within_s=SERVED_S) == 0, killer.stderr
        return killer.stdout + killer.stderr

    def said(self, name: str) -> dict[str, str]:
        """Every variable of a unit, as upsc prints it; nothing without its driver, or while its data are stale."""
        lines = (line.partition(": ") for line in self._client("upsc", f"{name}@{self.address}").stdout.splitlines())
        return {variable: value for variable, _, value in lines}

    def once(self, name: str, come: Callable[[dict[str, str]], bool], within_s: float = 30.0) -> dict[str, str]:
        """What upsc prints as soon as that is so, or else what it prints in the end."""
        give_up_at = time.monotonic() + within_s
        while not come(said := self.said(name)) and time.monotonic() < give_up_at:
            pass
        return said

    def commands(self, name: str) -> set[str]:
        """The instant commands that upscmd lists."""
        lines = self._client("upscmd", "-l", f"{name}@{self.address}").stdout.splitlines()
        return {line.split(" - ")[0].strip() for line in lines if " - " in line}

    def command(self, name: str, *words: str) -> str:
        """What upscmd prints about a command whose end it has waited for."""
        done = self._client("upscmd", *self._as_owner(), f"{name}@{self.address}", *words)
        return (done.stdout + done.stderr).strip()

    def set(self, name: str, variable: str, value: str) -> str:
        """What upsrw prints about a setting whose end it has waited for."""
        done = self._client("upsrw", "-s", f"{variable}={value}", *self._as_owner(), f"{name}@{self.address}")
        return (done.stdout + done.stderr).strip()

    def _as_owner(self) -> tuple[str, ...]:
        return ("-u", USER, "-p", PASSWORD, "-w", "-t", str(COMMAND_S - 5))

    def _program(self, name: str) -> Path:
        return self._nut_dir / "lib/nut" / self._units[name].driver

    def _run(self, program: Path, *words: str) -> Process:
        return self._start(program, "-F", "-u", "root", *words, env=self._environment)

    def _client(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [self._nut_dir / "bin" / program, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)


def _section(name: str, unit: NutUnit) -> str:
    lines = {"driver": unit.driver, "port": unit.port, **unit.options}
    return f"[{name}]\n" + "".join(f'    {key} = "{value}"\n' for key, value in lines.items())


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
