"""The outbox file made ready before the long-running process begins; a damaged one is set aside and read out.

A new file is built beside the damaged one, and takes its place once everything readable is in it: killed at any
moment, this begins anew or is finished by the next start.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import NotKept, OutboxDamaged
from gateway.runtime.clock import SystemClock
from gateway.store.marker import marked, unmark
from gateway.store.salvage import salvage
from gateway.store.schema import FILE, open_outbox
from gateway.store.writer import BALLAST
from gateway.wire.messages import Stamp

logger = logging.getLogger("gateway.outbox")

ASIDE_AT_MOST = 2
"""Damaged files that are kept, the newest: a card that goes on failing must not fill itself with them."""

_PARTS = ("", "-wal", "-shm")


def prepare(data: Path) -> Path:
    """The outbox file in the folder `data`, ready for this version. Raises NewerOutbox or NotKept."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, new = data / FILE, data / "outbox-new.sqlite3"
    stamp = SystemClock().stamp()
    if new.exists() and not path.exists():
        _take_place(new, path, _name_aside(path, stamp))
    _remove(new)
    try:
        if why := marked(path):
            raise OutboxDamaged(path, why)
        open_outbox(path)
    except OutboxDamaged as error:
        _read_out(path, new, error, stamp)
    return path


def _read_out(path: Path, new: Path, error: OutboxDamaged, stamp: Stamp) -> None:
    aside = _name_aside(path, stamp)
    path.with_name(BALLAST).unlink(missing_ok=True)
    open_outbox(new)
    try:
        saved = salvage(path, new, aside.name, error.why, stamp)
    except sqlite3.OperationalError as disk:
        raise NotKept(str(disk), full=disk.sqlite_errorcode == sqlite3.SQLITE_FULL) from disk
    _take_place(new, path, aside)
    unmark(path)
    for older in sorted(path.parent.glob("outbox-damaged-*.sqlite3"))[:-ASIDE_AT_MOST]:
        _remove(older)
    logger.error("%s; kept as %s, a new stream begins with %s of it", error, aside.name, saved)


def _name_aside(path: Path, stamp: Stamp) -> Path:
    at = datetime.fromtimestamp(stamp.at / 1000, UTC)
    return path.with_name(f"outbox-damaged-{at:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}.sqlite3")


def _take_place(new: Path, path: Path, aside: Path) -> None:
    """The damaged file goes with its journal before the new one comes: a journal is applied to whatever lies there."""
    for part in _PARTS:
        if (old := Path(f"{path}{part}")).exists():
            old.rename(f"{aside}{part}")
    new.rename(path)


def _remove(file: Path) -> None:
    for part in _PARTS:
        Path(f"{file}{part}").unlink(missing_ok=True)
