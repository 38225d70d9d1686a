"""Orders from the cloud at work: judged by gateway.commands, carried out at most once, one at a time for a unit."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from drivers.driver import Report
from drivers.errors import DriverError
from drivers.ups import Command, Outcome, Snapshot
from gateway import commands, preconditions
from gateway.challenges import Challenges
from gateway.commands import Standing
from gateway.errors import Doubtful, NotKept, Withheld
from gateway.policy import Policy
from gateway.preconditions import Facts, Refusal, Track
from gateway.runtime.journal import Journal, Stamps
from gateway.runtime.keyring import Keyring, Proven
from gateway.runtime.outbox import Outbox
from gateway.runtime.prove import Prover, elsewhere
from gateway.seen import Seen
from gateway.settings import GatewaySettings
from gateway.unproven import Unproven
from gateway.view import UnitSight
from gateway.wire import codec, limits
from gateway.wire.errors import WireError
from gateway.wire.messages import Message
from gateway.wire.orders import ChallengeWanted, CommandBody, Order
from gateway.wire.topics import Down, Up

logger = logging.getLogger("gateway.commands")

WAITING_AT_MOST = 16
"""Orders that are judged, wait for their turn or are carried out; another one is left to the cloud to repeat."""

REMEMBERED = 256
"""Envelopes judged last: the cloud repeats one until it hears of its outcome."""

_RESTARTED = Report(
    outcome=Outcome.UNKNOWN, detail="the gateway was restarted before the outcome was written; nothing is sent again"
)


class Unit(Protocol):
    """What carries commands out: the unit's poller."""

    async def execute(self, command: Command, before: Callable[[], None]) -> Report:
        """Sends it once (S1). Raises DriverError only if nothing was written.

        `before` is called when its turn at the line has come; what it raises keeps it from being sent."""
        ...

    async def look(self) -> Snapshot:
        """A full reading, at most 1 s old. Raises DriverError or Doubtful."""
        ...

    def sight(self) -> UnitSight: ...


class Commands:
    """`pollers`: by the units' names; the caller may change it. `publish` says whether it could say it at all."""

    def __init__(
        self,
        settings: GatewaySettings,
        policy: Policy,
        pollers: Mapping[str, Unit],
        outbox: Outbox,
        clock: Stamps,
        publish: Callable[[Up, Message], bool],
        prove: Prover = elsewhere,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._units = pollers
        self._outbox = outbox
        self._clock = clock
        self._publish = publish
        self._journal = Journal(outbox, clock)
        self._challenges = Challenges(lambda: secrets.token_hex(16))
        self._tracks: dict[str, Track] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._judged: dict[str, None] = {}
        self._keyring = Keyring(settings.command_key, policy, prove)
        self._unproven = Unproven()
        self._closing = False

    async def open(self) -> None:
        """Go on where the file ends: what was cut off by a restart is told, and never done again. Raises NotKept."""
        for order in await self._journal.open():
            body = commands.finished(order, _RESTARTED, "gateway_restarted")
            self._journal.step(order, self._known(order), body)
        self._journal.policy(self._policy.digest)

    async def close(self) -> None:
        """Take nothing any more, and let what was accepted come to its end."""
        self._closing = True
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    @property
    def head(self) -> tuple[str, int]:
        """Digest of the audit log's last line, and how many lines there are."""
        return self._journal.head.digest, self._journal.head.length

    def replace(self, policy: Policy) -> None:
        """Another policy holds from now on; the cloud's key is read again too."""
        self._policy = policy
        self._keyring.replace(policy)
        self._journal.policy(policy.digest)

    def noted(self, what: str, unit: str = "", detail: str = "") -> None:
        """A line of the audit log about something that was done here."""
        self._journal.act(what, unit=unit, detail=detail)

    def watch(self, seen: Seen) -> None:
        """Each believed reading of each unit."""
        self._tracks[seen.unit] = preconditions.tracked(self._tracks.get(seen.unit), seen)
        if seen.identity is not None and seen.identity.serial:
            self._journal.pinned(seen.unit, seen.identity.serial)

    def received(self, kind: Down, payload: bytes) -> None:
        """What the cloud said; neither blocks nor raises, whatever it is."""
        if self._closing:
            return
        if kind is Down.CHALLENGE:
            self._challenge(payload)
        elif kind is Down.COMMAND:
            self._envelope(payload)

    def _challenge(self, payload: bytes) -> None:
        try:
            wanted = codec.decode(payload, ChallengeWanted)
        except WireError as error:
            logger.debug("a request for a challenge is not taken: %s", error.what)
            return
        answer = self._challenges.wanted(wanted.id, self._now_s())
        if answer is not None:
            self._publish(Up.CHALLENGE, answer)

    def _envelope(self, payload: bytes) -> None:
        name = hashlib.sha256(payload).hexdigest()
        if name in self._judged or name in self._tasks or len(self._tasks) >= WAITING_AT_MOST:
            return
        if not self._unproven.may_look(self._now_s()):
            self._unproven.passed_over()
            return
        task = asyncio.get_running_loop().create_task(self._prove(name, payload), name=f"command {name}")
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._taken(name, done))

    async def _prove(self, name: str, payload: bytes) -> None:
        try:
            proven = await self._keyring.proven(payload)
        except WireError as error:
            self._not_proven(error.what)
            return
        if proven is not None and await self._take(proven):
            self._challenges.used(proven.order.id)
            self._judged[name] = None
            if len(self._judged) > REMEMBERED:
                del self._judged[next(iter(self._judged))]

    def _taken(self, name: str, done: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            self._outbox.fail(error)

    async def _take(self, proven: Proven) -> bool:
        """Judge it when its turn has come, and carry it out if nothing speaks against it. Whether that was decided."""
        order = proven.order
        async with self._turns.setdefault(self._turn(order), asyncio.Lock()):
            if self._closing:
                return False
            try:
                known = await self._journal.stage(order.id) is not None
            except NotKept:
                return False  # whether it was done already is not known now; the cloud says it again
            standing = self._standing(proven, known)
            refusal = commands.decide(order, standing) or await self._look_first(order)
            if refusal is None:
                await self._carry_out(proven)
            elif refusal.reason == commands.WRONG_GATEWAY:
                self._not_proven(refusal.detail)
            elif refusal.reason != commands.REPEATED:
                self._step(order, commands.refused(order, refusal))
            return True

    async def _look_first(self, order: Order) -> Refusal | None:
        """The preconditions, by a fresh reading where they are about one."""
        if preconditions.needs_reading(order.verb):
            unit = self._units[order.unit]
            try:
                snapshot = await unit.look()
            except (DriverError, Doubtful) as error:
                return Refusal("unit_not_read", f"what the unit reads just now is unknown: {error}")
            identity, stamp = unit.sight().identity, self._clock.stamp()
            self.watch(Seen(unit=order.unit, snapshot=snapshot, full=True, identity=identity, stamp=stamp))
        return preconditions.hindrance(order, self._facts(order))

    async def _carry_out(self, proven: Proven) -> None:
        """Accepted on the disk first; then once to the unit, and never again (S1)."""
        order = proven.order
        self._step(order, commands.accepted(order, commands.operators(self._keyring.signers(proven), self._policy)))
        if not await self._journal.is_kept(order.id):
            refusal = Refusal("not_kept", "the gateway's disk takes nothing, so that it could not be done at most once")
            self._step(order, commands.not_sent(order, refusal))
        else:
            self._step(order, await self._executed(proven))

    def _look_again(self, proven: Proven) -> None:
        """Disk and line may have taken their time: what can have changed is judged once more. Raises Withheld."""
        order, standing = proven.order, self._standing(proven, known=False)
        if refusal := commands.decide(order, standing) or preconditions.hindrance(order, self._facts(order)):
            raise Withheld(refusal.reason, refusal.detail)

    async def _executed(self, proven: Proven) -> CommandBody:
        order, again = proven.order, partial(self._look_again, proven)
        try:
            again()
            report = await self._units[order.unit].execute(commands.command(order), again)
        except Withheld as error:
            return commands.not_sent(order, Refusal(error.reason, error.detail))
        except DriverError as error:
            return commands.not_sent(order, Refusal("not_sent", f"nothing was written to the unit: {error}"))
        return commands.finished(order, report)

    def _standing(self, proven: Proven, known: bool) -> Standing:
        order = proven.order
        unit, challenge = self._units.get(order.unit), order.challenge
        return Standing(
            gateway=self._settings.gateway,
            policy=self._policy,
            now=self._clock.stamp(),
            signers=self._keyring.signers(proven),
            known=known,
            challenge_age_s=self._challenges.age_s(order.id, challenge, self._now_s()) if challenge else None,
            sight=unit.sight() if unit is not None else None,
        )

    def _facts(self, order: Order) -> Facts:
        return Facts(
            now=self._clock.stamp(),
            rules=self._policy.unit(order.unit),
            track=self._tracks.get(order.unit),
            peers={name: self._tracks.get(name) for name in self._policy.peers(order.unit)},
            calibrated_at=self._journal.calibrations.get(order.serial),
        )

    def _step(self, order: Order, body: CommandBody) -> None:
        self._journal.step(order, self._known(order), body)

    def _known(self, order: Order) -> str:
        return order.unit if order.unit in self._units else ""

    def _turn(self, order: Order) -> str:
        return self._policy.turn(order.unit) if order.unit in self._units else ""

    def _not_proven(self, why: str) -> None:
        """Not from the cloud, or not for us."""
        if count := self._unproven.counted(self._now_s()):
            detail = f"{count} since the last such line; this one: {why}"[: limits.DETAIL_LENGTH]
            logger.warning("an order is not taken: %s", detail)
            self._journal.act("envelope", reason="not_authentic", detail=detail)

    def _now_s(self) -> float:
        return self._clock.stamp().mono / 1000
