"""Commands to units, from being asked for to their outcome (S7, S9, S10). Pure.

The row in the registry is worked on by three: who asks (the one role that can sign) makes it and puts the envelope in,
ingest asks the gateway for a challenge, passes the envelope on, and ends the row with what the gateway recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from drivers.ups import Outcome, Verb
from gateway.wire import codec, limits
from gateway.wire.classes import CLASSES, CommandClass
from gateway.wire.messages import Clock, Hello
from gateway.wire.orders import By, ChallengeWanted, CommandBody, Order, Stage
from gateway.wire.topics import Down

EXPIRES_S = 60
LONGEST_S = 600
"""A gateway takes no order without a challenge that is good for longer (gateway.commands)."""

OUTCOME_WITHIN_S = 30.0
"""After an order ran out: if it was not accepted by then, its record has come or will hardly come."""

FINISHED_WITHIN_S = 3600.0
"""The same of one that was accepted. What comes later still counts."""

OPEN_AT_MOST = 32
"""Commands of one gateway on their way at a time: it has no more challenges open."""

REPEAT_S = limits.RESEND_AFTER_S

OUTLETS = frozenset({Verb.OUTLET_ON, Verb.OUTLET_OFF, Verb.OUTLET_REBOOT, Verb.OUTLET_SHUTDOWN, Verb.OUTLET_CANCEL})
"""Verbs that name outlet groups and may have delays."""

_ENDS = frozenset({Stage.REFUSED, Stage.FINISHED})


class State(StrEnum):
    """WANTED: waits for the gateway's challenge. CHALLENGED: waits for its signatures. SIGNED: is said to the
    gateway. ENDED: nothing more is done for it."""

    WANTED = "wanted"
    CHALLENGED = "challenged"
    SIGNED = "signed"
    ENDED = "ended"


class Ending(StrEnum):
    """Reasons of a row that ended without a word of the gateway."""

    EXPIRED = "expired"
    """It was not signed in time."""
    NO_OUTCOME = "no_outcome"
    """It was said to the gateway, which may have done it."""
    WITHDRAWN = "withdrawn"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the registry. Instants are UTC milliseconds. `stage`, `reason`, `detail`, `outcome`: the gateway's."""

    id: str
    gateway: str
    unit: str
    serial: str
    verb: str
    by_role: str
    by_name: str
    created_at: int
    expires_at: int
    state: State
    challenge: str | None = None
    envelope: bytes | None = None
    stage: Stage | None = None
    reason: str | None = None
    detail: str | None = None
    outcome: str | None = None
    ended_at: int | None = None

    @property
    def is_done(self) -> bool:
        return self.stage is Stage.FINISHED and self.outcome == Outcome.DONE


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a unit (drivers.ups.Command)."""

    verb: Verb
    groups: tuple[int, ...] = ()
    use_off_delay: bool = False
    use_on_delay: bool = False
    cold_boot: bool = False


def problem(request: Request, *, operator: bool) -> str | None:
    """Why a request is not worth asking a gateway; None if it is. `operator`: one signs it too."""
    verb = request.verb
    if verb not in CLASSES:
        return f"{verb}: a unit's settings are not changed from the cloud (S10); do it on the unit or beside it"
    if verb in OUTLETS and not request.groups:
        return f"{verb}: name the outlet groups with --group; 0 is the main one"
    if len(set(request.groups)) != len(request.groups):
        return f"{verb}: an outlet group is named twice"
    if verb not in OUTLETS and (request.use_off_delay or request.use_on_delay or request.cold_boot):
        return f"{verb}: delays and cold boot are for outlet groups"
    if CLASSES[verb] is CommandClass.CUTS_OUTPUT and not operator:
        return f"{verb} can cut the output: it needs an operator's key too (S9), with --operator and --operator-key"
    return None


def needs_challenge(verb: Verb, hello: Hello | None) -> bool:
    """Only a *quiet* verb can do without, and only with a gateway whose clock tells how old an order is (S9)."""
    return CLASSES[verb] is not CommandClass.QUIET or hello is None or hello.stamp.clock != Clock.SYNCHRONISED


def order(command: Command, request: Request, now_ms: int) -> Order:
    """What is signed of a command, with the challenge that it has."""
    return Order(
        id=command.id,
        gateway=command.gateway,
        unit=command.unit,
        serial=command.serial,
        verb=request.verb,
        by=By(role=command.by_role, name=command.by_name),
        issued_at=now_ms,
        expires_at=command.expires_at,
        challenge=command.challenge,
        groups=request.groups,
        use_off_delay=request.use_off_delay,
        use_on_delay=request.use_on_delay,
        cold_boot=request.cold_boot,
    )


def settled(command: Command, steps: Iterable[CommandBody], now_ms: int) -> Command:
    """The row after what its gateway recorded about it, and after the time that went by.

    A word of the gateway counts however late it comes: it outweighs an ending of our own.
    """
    said = _outweighing([step for step in steps if step.id == command.id])
    if command.stage in _ENDS:
        return command
    if said is not None and said.stage in _ENDS:
        return _ended(_heard(command, said), command.ended_at or now_ms)
    if said is not None and command.stage is None:
        command = _heard(command, said)
    return _in_time(command, now_ms)


def _outweighing(steps: Sequence[CommandBody]) -> CommandBody | None:
    """An order that was accepted is not refused afterwards: whoever says so speaks of a copy."""
    for stage in (Stage.FINISHED, Stage.ACCEPTED, Stage.REFUSED):
        if found := next((step for step in steps if step.stage is stage), None):
            return found
    return None


def _heard(command: Command, step: CommandBody) -> Command:
    outcome = step.outcome.value if step.outcome else None
    return msgspec.structs.replace(command, stage=step.stage, reason=step.reason, detail=step.detail, outcome=outcome)


def _ended(command: Command, now_ms: int) -> Command:
    return msgspec.structs.replace(command, state=State.ENDED, ended_at=now_ms)


def _in_time(command: Command, now_ms: int) -> Command:
    if command.state is State.ENDED or now_ms <= command.expires_at:
        return command
    if command.state is not State.SIGNED:
        return ended_by_us(command, Ending.EXPIRED, now_ms)
    wait_s = FINISHED_WITHIN_S if command.stage is Stage.ACCEPTED else OUTCOME_WITHIN_S
    if now_ms <= command.expires_at + wait_s * 1000:
        return command
    return ended_by_us(command, Ending.NO_OUTCOME, now_ms)


def ended_by_us(command: Command, why: Ending, now_ms: int) -> Command:
    """The row ended for a reason that is none of the gateway's."""
    detail = _UNSIGNED[command.state] if why is Ending.EXPIRED else _DETAILS[why]
    return msgspec.structs.replace(_ended(command, now_ms), reason=why.value, detail=detail)


_UNSIGNED = {
    State.WANTED: "the gateway gave no challenge in time: nothing was sent to it",
    State.CHALLENGED: "nobody signed it in time: nothing was sent to the gateway",
}
_DETAILS = {
    Ending.WITHDRAWN: "whoever asked for it took it back before it was signed",
    Ending.NO_OUTCOME: "the gateway told no outcome: it is away, or pinned another key of the cloud; whether anything"
    " was done shows in the unit's status",
}


class Repeats:
    """What is to be said for open rows, and when again. Monotonic seconds."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, State], float] = {}

    def due(self, commands: Sequence[Command], now_ms: int, now_s: float) -> list[tuple[Command, Down, bytes]]:
        """What to publish now, counted as said."""
        messages = {(one.id, one.state): (one, *message) for one in commands if (message := _message(one, now_ms))}
        self._said = {key: at_s for key, at_s in self._said.items() if key in messages}
        due = [key for key in messages if now_s - self._said.get(key, -REPEAT_S) >= REPEAT_S]
        self._said |= dict.fromkeys(due, now_s)
        return [messages[key] for key in due]

    def at_once(self, commands: Iterable[Command]) -> None:
        """Their gateway connected: what was said before may not have reached it."""
        ids = {command.id for command in commands}
        self._said = {key: at_s for key, at_s in self._said.items() if key[0] not in ids}


def _message(command: Command, now_ms: int) -> tuple[Down, bytes] | None:
    """Nothing once it ran out, or once the gateway has it on its disk."""
    if now_ms > command.expires_at or command.stage is not None:
        return None
    if command.state is State.WANTED:
        return Down.CHALLENGE, codec.encode(ChallengeWanted(id=command.id))
    if command.state is State.SIGNED and command.envelope:
        return Down.COMMAND, command.envelope
    return None
