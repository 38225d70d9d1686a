"""What the state machine asks for. Effects are begun in their order; those that act on the world report by an event.

A `Record` is on the disk before any effect behind it begins. Of ENTER and SEND_IMAGE one at most goes on at a time, and
a new one, a probe or a reading first ends what still goes on on that port.
"""

from __future__ import annotations

import msgspec

from gateway.firmware.hindrance import Hindrance
from gateway.firmware.states import State
from gateway.wire.firmware import Digest, OutputMode, TargetPath, Transfer
from gateway.wire.messages import Message, Scalar, ShortText, Stamp
from gateway.wire.orders import Nonce


class Transition(Message, frozen=True, kw_only=True):
    """A line of the journal; its name is (`job`, `rev`). `before` and `after` are the same for what is only noted."""

    job: Nonce
    rev: int
    before: State
    after: State
    cause: ShortText
    evidence: dict[str, Scalar] = {}
    hindrances: tuple[Hindrance, ...] = ()
    stamp: Stamp


class Effect(msgspec.Struct, frozen=True, tag=True):
    """Base of everything below."""


class Record(Effect, frozen=True):
    """Commit the job and this transition; with a RaiseCounter of the same step in one transaction."""

    transition: Transition


class Report(Effect, frozen=True):
    """Tell the cloud; once in effect, by the transition's name."""

    transition: Transition


class RaiseCounter(Effect, frozen=True, kw_only=True):
    hardware_id: str
    counter: int


class Download(Effect, frozen=True, kw_only=True):
    """Ends in Verified, Paused or BudgetSpent."""

    target: TargetPath
    sha256: Digest


class HoldDownload(Effect, frozen=True, kw_only=True):
    """Let a download rest, or, with `forget`, end it and delete what is there of it."""

    forget: bool = False


class AskForGo(Effect, frozen=True, kw_only=True):
    """Draw a challenge for the order `order` and send it; GoAsked says which."""

    order: Nonce


class Lock(Effect, frozen=True, kw_only=True):
    """Reserve all keys or none, and park the poller. Ends in Locked or NotLocked; one's own don't count."""

    job: Nonce
    keys: tuple[str, ...]


class Release(Effect, frozen=True, kw_only=True):
    """Give the keys back, and the port to the poller."""

    job: Nonce
    keys: tuple[str, ...]


class CheckImage(Effect, frozen=True, kw_only=True):
    """Hash the whole file again. Ends in Verified or ImageDamaged."""

    target: TargetPath
    sha256: Digest


class ReadUnit(Effect, frozen=True):
    """Everything anew, the identity too, by whoever has the port. Ends in Read, if the unit answers."""


class ReadIdentity(Effect, frozen=True):
    """The same, of a unit that has just been upgraded."""


class Enter(Effect, frozen=True, kw_only=True):
    """Tell the unit to enter its boot loader, once, and not a moment after `by_ms` of this boot's monotonic clock.

    Ends in Entered, EnterRefused (it said no, or nothing was written) or EnterUnanswered.
    """

    serial: str
    output: OutputMode
    by_ms: int


class SendImage(Effect, frozen=True, kw_only=True):
    """From the first block. What is sent is what was hashed: the file is read once, into memory.

    Ends in TransferDone or TransferFailed within the release's `max_s`.
    """

    target: TargetPath
    sha256: Digest
    transfer: Transfer


class Probe(Effect, frozen=True):
    """Find out what is on the wire, without disturbing a boot loader. Ends in Probed."""
