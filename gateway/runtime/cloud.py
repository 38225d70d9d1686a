"""The gateway's side of the cloud: the uplink, and the certificate it connects with."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from importlib.metadata import version

from gateway.errors import CannotStart
from gateway.runtime.clock import SystemClock
from gateway.runtime.connection import Broker
from gateway.runtime.outbox import Outbox
from gateway.runtime.renewal import Renewal
from gateway.runtime.uplink import UplinkRunner
from gateway.settings import GatewaySettings
from gateway.uplink import Me
from gateway.wire import limits

logger = logging.getLogger("gateway.uplink")


class Cloud:
    """`answered` is called each time the cloud has answered the hello of a new connection. Raises CannotStart."""

    def __init__(
        self, settings: GatewaySettings, outbox: Outbox, clock: SystemClock, answered: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._answered = answered
        self._settings = settings
        self._renewal = Renewal(settings, clock, self._changed)
        self._renewing: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        broker = _broker(settings, self._renewal)
        self.uplink = UplinkRunner(_me(settings), broker, outbox, clock, loop, self._is_ready)
        self.uplink.on_unanswered = self._unanswered

    def start(self, tasks: asyncio.TaskGroup) -> None:
        self.uplink.start()
        self._renewing = tasks.create_task(self._renewal.run(), name="renewal")

    def change(self, settings: GatewaySettings, tasks: asyncio.TaskGroup, *, at_once: bool) -> None:
        """Connect by these settings, and by the certificates that lie there now, from the next connection on, which
        `at_once` makes now. Raises CannotStart, and then nothing has changed."""
        renewal = Renewal(settings, self._clock, self._changed) if settings.tls != self._settings.tls else self._renewal
        self.uplink.use(_broker(settings, renewal), at_once=at_once)
        if renewal is not self._renewal:
            self.stop_renewing()
            self._renewal = renewal
            self._renewing = tasks.create_task(renewal.run(), name="renewal")
        if settings.units != self._settings.units:
            self.uplink.introduce(_me(settings))
        self._settings = settings

    def certificate_days_left(self) -> float | None:
        return self._renewal.days_left(self._clock.utc())

    def stop_renewing(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()

    def _is_ready(self) -> None:
        self._renewal.worked()
        self._answered()

    def _unanswered(self, why: str, hopeless: bool) -> None:
        self._renewal.failed(why, hopeless)

    def _changed(self) -> None:
        """There is another pair of certificate and key to be tried: at once, while the old one is still good."""
        try:
            self.uplink.use(_broker(self._settings, self._renewal), at_once=self.uplink.rules.ready)
        except CannotStart as error:
            logger.error("the connection goes on with the old certificate: %s", error)


def _broker(settings: GatewaySettings, renewal: Renewal) -> Broker:
    return Broker(settings.cloud_host, settings.cloud_port, settings.gateway, renewal.context())


def _me(settings: GatewaySettings) -> Me:
    units = tuple(unit.name for unit in settings.units)
    return Me(version("ridethrough"), socket.gethostname()[: limits.TEXT_LENGTH], units)
