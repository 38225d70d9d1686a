"""A sign of life to an outside service, as long as there is life: ingest hears, and the alert queue is empty."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from time import monotonic

from cloud_bridge.presence import hears
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.settings import DeadMan
from cloud_bridge.store.errors import StoreError
from cloud_bridge.store.reader import Reader

REQUEST_S = 10.0
ANSWER_BYTES = 4096
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
        trouble = await asyncio.to_thread(_signal, dead_man.url, telemetry, drained_at())
        if trouble and trouble != told:
            log.error("no sign of life to the dead-man service: %s", trouble)
        if told and not trouble:
            log.warning("the dead-man service gets signs of life again")
        told = trouble
        await asyncio.sleep(dead_man.every_s)


def _signal(url: str, telemetry: Path, drained_at: float | None) -> str:
    """What is wrong; empty: it was sent."""
    if drained_at is None or monotonic() - drained_at > RECENTLY_S:
        return "the alert queue is not worked on"
    try:
        with Reader(telemetry) as reader:
            row = reader.ingest()
    except (StoreError, sqlite3.Error) as error:
        return str(error)
    if row is None or not hears(row, now_ms()):
        return "ingest does not hear the broker"
    return _get(url)


def _get(url: str) -> str:
    """The URL may hold a secret: it is not in what is told."""
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    request = urllib.request.Request(url, headers={"User-Agent": "ridethrough"})
    try:
        with closing(opener.open(request, timeout=REQUEST_S)) as answer:
            answer.read(ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        with closing(error):
            return f"it answered with status {error.code}"
    except urllib.error.URLError as error:
        return f"it can't be reached: {error.reason}"
    except (OSError, HTTPException, ValueError) as error:
        return f"it can't be reached: {str(error) or type(error).__name__}"
    return ""
