"""Debian's apcupsd on a serial line, in a folder of its own, where it can do this machine no harm."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from socket import create_server

from tests.conftest import Start

CONFIGURATION = """\
## apcupsd.conf v1.1 ##
UPSCABLE smart
UPSTYPE {driver}
DEVICE {device}
POLLTIME 1
LOCKFILE {folder}
SCRIPTDIR {folder}
PWRFAILDIR {folder}
NOLOGINDIR {folder}
NOLOGON disable
ONBATTERYDELAY 100000
BATTERYLEVEL -1
MINUTES -1
TIMEOUT 0
ANNOY 0
KILLDELAY 0
SELFTEST OFF
NETSERVER on
NISIP 127.0.0.1
NISPORT {port}
EVENTSFILE {folder}/events
STATTIME 0
STATFILE {folder}/status
LOGSTATS off
DATATIME 0
UPSCLASS standalone
UPSMODE disable
"""
"""No limit at which it would shut down, and a script in place of the one that would do it."""

SCRIPT = "#!/bin/sh\nexit 0\n"


class Apcupsd:
    """The daemon with its driver (UPSTYPE), and `apcaccess` to ask it."""

    def __init__(self, start_peer: Start, programs: Path, folder: Path, device: str, *, driver: str = "modbus") -> None:
        self._apcaccess = programs / "apcaccess"
        with create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.address = f"127.0.0.1:{self._port}"
        script = folder / "apccontrol"
        script.write_text(SCRIPT)
        script.chmod(0o755)
        configuration = folder / "apcupsd.conf"
        configuration.write_text(CONFIGURATION.format(driver=driver, device=device, folder=folder, port=self._port))
        start_peer(programs / "apcupsd", "-b", "-f", configuration)

    def said(self) -> dict[str, str]:
        """What apcaccess prints now; nothing while the daemon does not answer yet."""
        command: list[str | Path] = [self._apcaccess, "-h", f"127.0.0.1:{self._port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        lines = (line.partition(":") for line in done.stdout.splitlines())
        return {name.strip(): value.strip() for name, _, value in lines}

    def once(self, come: Callable[[dict[str, str]], bool], within_s: float = 60.0) -> dict[str, str]:
        """What it says as soon as that is so, or else what it says in the end."""
        give_up_at = time.monotonic() + within_s
        while not come(said := self.said()) and time.monotonic() < give_up_at:
            pass
        return said
