"""Debian's NUT at its own defaults: apcsmart for each line, upsd, and upsmon, whose NOTIFYCMD notes when it was run; by
upssched in between, if that is wished, as NUT's manual has it for mails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from simulator.rig.patience import until
from simulator.rig.peers.running import free_port, program, running

INSTALLER = "tests/peers/install"
NOTIFY = "notify"
READY_S = 120.0
"""apcsmart asks for everything there is before it serves, at 2400 baud."""

_UPSMON = """\
RUN_AS_USER root
MINSUPPLIES 0
SHUTDOWNCMD "/bin/true"
NOTIFYCMD {notify}
NOTIFYFLAG ONLINE EXEC
NOTIFYFLAG ONBATT EXEC
NOTIFYFLAG LOWBATT IGNORE
NOTIFYFLAG COMMOK IGNORE
NOTIFYFLAG COMMBAD IGNORE
NOTIFYFLAG NOCOMM IGNORE
NOTIFYFLAG SHUTDOWN IGNORE
"""
_USERS = "[watch]\n    password = watch\n    upsmon secondary\n"
_UPSSCHED = """\
CMDSCRIPT {notify}
PIPEFN {folder}/upssched.pipe
LOCKFN {folder}/upssched.lock
AT ONBATT * EXECUTE onbatt
AT ONLINE * EXECUTE online
"""
"""No timer: a mail at once, as ours without a hold."""
_NOTIFY = '#!/bin/sh\necho "$(date +%s%N) $NOTIFYTYPE $UPSNAME" >>{told}\n'


class Nut:
    """`told`: the file that each notification adds a line to."""

    def __init__(self, told: Path) -> None:
        self._told = told

    def told_s(self) -> Mapping[tuple[str, str], list[float]]:
        """UTC seconds of each notification, by unit and NOTIFYTYPE, oldest first."""
        return notifications(self._told.read_text())

    async def nth(self, unit: str, kind: str, count: int, timeout_s: float) -> None:
        """Until so many notifications of that kind were given of the unit. Raises TooSlow."""
        what = f"NUT's {kind} number {count} of {unit}"
        await until(lambda: len(self.told_s().get((unit, kind), ())) >= count, what, timeout_s)


@asynccontextmanager
async def nut(folder: Path, lines: Mapping[str, str], *, upssched: bool = False) -> AsyncIterator[Nut]:
    """`lines`: serial devices by the units' names. `folder` is new; its path is short, for sockets are in it.

    Raises NotInstalled or TooSlow.
    """
    told = _settings(folder, lines, program("nut/sbin/upssched", INSTALLER) if upssched else folder / NOTIFY)
    environment = {name: str(folder) for name in ("NUT_CONFPATH", "NUT_STATEPATH", "NUT_ALTPIDPATH", "NUT_PIDPATH")}
    driver, upsd, upsmon = (program(f"nut/lib/nut/{name}", INSTALLER) for name in ("apcsmart", "upsd", "upsmon"))
    async with AsyncExitStack() as stack:
        for name in lines:
            command = (driver, "-DD", "-F", "-u", "root", "-a", name)
            await stack.enter_async_context(running(command, folder / f"{name}.log", environment))
        for name in lines:
            await _logged(folder / f"{name}.log", "open on fd")
        await stack.enter_async_context(running((upsd, "-DDD", "-F", "-u", "root"), folder / "upsd.log", environment))
        for name in lines:
            await _logged(folder / "upsd.log", f"UPS [{name}]: dump is done")
        await stack.enter_async_context(running((upsmon, "-D", "-F", "-p"), folder / "upsmon.log", environment))
        for name in lines:
            await _logged(folder / "upsmon.log", f"Logged into UPS {name}@")
        yield Nut(told)


def notifications(text: str) -> dict[tuple[str, str], list[float]]:
    """By unit and NOTIFYTYPE, in seconds, from lines of nanoseconds, NOTIFYTYPE and UPSNAME."""
    found: dict[tuple[str, str], list[float]] = {}
    for line in text.splitlines():
        at_ns, kind, unit = line.split()
        found.setdefault((unit.partition("@")[0], kind), []).append(int(at_ns) / 1e9)
    return found


def _settings(folder: Path, lines: Mapping[str, str], notifies: Path) -> Path:
    """`notifies`: the program that upsmon runs."""
    folder.mkdir(parents=True)
    port, told, notify = free_port(), folder / "told", folder / NOTIFY
    told.touch()
    notify.write_text(_NOTIFY.format(told=told))
    notify.chmod(0o755)
    sections = (f'[{name}]\n    driver = "apcsmart"\n    port = "{device}"\n' for name, device in lines.items())
    monitors = (f"MONITOR {name}@127.0.0.1:{port} 1 watch watch secondary\n" for name in lines)
    for name, text in {
        "ups.conf": "".join(sections),
        "upsd.conf": f"LISTEN 127.0.0.1 {port}\n",
        "upsd.users": _USERS,
        "upsmon.conf": "".join(monitors) + _UPSMON.format(notify=notifies),
        "upssched.conf": _UPSSCHED.format(notify=notify, folder=folder),
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return told


async def _logged(log: Path, words: str) -> None:
    await until(lambda: words in log.read_text(errors="replace"), f"{words!r} in {log.name}", READY_S)
