"""Reading the audit log beside a gateway that may be running."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from gateway.audit import Line
from gateway.errors import NoAudit
from gateway.store.commands import CommandsFile
from gateway.store.schema import FILE

PATIENCE_S = 10.0


def read_audit(data: Path) -> Iterator[Line]:
    """All lines, oldest first, of the outbox in the folder `data`. Raises NoAudit."""
    path = data / FILE
    if not path.exists():
        raise NoAudit(path, "there is no outbox yet: `gateway run` makes it")
    try:
        uri = f"file:{quote(str(path))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE_S)) as connection:
            yield from CommandsFile(connection).lines()
    except sqlite3.Error as error:
        raise NoAudit(path, f"can't be read: {error}") from error
