"""From settings to the running gateway: makes the outbox file ready, then puts the lean agent in this
process's place."""

from __future__ import annotations

import fcntl
import os
import sys
from typing import NoReturn

import msgspec

from gateway.errors import CannotStart
from gateway.settings import GatewaySettings, to_json
from gateway.store.schema import prepare

LOCK = "gateway.lock"


def launch(settings: GatewaySettings, log_level: str) -> NoReturn:
    """Replaces this process. Raises CannotStart or another GatewayError."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        _lock(settings)
        outbox = prepare(settings.data)
    except OSError as error:
        raise CannotStart(f"{error.filename or settings.data}: {error.strerror}") from error
    order = {"settings": msgspec.Raw(to_json(settings)), "outbox": str(outbox), "log_level": log_level}
    fd = os.memfd_create("gateway-order", 0)
    os.write(fd, msgspec.json.encode(order))
    # -P: a folder that happens to be named `config` where it was started is not ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "gateway.runtime.agent", str(fd)])


def _lock(settings: GatewaySettings) -> None:
    """Held by the file descriptor, through the exec, until the process ends."""
    fd = os.open(settings.data / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise CannotStart(f"{settings.data}: another gateway runs on this folder") from None
    os.set_inheritable(fd, True)
