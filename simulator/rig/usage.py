"""What a process uses, as the kernel counts it in /proc."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """`processor_ns`: of all threads that live. `written_bytes`: pages that were made dirty in files, 4 KiB each."""

    resident_mb: float
    processor_ns: int
    written_bytes: int
    handles: int


def usage(pid: int | None) -> Usage:
    """Of a process that runs. Raises OSError if it does not."""
    process = Path(f"/proc/{pid}")
    return Usage(
        resident_mb=resident_mb((process / "status").read_text()),
        processor_ns=sum(map(processor_ns, _schedules(process))),
        written_bytes=written_bytes((process / "io").read_text()),
        handles=len(list((process / "fd").iterdir())),
    )


def resident_mb(status: str) -> float:
    """VmRSS of proc(5)'s status, in 2^20 bytes."""
    return int(_field(status, "VmRSS:").split()[0]) / 1024


def processor_ns(schedstat: str) -> int:
    """Time on a processor, the first field of schedstat (kernel: Documentation/scheduler/sched-stats)."""
    return int(schedstat.split()[0])


def written_bytes(io: str) -> int:
    """write_bytes of proc(5)'s io, less what was cut off again before it reached a disk."""
    return int(_field(io, "write_bytes:")) - int(_field(io, "cancelled_write_bytes:"))


def _schedules(process: Path) -> Iterator[str]:
    for thread in (process / "task").iterdir():
        yield (thread / "schedstat").read_text()


def _field(text: str, name: str) -> str:
    (value,) = (line.removeprefix(name) for line in text.splitlines() if line.startswith(name))
    return value.strip()
