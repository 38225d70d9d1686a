"""amqtt's broker behind our door: sessions end with their connection, nothing is retained, churn loses
nothing.

Written against amqtt 0.12.1 (pinned below 0.13); each override answers one of its faults and has its
conformance test in tests/cloud_bridge/conformance. docs/broker.md lists them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Container, Iterator
from time import monotonic
from typing import Any

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker, Server
from amqtt.errors import AMQTTError, MQTTError
from amqtt.session import Session

from cloud_bridge.acl import Identity, Role
from cloud_bridge.broker.admission import UNAVAILABLE
from cloud_bridge.broker.allowance import SPENT, Allowance
from cloud_bridge.broker.errors import ClientFault, Refused
from cloud_bridge.broker.runtime.handler import Handler, Opening
from cloud_bridge.broker.runtime.link import REVOKED, Link, Packet
from cloud_bridge.broker.runtime.plugins import CertificateName, TopicRules
from cloud_bridge.settings import Limits

QUEUE = 1000
"""Messages on their way to subscribers; beyond it publishers wait, and so do their acknowledgements."""
FILTERS_HELD = 64
"""Most of one client: each is compared with each message."""
NOT_SUBSCRIBED = 0x80
"""SUBACK's return code for a failure (section 3.9.3)."""
_LISTENER = "default"

logger = logging.getLogger("cloud_bridge.broker")

Subscription = tuple[Session, int]


class Subscriptions(dict[str, list[Subscription]]):
    """Iterated as it was at the beginning: amqtt awaits inside its loops, while clients come and go."""

    def items(self) -> Any:
        return [(topic, list(subscribers)) for topic, subscribers in super().items()]

    def __iter__(self) -> Iterator[str]:
        return iter(list(super().__iter__()))


class Presence:
    """A client that is in, and the end of it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.gone = asyncio.Event()


class HardenedBroker(Broker):  # type: ignore[misc]  # amqtt has no type information
    """Serves links that a Door hands over."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(_config())
        self._limits = limits
        self._subscriptions = Subscriptions()
        self._broadcast_queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(QUEUE)
        self._present: dict[str, Presence] = {}
        self._allowances: dict[str, Allowance] = {}

    async def serve(self, link: Link, connect: Packet) -> None:
        """One client, from its CONNECT to its end."""
        try:
            opening = Opening(link, connect)
            handler, session = await self._initialize_client_session(opening, link, *link.peer)
            server = self._servers[_LISTENER]
            await self._handle_client_session(opening, link, session, handler, server, _LISTENER)
        except Refused as refused:
            link.turn_away(refused)
        except ClientFault as fault:
            link.complain(fault.kind, f"{fault}: closed")
        finally:
            await link.close()

    def close_revoked(self, revoked: Container[int]) -> None:
        """Ends the connections of gateways whose certificates are `revoked`."""
        for present in list(self._present.values()):
            if present.link.is_revoked(revoked):
                present.link.complain("revoked", f"{REVOKED}: closed")
                present.link.abort()

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[Handler, Session]:
        """Every session is a new one: none is found again by its name, so none can be taken over."""
        handler, session = await Handler.init_from_connect(reader, writer, self.plugins_manager)
        self._check_room(handler.identity)
        handler.link.allowance = self._allowance(handler.identity)
        await self._supersede(handler.link, handler.identity.name)
        return handler, session

    def _check_room(self, identity: Identity) -> None:
        """Raises Refused. The bridge always gets in: without it the gateways are here for nothing."""
        full = len(self._present) >= self._limits.connections and identity.name not in self._present
        if full and identity.role is not Role.BRIDGE:
            raise Refused(f"{len(self._present)} clients are in already (limits: connections)", UNAVAILABLE)

    def _allowance(self, identity: Identity) -> Allowance | None:
        """Raises Refused while the gateway's bytes of the day are used up."""
        if identity.role is Role.BRIDGE:
            return None
        now, limits = monotonic(), self._limits
        if identity.name not in self._allowances:
            self._allowances[identity.name] = Allowance.fresh(
                limits.messages_per_s, limits.message_burst, limits.bytes_per_day, now
            )
        allowance = self._allowances[identity.name]
        if spent_s := allowance.spent_for_s(now):
            raise Refused(SPENT.format(spent_s), UNAVAILABLE)
        return allowance

    async def _supersede(self, link: Link, name: str) -> None:
        """Makes `link` the one connection of its name; an older one is closed, and its will said, before."""
        while older := self._present.get(name):
            older.link.complain("twice", f"closed: its name connected again, from {link.peer}")
            older.link.abort()
            await older.gone.wait()
        self._present[name] = Presence(link)

    async def _handle_client_session(
        self,
        reader: ReaderAdapter,
        writer: WriterAdapter,
        client_session: Session,
        handler: Handler,
        server: Server,
        listener_name: str,
    ) -> None:
        logger.info("%s: connected", handler.link)
        try:
            await super()._handle_client_session(reader, writer, client_session, handler, server, listener_name)
        except (AMQTTError, MQTTError, OSError) as error:
            handler.ending = str(error) or handler.ending
        finally:
            if not handler.has_ended:
                handler.ending = "the broker stops"
            await self._forget(client_session, handler)
            logger.info("%s: gone: %s", handler.link, handler.ending)

    async def _forget(self, session: Session, handler: Handler) -> None:
        """Nothing of a session stays after its connection: a queue for nobody is only a leak."""
        name = handler.identity.name
        self._sessions.pop(name, None)
        try:
            await self._del_all_subscriptions(session)
            await self._stop_handler(handler)
        finally:
            session.clear_queues()
            session.transitions.disconnect()
            self._present.pop(name).gone.set()

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        """amqtt keeps the first QoS of a filter that is subscribed again; section 3.8.4 wants the last."""
        held = sum(any(each is session for each, _ in has) for has in self._subscriptions.values())
        if held >= FILTERS_HELD:
            return NOT_SUBSCRIBED
        granted: int = await super().add_subscription(subscription, session)
        subscribers = self._subscriptions.get(subscription[0], [])
        for index, (subscriber, qos) in enumerate(subscribers):
            if subscriber is session and qos != granted:
                subscribers[index] = (session, granted)
        return granted

    def _del_subscription(self, a_filter: str, session: Session) -> int:
        """amqtt keeps the empty list of a filter that nobody has any more."""
        deleted: int = super()._del_subscription(a_filter, session)
        if not self._subscriptions.get(a_filter, True):
            del self._subscriptions[a_filter]
        return deleted

    async def _del_all_subscriptions(self, session: Session) -> None:
        for a_filter in self._subscriptions:
            self._del_subscription(a_filter, session)

    async def _session_monitor(self) -> None:
        """amqtt's looks each second for old sessions and may end one that is back; `_forget` leaves none."""

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """amqtt replays every tenant's retained messages to whoever connects; here nothing is retained."""


def _config() -> dict[str, Any]:
    plugins: dict[str, dict[str, Any]] = {
        f"{plugin.__module__}.{plugin.__qualname__}": {} for plugin in (CertificateName, TopicRules)
    }
    return {"listeners": {_LISTENER: {"type": "external"}}, "plugins": plugins}
