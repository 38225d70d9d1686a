"""kill -9 at every commit and in every write, a full disk at every write: no event lost, doubled or reordered."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import count
from pathlib import Path

import msgspec
import pytest

from gateway.entries import Want
from gateway.store.outbox import OutboxFile
from gateway.store.prepare import prepare
from gateway.wire.codec import decode_record
from gateway.wire.messages import Lane, Stamp
from tests.conftest import lacking
from tests.gateway.filling import EVENTS

STAMP = Stamp(at=1, boot="b", mono=1)
FRAME = 4096 + 24
"""A page in the journal with its header (https://sqlite.org/fileformat.html, 4.1)."""

WRITES = [frame * FRAME + more for frame in range(0, 30, 3) for more in (0, 24, 2000)]
"""Where a write is cut: between two frames, behind a frame's header, in its page."""


def run(fault: str, number: int, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.gateway.filling", fault, str(number), str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def said(done: subprocess.CompletedProcess[str]) -> int:
    """The last event that was told to be written."""
    return max((int(line) for line in done.stdout.split() if line != "done"), default=0)


def kept(folder: Path) -> tuple[list[int], bytes | None]:
    """The events as the next start would send them, and the unit's state with them."""
    with closing(sqlite3.connect(prepare(folder), isolation_level=None)) as connection:
        file = OutboxFile(connection)
        lane = file.lanes()[Lane.EVENTS]
        entries = file.load(Want(Lane.EVENTS, lane.stream, 1, lane.next - 1), STAMP).entries if lane.next > 1 else ()
        assert not any(entry.gap for entry in entries)
        bodies = [msgspec.json.decode(decode_record(entry.raw).body) for entry in entries]
        assert not list(folder.glob("outbox-damaged-*"))
        assert len({entry.origin and entry.origin.stream for entry in entries}) <= 2
        return [body["id"] for body in bodies], file.unit("rack-1").state


@pytest.mark.parametrize("when", ["before", "after"])
def test_kill_9_at_every_commit_loses_nothing_that_was_written(when: str, tmp_path: Path) -> None:
    reached = set()
    for number in count(1):
        path = prepare(tmp_path / f"{number}")
        done = run(when, number, path)
        numbers, state = kept(path.parent)
        assert numbers == [*range(1, len(numbers) + 1)]
        assert len(numbers) >= said(done)
        assert state == (b"%d" % numbers[-1] if numbers else None)
        reached.add(len(numbers))
        if "done" in done.stdout:
            break
    assert reached == {*range(EVENTS + 2)}


def test_kill_9_in_the_middle_of_every_write_loses_nothing_that_was_written(tmp_path: Path) -> None:
    reached = set()
    for more in WRITES:
        path = prepare(tmp_path / f"{more}")
        done = run("killed-in-write", more, path)
        numbers, state = kept(path.parent)
        assert numbers == [*range(1, len(numbers) + 1)]
        assert len(numbers) >= said(done)
        assert state == (b"%d" % numbers[-1] if numbers else None)
        reached.add(len(numbers))
    assert len(reached) > 4


def test_a_disk_that_is_full_at_any_write_keeps_every_event_for_when_there_is_room(tmp_path: Path) -> None:
    refused = 0
    for more in WRITES:
        path = prepare(tmp_path / f"{more}")
        done = run("full", more, path)
        assert "done" in done.stdout, done.stderr
        assert kept(path.parent) == ([*range(1, EVENTS + 2)], b"%d" % (EVENTS + 1))
        told, over = (
            done.stderr.count(words) for words in ("nothing can be written to the outbox", "is written again")
        )
        assert told == over <= 2
        refused += "nothing can be written to the outbox" in done.stderr
    assert refused > len(WRITES) / 2


def mounted(folder: Path) -> list[str]:
    """A command in front of another that gives it a small file system at `folder`, and nobody else."""
    return [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        f'mount -t tmpfs -o size=8m none {folder} && "$@"',
        "-",
    ]


def test_a_small_file_system_that_fills_up_keeps_every_event_for_when_there_is_room(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        lacking("needs util-linux's unshare, for a file system of its own")
    if subprocess.run([*mounted(tmp_path), "true"], capture_output=True, check=False).returncode:
        lacking("this machine lets nobody mount")
    program = (
        "import shutil, sys; from pathlib import Path\n"
        "from tests.gateway import filling, test_outbox_faults as faults\n"
        "from gateway.store.prepare import prepare\n"
        "for free in range(0, 40 * 4096, 4096):\n"
        "    path = prepare(Path(sys.argv[1]) / str(free))\n"
        "    filling.main('full-disk', free, path)\n"
        "    last = filling.EVENTS + 1\n"
        "    print(faults.kept(path.parent) == ([*range(1, last + 1)], b'%d' % last), flush=True)\n"
        "    shutil.rmtree(path.parent)\n"
    )
    command = [*mounted(tmp_path), sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("True") == 40
    assert "False" not in done.stdout
    assert "nothing can be written to the outbox" in done.stderr
