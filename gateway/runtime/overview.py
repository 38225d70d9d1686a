"""What all parts say of themselves, gathered: the health record of each minute, and the view for each look."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from gateway.errors import NotKept
from gateway.runtime.blackbox import BlackBox
from gateway.runtime.clock import SystemClock
from gateway.runtime.commands import Commands
from gateway.runtime.outbox import Outbox
from gateway.runtime.units import Units
from gateway.runtime.uplink import UplinkRunner
from gateway.view import CloudLink, GatewayView, UnitOutage
from gateway.wire import limits
from gateway.wire.health import Health, Host

RECENT_OUTAGES = 8


class Parts(msgspec.Struct, frozen=True):
    """Whoever is asked. `certificate_days_left`: None if nobody renews it."""

    outbox: Outbox
    units: Units
    uplink: UplinkRunner
    blackbox: BlackBox
    commands: Commands
    certificate_days_left: Callable[[], float | None]


class Overview:
    def __init__(self, gateway: str, parts: Parts, clock: SystemClock) -> None:
        self._gateway = gateway
        self._parts = parts
        self._clock = clock
        self._began_s = time.monotonic()

    def health(self, host: Host) -> Health:
        """As it is now; latencies since the last call."""
        parts, rules = self._parts, self._parts.uplink.rules
        digest, length = parts.commands.head
        return Health(
            conn=rules.conn,
            stamp=self._clock.stamp(),
            version=rules.me.version[: limits.TEXT_LENGTH],
            running_s=self._running_s(),
            units=parts.units.health(),
            outbox=parts.outbox.health(),
            host=host,
            connections=rules.counters.connections,
            certificate_days_left=parts.certificate_days_left(),
            audit_head=digest,
            audit_length=length,
        )

    async def view(self, cloud: str, host: Host, warnings: tuple[str, ...]) -> GatewayView:
        """As it is now. `cloud`: its URL; `host`, `warnings`: of the last minute."""
        parts, uplink = self._parts, self._parts.uplink
        link = CloudLink(url=cloud, connected=uplink.rules.ready, since_at=uplink.since_at, trouble=uplink.trouble)
        return GatewayView(
            gateway=self._gateway,
            version=uplink.rules.me.version,
            stamp=self._clock.stamp(),
            running_s=self._running_s(),
            cloud=link,
            outbox=parts.outbox.health(),
            host=host,
            units=parts.units.sights(),
            outages=await self._outages(),
            certificate_days_left=parts.certificate_days_left(),
            warnings=warnings,
        )

    async def _outages(self) -> tuple[UnitOutage, ...]:
        """None while the disk gives nothing: that is told by the outbox's own trouble."""
        try:
            return await self._parts.blackbox.recent(RECENT_OUTAGES)
        except NotKept:
            return ()

    def _running_s(self) -> float:
        return round(time.monotonic() - self._began_s, 1)
