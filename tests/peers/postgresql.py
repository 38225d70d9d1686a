"""A PostgreSQL server of a test's own, on a unix socket in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.process import Process

NOBODY = 65534
QUIET = ("fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=50")


@contextmanager
def postgresql_at(programs: Path) -> Iterator[str]:
    """SQLAlchemy's URL of an empty database; `programs`: the folder of postgres and initdb.

    The server refuses to be root. Then it is nobody, who may not be able to look into this checkout, hence the copy.
    """
    home = Path(tempfile.mkdtemp(prefix="ridethrough-pg-"))
    try:
        data, prefix = home / "data", list[str]()
        if os.geteuid() == 0:
            prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            root = programs.parents[3]
            shutil.copytree(root, home / "usr", symlinks=True)
            programs = home / "usr" / programs.relative_to(root)
            os.chown(home, NOBODY, NOBODY)
        initdb = [*prefix, str(programs / "initdb"), "-D", str(data), "-U", "test", "-A", "trust", "-N", "-E", "UTF8"]
        done = subprocess.run([*initdb, "--locale=C"], capture_output=True, text=True, timeout=60, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr
        settings = [word for setting in QUIET for word in ("-c", setting)]
        server = Process([*prefix, programs / "postgres", "-D", data, "-k", home, *settings], cwd=Path("/"))
        try:
            server.logged("database system is ready to accept connections")
            yield f"postgresql+psycopg://test@/postgres?host={home}"
        finally:
            server.clean_up()
    finally:
        shutil.rmtree(home, ignore_errors=True)
