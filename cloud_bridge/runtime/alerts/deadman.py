"""A sign of life to an outside service, as long as there is life: ingest hears, and the alert queue is empty."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from cloud_bridge.notify.errors import NotSent
from cloud_bridge.notify.http import request
from cloud_bridge.presence import hears
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.settings import DeadMan
from cloud_bridge.store.errors import StoreError
from cloud_bridge.store.reader import Reader

REQUEST_S = 10.0
FIRST_S = 5.0
"""After the start, by when what waited is worked on."""
RECENTLY_S = 30.0
"""The queue was empty so lately, or alerts do not get through."""

log = logging.getLogger(__name__)


async def keep_signalling(
    dead_man: DeadMan, telemetry: Path, drained_at: Callable[[], float | None], first_s: float = FIRST_S
) -> None:
    """Until cancelled. `drained_at`: when the queue was last empty, in monotonic seconds."""
    told = ""
    await asyncio.sleep(first_s)
    while True:
        trouble = await asyncio.to_thread(_trouble, telemetry, drained_at()) or await _get(dead_man.url)
        if trouble and trouble != told:
            log.error("no sign of life to the dead-man service: %s", trouble)
        if told and not trouble:
            log.warning("the dead-man service gets signs of life again")
        told = trouble
        await asyncio.sleep(dead_man.every_s)


def _trouble(telemetry: Path, drained_at: float | None) -> str:
    """Why there is no life; empty: there is."""
    if drained_at is None or monotonic() - drained_at > RECENTLY_S:
        return "the alert queue is not worked on"
    try:
        with Reader(telemetry) as reader:
            row = reader.ingest()
    except (StoreError, sqlite3.Error) as error:
        return str(error)
    return "" if row is not None and hears(row, now_ms()) else "ingest does not hear the broker"


async def _get(url: str) -> str:
    """What is wrong; empty: it was heard. The URL may hold a secret: nothing but its host is in what is told."""
    agent = [("User-Agent", "Ridethrough")]
    try:
        answer = await request("GET", urlsplit(url), agent, b"", allow_private=True, limit_s=REQUEST_S)
    except ValueError:  # of a port that is none
        return "its URL in cloud.yaml is none"
    except NotSent as error:
        return f"it can't be reached: {error.reason}"
    if 300 <= answer.status < 400:
        return f"it answered with status {answer.status}: redirects are not followed, so name the final URL"
    return "" if 200 <= answer.status < 300 else f"it answered with status {answer.status}"
