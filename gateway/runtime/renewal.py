"""Keeps the gateway's certificate from running out; `gateway.renewal` decides, a process of its own does the work."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from datetime import datetime
from functools import partial
from random import SystemRandom

import msgspec

from gateway import renewal
from gateway.errors import CannotStart
from gateway.renewal import Outcome, Stage, Task, Trial, Turned, Verdict
from gateway.runtime import pair
from gateway.runtime.child import ask, program
from gateway.runtime.clock import SystemClock
from gateway.runtime.tls import client_context
from gateway.settings import GatewaySettings, Tls

logger = logging.getLogger("gateway.renewal")

PROCESS = "gateway.runtime.renew"
PROCESS_S = 180.0
"""A process that takes longer hangs: its connection's own patience is a tenth of that."""

_DAY_S = 86400.0


class Renewal:
    """`changed` is called when the next connection has to be made with another pair: make one now, with `context()`.

    Whoever makes connections says of each what became of it: `worked` once the cloud has answered its hello, `failed`
    if it ended before.
    """

    def __init__(self, settings: GatewaySettings, clock: SystemClock, changed: Callable[[], None]) -> None:
        self._settings = settings
        self._clock = clock
        self._changed = changed
        self._chance = SystemRandom().random
        self._trial = Trial()
        self._connected_with_new = False
        self._is_opening = False
        self._turned = Turned()
        self._known = Outcome()
        self._failures = 0
        self._told = ""
        self._try_at_s = 0.0
        self._retrial_at_s = 0.0
        self._is_to_take = False
        self._news = asyncio.Event()

    def context(self) -> ssl.SSLContext:
        """For the connections from now on. Raises CannotStart."""
        tls = self._settings.tls
        if self._trial.is_new:
            try:
                return client_context(pair.beside(tls), partial(self._opening, True))
            except CannotStart as error:
                logger.warning("the new certificate can't be used: %s", error)
                self._trial = renewal.failed(self._trial, with_new=True)
        return client_context(pair.in_use(tls), partial(self._opening, False))

    def days_left(self, now: datetime) -> float | None:
        """Of the certificate in use; None as long as it was not looked at."""
        ends_at = self._known.ends_at
        return None if ends_at is None else (ends_at - now).total_seconds() / _DAY_S

    def worked(self) -> None:
        self._is_opening, self._turned = False, Turned()
        self._trial, verdict = renewal.worked(self._trial, self._connected_with_new)
        match verdict:
            case Verdict.TAKE:
                self._is_to_take = True
                self._news.set()
            case Verdict.GO_ON:
                wait_s = renewal.retrial_s(self._trial.refusals)
                self._retrial_at_s = self._now_s() + wait_s
                logger.warning(
                    "the cloud does not take the new certificate; the old one goes on, tried again in %g h",
                    wait_s / 3600,
                )
                self._news.set()

    def failed(self, why: str, hopeless: bool = False) -> None:
        """`hopeless`: the certificate may be the reason."""
        logger.debug("no connection: %s", why)
        self._turned = renewal.turned(self._turned, opened=self._is_opening, hopeless=hopeless)
        self._is_opening = False
        before = self._trial
        self._trial = renewal.failed(before, self._connected_with_new)
        if self._trial is not before:
            self._changed()
        elif self._turned.away:
            self._news.set()

    async def run(self) -> None:
        """For ever; whatever fails is told and tried again."""
        await self._begin()
        while True:
            self._news.clear()
            await self._step()
            try:
                async with asyncio.timeout(self._wait_s()):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _begin(self) -> None:
        """Take up what an earlier process left."""
        await self._on_disk(pair.settle)
        self._known = await self._performed(renew=False)
        if self._known.new_ends_at is not None:
            self._try_new()

    async def _step(self) -> None:
        if self._is_to_take:
            await self._take()
        if self._trial.stage is Stage.HELD and self._now_s() >= self._retrial_at_s:
            self._try_new()
        if self._is_due() and self._now_s() >= self._try_at_s:
            await self._renew()

    async def _take(self) -> None:
        if not await self._on_disk(pair.take):
            return
        self._is_to_take = False
        self._known = Outcome(ends_at=self._known.new_ends_at)
        logger.info("the new certificate works and takes the old one's place; it ends %s", _day(self._known.ends_at))

    async def _on_disk(self, change: Callable[[Tls], object]) -> bool:
        """Whether the disk took it; else it is tried again, and the connection stands meanwhile."""
        try:
            await asyncio.to_thread(change, self._settings.tls)
        except OSError as error:
            logger.warning("%s: %s: the certificate in use stays where it is", error.filename, error.strerror)
            return False
        return True

    async def _renew(self) -> None:
        before = self._known.new_ends_at
        outcome = await self._performed(renew=True)
        if outcome.trouble or outcome.new_ends_at in (None, before):
            self._failures += 1
            self._tell(outcome)
        else:
            self._failures, self._told = 0, ""
            logger.info("a new certificate is there, until %s; the next connection tries it", _day(outcome.new_ends_at))
        self._known = outcome
        self._turned = Turned()
        self._try_at_s = self._now_s() + renewal.retry_s(max(self._failures, 1), self._chance())
        if not self._failures:
            self._try_new()

    def _try_new(self) -> None:
        self._trial = renewal.begun(self._trial)
        self._changed()

    def _is_due(self) -> bool:
        now = self._clock.believed_utc()
        return renewal.renews(self._settings) and renewal.is_due(
            self._known, self._turned.away, now, self._settings.gateway
        )

    def _wait_s(self) -> float:
        """Until there may be something to do; `_news` comes before it."""
        waits = [renewal.LOOK_S]
        if self._trial.stage is Stage.HELD:
            waits.append(self._retrial_at_s - self._now_s())
        if self._is_due():
            waits.append(self._try_at_s - self._now_s())
        return max(0.0, min(waits))

    async def _performed(self, renew: bool) -> Outcome:
        """What the process says; one that fails or hangs is a trouble like another."""
        settings = self._settings
        task = Task(settings.gateway, settings.tls, (settings.enrolment or "") if renew else "")
        try:
            said = await ask(program(PROCESS), msgspec.json.encode(task, enc_hook=str), PROCESS_S)
            return msgspec.json.decode(said.output, type=Outcome)
        except TimeoutError:
            trouble = f"its process had not ended after {PROCESS_S:g} s"
        except msgspec.MsgspecError:
            trouble = "its process failed"
        except OSError as error:
            trouble = f"its process can't be started: {error.strerror}"
        return msgspec.structs.replace(self._known, trouble=trouble, refused=False)

    def _tell(self, outcome: Outcome) -> None:
        trouble = outcome.trouble or "nothing new came of it"
        level = logging.DEBUG if trouble == self._told else logging.WARNING
        self._told = trouble
        hint = "; the cloud's log says why" if outcome.refused else ""
        logger.log(level, "the certificate, good until %s, is not renewed: %s%s", _day(outcome.ends_at), trouble, hint)

    def _opening(self, with_new: bool) -> bool:
        """A connection is being opened; whether dates are judged on it."""
        self._connected_with_new, self._is_opening = with_new, True
        return self._clock.is_right()

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _day(at: datetime | None) -> str:
    return "(unknown)" if at is None else f"{at:%Y-%m-%d}"
