"""Where a download stands, and its named limits (gateway-ota.md A4). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from gateway.wire.chunks import ChunksWanted, ones
from gateway.wire.firmware import Image

WINDOW_FIRST = 8.0
"""Chunks under way at the beginning; then AIMD between 1 and `chunks.WINDOW_MOST`."""

PATIENCE_S, PATIENCE_RTTS = 2.0, 4.0
"""A chunk is given up after the longer of the two."""

RTT_SHARE = 1 / 8
"""Of a new round-trip time in the smoothed one (RFC 6298, section 2.3)."""

SLOW_S = 1.0
"""A window whose first chunk takes longer does not grow, one that takes twice as long is halved: acknowledgements of
events wait behind it, and events unacknowledged for `limits.RESEND_AFTER_S` are sent again."""

STALL_S = 60.0
"""An attempt ends after so long without a chunk while something is asked for."""

ATTEMPTS = 10
"""Most attempts in a row that bring no chunk."""

AGAIN_S, AGAIN_MOST_S = 30.0, 3600.0
"""Between two attempts: doubled each time, up to the second."""

BYTES_TIMES, BYTES_LEAST = 3, 256 * 1024
"""Most bytes, of whatever chunk topic brings: so often the image's size; of a small image the second."""

TRYING_S = 7 * 86_400.0
"""Longest that it is tried. Time in which the gateway is off or the download is paused does not count."""


GRAIN_S = 0.001
"""Times that are so near are the same: sums of them are rounded, and what is due at its time has to be due then."""


class End(StrEnum):
    """How a download ends; all but the first are failures. The last four are the disk's or the image's."""

    COMPLETE = "complete"
    CANCELLED = "cancelled"
    GONE = "gone"
    ATTEMPTS = "attempts_used_up"
    BYTES = "bytes_used_up"
    DAYS = "days_used_up"
    NO_ROOM = "no_room"
    DISK_FULL = "disk_full"
    DISK_FAILED = "disk_failed"
    NOT_WHOLE = "not_whole"


class Hold(StrEnum):
    """Why nothing is asked for. TELEMETRY: an event is under way, and it goes first."""

    OFFLINE = "offline"
    TELEMETRY = "telemetry"
    PAUSED = "paused"


class Spent(msgspec.Struct, frozen=True):
    """Of the budgets; kept over restarts. `attempts`: those in a row that brought no chunk."""

    attempts: int = 0
    bytes: int = 0
    seconds: float = 0.0


class Flying(msgspec.Struct, frozen=True):
    """A chunk that was asked for. `patient_from`: its patience runs from here. `timed`: it tells a round-trip time."""

    index: int
    request: int
    asked_at: float
    patient_from: float
    timed: bool


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """`have`, `asked`: bitmaps of chunks on the disk, and of those asked for since the start. `ask_from`: nothing is
    asked for before. `idle_s`: time without a chunk. `at`: until when time was accounted. `requests`, `given_up`,
    `bad`: requests, chunks that did not come in time, and frames that were none of this image's."""

    image: Image
    transfer: int
    have: int
    spent: Spent
    at: float
    ask_from: float
    asked: int = 0
    flying: tuple[Flying, ...] = ()
    window: float = WINDOW_FIRST
    rtt_s: float | None = None
    idle_s: float = 0.0
    holds: frozenset[Hold] = frozenset()
    requests: int = 0
    given_up: int = 0
    bad: int = 0
    end: End | None = None


class Progress(msgspec.Struct, frozen=True):
    """What is on the disk."""

    chunks: int
    of_chunks: int
    bytes: int
    of_bytes: int


class Ask(msgspec.Struct, frozen=True):
    message: ChunksWanted


class Store(msgspec.Struct, frozen=True):
    """Write it, then say `wrote`."""

    index: int
    data: bytes


class Stop(msgspec.Struct, frozen=True):
    """The last effect. COMPLETE: every chunk is there, the whole is still to be checked."""

    end: End


Effect = Ask | Store | Stop
Step = tuple[Download, Sequence[Effect]]


def patience_s(state: Download) -> float:
    return max(PATIENCE_S, PATIENCE_RTTS * (state.rtt_s or 0.0))


def progress(state: Download) -> Progress:
    image, there = state.image, state.have.bit_count()
    lacking = sum(chunk_bytes(image, index) for index in ones(missing(state)))
    return Progress(there, len(image.chunks), image.size - lacking, image.size)


def chunk_bytes(image: Image, index: int) -> int:
    """Length of a chunk; 0 if the image ends before it."""
    return max(0, min(image.chunk, image.size - index * image.chunk))


def byte_budget(image: Image) -> int:
    return max(BYTES_TIMES * image.size, BYTES_LEAST)


def missing(state: Download) -> int:
    """Bitmap of the chunks that are not on the disk."""
    return all_chunks(state.image) & ~state.have


def all_chunks(image: Image) -> int:
    return (1 << len(image.chunks)) - 1
