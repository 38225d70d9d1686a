"""Who answers under one unit's name: pinned at first contact, and told if it is another unit, or read already (S3)."""

from __future__ import annotations

import logging

from drivers.driver import Driver
from drivers.errors import DriverError, IdentityChanged
from drivers.ups import Identity
from gateway.errors import Doubtful, SeenTwice
from gateway.readings import Detail
from gateway.roll import Roll
from gateway.runtime.account import Account
from gateway.runtime.outbox import Outbox
from gateway.store.outbox import UnitRow

logger = logging.getLogger("gateway.poller")


class Acquaintance:
    """`roll` is shared by all units of the gateway."""

    def __init__(self, name: str, driver: Driver, outbox: Outbox, roll: Roll, account: Account) -> None:
        self._name = name
        self._driver = driver
        self._outbox = outbox
        self._roll = roll
        self._account = account
        self._moved_to: str | None = None

    def meet(self, who: Identity) -> None:
        """Each time the line is up again. Raises SeenTwice."""
        name, serial = self._name, who.serial
        self._roll.saw(name, serial)
        if serial and (other := self._roll.owner(serial, besides=name)):
            raise SeenTwice(serial, other)
        if serial and self._outbox.units.get(name, UnitRow()).serial is None:
            self._outbox.pin(name, serial)
            self._roll.pin(name, serial)
        self._account.met(who)

    async def failed(self, error: DriverError | Doubtful) -> bool:
        """What a poll without a reading says of the unit; True if somebody answered, though nothing may be read."""
        if isinstance(error, IdentityChanged):
            await self._stranger(error)
            return True
        if isinstance(error, SeenTwice):
            self._account.seen_twice(error, error.serial, error.other)
            await self._driver.close()  # a unit that bears one connection only is not kept from its other name
            return True
        serial = self._roll.pinned(self._name)
        self._account.failed(error, self._now_at(serial) if serial else None)
        self._roll.saw(self._name, None)
        return False

    async def _stranger(self, error: IdentityChanged) -> None:
        """Another unit answers: nothing is read under this name until the owner accepts it."""
        name, found = self._name, error.found
        self._roll.saw(name, found)
        if found and self._roll.pinned(name) is None:  # what answered before was another name's unit
            self._driver.accept(found)
            return
        self._account.stranger(error, error.expected, found, self._where(error))
        pinned = await self._outbox.pinned(name)
        if pinned and pinned != error.expected:
            self._driver.accept(pinned)
            self._roll.pin(name, pinned)
            self._account.accepted(pinned)

    def _where(self, error: IdentityChanged) -> dict[str, Detail]:
        """As far as other names of this gateway show it: whose unit was found, and where the expected one is."""
        known_as = self._roll.known_as(error.found, self._name) if error.found else None
        where = {"known_as": known_as, "answers_at": self._now_at(error.expected)}
        return {key: name for key, name in where.items() if name is not None}

    def _now_at(self, serial: str) -> str | None:
        """The other name under which this unit answers now; told when that is news."""
        other = self._roll.answers_at(serial, self._name)
        if other not in (None, self._moved_to):
            logger.error("%s: its unit %s now answers at %s", self._name, serial, other)
        self._moved_to = other
        return other
