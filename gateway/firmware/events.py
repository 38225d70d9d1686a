"""What the state machine is told. Each event carries `now`, by all clocks."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from drivers.ups import Identity
from gateway.firmware.look import Readings
from gateway.firmware.topology import Rules, Topology
from gateway.wire.firmware import Digest, Go
from gateway.wire.messages import Scalar, Stamp
from gateway.wire.orders import Nonce


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of everything below."""

    now: Stamp


class Offered(Event, frozen=True, kw_only=True):
    """The job is in the journal."""


class Recovered(Event, frozen=True, kw_only=True):
    """The process began: whatever it did before, and held, is gone."""


class Tick(Event, frozen=True, kw_only=True):
    """Time passes; once a second is enough."""


class ClockQuality(Event, frozen=True, kw_only=True):
    """The clock was set, or is no longer kept right: `now` says which."""


class Progress(Event, frozen=True, kw_only=True):
    """Chunks of the image that are on the disk."""

    chunks: int


class Verified(Event, frozen=True, kw_only=True):
    """The whole file has this digest."""

    sha256: Digest


class ImageDamaged(Event, frozen=True, kw_only=True):
    """It has another digest than it must, or is not there."""

    sha256: Digest


class Paused(Event, frozen=True, kw_only=True):
    """The download can't go on now: no room on the disk, a budget of the hour."""

    reason: str
    value: Scalar
    threshold: Scalar


class BudgetSpent(Event, frozen=True, kw_only=True):
    """The download is given up: attempts, bytes, days; or the cloud has no such image."""

    reason: str
    value: Scalar
    threshold: Scalar


class GoAsked(Event, frozen=True, kw_only=True):
    challenge: Nonce


class GoReceived(Event, frozen=True, kw_only=True):
    """Its signature is right; whether it is for this job, and fresh, is judged here."""

    go: Go


class Read(Event, frozen=True, kw_only=True):
    """A reading of the unit, with what the owner's settings say at this moment."""

    readings: Readings
    topology: Topology
    rules: Rules


class Locked(Event, frozen=True, kw_only=True):
    """Every key is this job's."""


class NotLocked(Event, frozen=True, kw_only=True):
    """`key` is another's: of the job `holder`."""

    key: str
    holder: str


class Entered(Event, frozen=True, kw_only=True):
    """The boot loader waits for the image."""


class EnterRefused(Event, frozen=True, kw_only=True):
    """Beyond doubt the unit did not enter: it said no, or nothing was written."""

    reason: str
    detail: str = ""


class EnterUnanswered(Event, frozen=True, kw_only=True):
    """The outcome is unknown (S1)."""


class Sending(Event, frozen=True, kw_only=True):
    """Blocks that the unit has acknowledged."""

    blocks: int


class TransferDone(Event, frozen=True, kw_only=True):
    """The unit acknowledged the end."""

    blocks: int


class TransferFailed(Event, frozen=True, kw_only=True):
    reason: str
    blocks: int = 0


class Booted(Event, frozen=True, kw_only=True):
    """The unit shows signs of life; what it runs is asked."""


class Found(StrEnum):
    """What is on the wire."""

    ANSWERS = "answers"
    BOOT_LOADER = "boot_loader"
    SILENCE = "silence"


class Probed(Event, frozen=True, kw_only=True):
    """`identity`: as the unit said it now, where it did. `mains`: what anybody else says of the same mains; None if
    nobody does."""

    found: Found
    identity: Identity | None = None
    mains: bool | None = None


class Cancelled(Event, frozen=True, kw_only=True):
    by: str = ""


class Halted(Event, frozen=True, kw_only=True):
    """The campaign was halted: nothing starts."""

    by: str = ""


class Resumed(Event, frozen=True, kw_only=True):
    by: str = ""
