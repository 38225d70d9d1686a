"""From settings to the running gateway: makes the outbox file ready, then puts the lean agent in this process's
place."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from typing import NoReturn

from gateway.errors import CannotStart
from gateway.order import Order, Source, Wishes, to_json
from gateway.settings import GatewaySettings
from gateway.store.prepare import prepare

LOCK = "gateway.lock"

_LEAN = {"MALLOC_ARENA_MAX": "1"}
"""One heap for all threads (mallopt(3)): each has little to say to it, and every further one keeps what it freed."""


def launch(wishes: Wishes, source: Source) -> NoReturn:
    """Replaces this process. Raises CannotStart or another GatewayError."""
    settings = wishes.settings
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        _lock(settings)
        outbox = prepare(settings.data)
    except OSError as error:
        raise CannotStart(f"{error.filename or settings.data}: {error.strerror}") from error
    fd = os.memfd_create("gateway-order", 0)
    os.write(fd, to_json(Order(wishes, source, str(outbox))))
    # A reload that is asked for before the agent listens must not end it; an exec keeps what is ignored.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # -P: a folder that happens to be named `config` where it was started is not ours.
    command = [sys.executable, "-P", "-m", "gateway.runtime.agent", str(fd)]
    os.execve(sys.executable, command, {**os.environ, **_LEAN})


def _lock(settings: GatewaySettings) -> None:
    """Held by the file descriptor, through the exec, until the process ends."""
    fd = os.open(settings.data / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise CannotStart(f"{settings.data}: another gateway runs on this folder") from None
    os.set_inheritable(fd, True)
