"""The machine, as its kernel shows it. What it does not show is None."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from gateway.wire.health import Host

T = TypeVar("T")

UNDER_VOLTAGE_NOW = 1
"""Bit 0 of the Raspberry Pi firmware's flags (its documentation, "vcgencmd", get_throttled)."""

_PROCESSOR_ZONES = ("cpu", "soc", "x86_pkg_temp")
"""What the thermal zone of a processor is called: cpu-thermal on a Raspberry Pi."""

MAX_CHARS = 4096


class HostReader:
    """`data`: a folder on the disk that matters. `root`: where /proc and /sys are."""

    def __init__(self, data: Path, root: Path = Path("/")) -> None:
        self.data = data
        self.root = root

    def read(self) -> Host:
        """May block as long as the disk does."""
        throttled = self._first("sys/devices/platform/soc*/*firmware/get_throttled", lambda text: int(text, 16))
        return Host(
            cpu_temp_c=self._cpu_temp_c(),
            throttled=throttled,
            under_voltage=self._under_voltage(throttled),
            disk_free_bytes=_free_bytes(self.data),
            resident_bytes=self._first("proc/self/statm", _resident_bytes),
            load_1min=self._first("proc/loadavg", lambda text: float(text.split()[0])),
            uptime_s=round(time.clock_gettime(time.CLOCK_BOOTTIME)),
        )

    def _cpu_temp_c(self) -> float | None:
        zones = sorted(self.root.glob("sys/class/thermal/thermal_zone*"))
        kinds = [(_read(zone / "type", str.strip) or "", zone) for zone in zones]
        of_processor = [zone for kind, zone in kinds if kind.startswith(_PROCESSOR_ZONES)]
        return _read(of_processor[0] / "temp", lambda text: int(text) / 1000) if of_processor else None

    def _under_voltage(self, throttled: int | None) -> bool | None:
        """The kernel's own alarm (driver raspberrypi-hwmon), else the firmware's flag."""
        for device in sorted(self.root.glob("sys/class/hwmon/hwmon*")):
            if _read(device / "name", str.strip) == "rpi_volt":
                return _read(device / "in0_lcrit_alarm", lambda text: int(text) != 0)
        return None if throttled is None else bool(throttled & UNDER_VOLTAGE_NOW)

    def _first(self, pattern: str, meaning: Callable[[str], T]) -> T | None:
        found = sorted(self.root.glob(pattern))
        return _read(found[0], meaning) if found else None


def _read(path: Path, meaning: Callable[[str], T]) -> T | None:
    """A small file of the kernel's; a driver may refuse or say what nobody expects."""
    with suppress(OSError, ValueError, IndexError), path.open(encoding="ascii") as file:
        return meaning(file.read(MAX_CHARS))
    return None


def _resident_bytes(statm: str) -> int:
    return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _free_bytes(folder: Path) -> int | None:
    with suppress(OSError):
        disk = os.statvfs(folder)
        return disk.f_bavail * disk.f_frsize
    return None
