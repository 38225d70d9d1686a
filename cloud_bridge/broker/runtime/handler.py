"""One admitted client's side of the protocol: amqtt's handler, fed with whole and checked packets.

It replaces amqtt's reader loop, which reads unchecked lengths, never ends a silent client and acknowledges
before it routes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, cast

from amqtt.adapters import BufferReader, ReaderAdapter, WriterAdapter
from amqtt.errors import AMQTTError, CodecError, MQTTError, NoDataError, ProtocolHandlerError
from amqtt.mqtt import packet_class
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.disconnect import DisconnectPacket
from amqtt.mqtt.packet import MQTTFixedHeader, MQTTPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.subscribe import SubscribePacket
from amqtt.plugins.manager import PluginManager
from amqtt.session import OutgoingApplicationMessage, Session

from cloud_bridge.acl import Identity, may_publish, may_subscribe, own_tree
from cloud_bridge.broker.admission import Connect, Will, admit
from cloud_bridge.broker.errors import BadPacket, ClientFault
from cloud_bridge.broker.framing import Kind
from cloud_bridge.broker.runtime.link import Link, Packet
from cloud_bridge.broker.runtime.plugins import IDENTITY

FILTERS = 16
"""Most filters in one SUBSCRIBE; a gateway needs three, the bridge one."""
OWED_BYTES = 32 * 1024 * 1024
"""Most that waits for one client, on the way or unacknowledged; more means that it has stopped reading."""
OWED_EACH = 256
"""Counted for each message beside its payload."""

logger = logging.getLogger("cloud_bridge.broker")

_AMQTT_ERRORS = (AMQTTError, MQTTError, NoDataError, CodecError, ValueError)


class Handler(BrokerProtocolHandler):  # type: ignore[misc]  # amqtt has no type information
    """A client between CONNECT and its end."""

    link: Link
    identity: Identity
    silence_s: float

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._goodbye: asyncio.Future[DisconnectPacket | None] = asyncio.get_running_loop().create_future()
        self._owed = 0
        self._answered = asyncio.Event()
        self.ending = "connection lost"

    @classmethod
    async def init_from_connect(
        cls,
        reader: ReaderAdapter,
        writer: WriterAdapter,
        plugins_manager: PluginManager[Any],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> tuple[Handler, Session]:
        """`reader` is an Opening. Raises BadPacket, Refused: nothing in the broker has changed then."""
        opening = cast(Opening, reader)
        connect = await decode(opening.connect)
        if not isinstance(connect, ConnectPacket):
            raise BadPacket("no CONNECT")
        identity = opening.identity
        silence_s = admit(_said(connect), identity)
        try:
            handler, session = await super().init_from_connect(opening, writer, plugins_manager, loop)
        except _AMQTT_ERRORS as error:
            raise BadPacket(f"CONNECT: {error}") from error
        handler = cast(Handler, handler)
        handler.link, handler.identity, handler.silence_s = opening.link, identity, silence_s
        session.username = identity.name
        session.attributes[IDENTITY] = identity
        return handler, session

    async def _reader_loop(self) -> None:
        assert self._reader_ready is not None
        self._reader_ready.set()
        try:
            while (packet := await self.link.packet(self.silence_s)) and await self._obey(packet):
                await _others_turn()
        except TimeoutError:
            self._end("silent", f"no whole packet for {self.silence_s:g} s")
        except ClientFault as fault:
            self._end(fault.kind, str(fault))
        except (ProtocolHandlerError, OSError):
            logger.debug("%s: an answer could not be sent", self.link)
        except Exception:  # a client's top: its trouble, or a fault of ours that it found, is not the others'
            logger.exception("%s: closed after an error of the broker's own", self.link)
        finally:
            await self.handle_connection_closed()
            self._reader_stopped.set()

    def _end(self, kind: str, why: str) -> None:
        self.ending = why
        self.link.complain(kind, f"{why}: closed")
        self.link.abort()

    async def _obey(self, packet: Packet) -> bool:
        """Does what a packet asks for; False after the last one."""
        decoded = await decode(packet)
        match packet.header.kind:
            case Kind.PUBLISH:
                await self._route(decoded, packet.header.qos)
            case Kind.PUBACK:
                await self.handle_puback(decoded)
            case Kind.SUBSCRIBE:
                await self._answered_in_turn(self.handle_subscribe(self._checked(decoded)))
            case Kind.UNSUBSCRIBE:
                if not decoded.payload.topics:
                    raise BadPacket("UNSUBSCRIBE without a filter")
                await self._answered_in_turn(self.handle_unsubscribe(decoded))
            case Kind.PINGREQ:
                await self.handle_pingreq(decoded)
            case Kind.DISCONNECT:
                self.ending = "it said goodbye"
                await self.handle_disconnect(decoded)
                return False
            case Kind.CONNECT:
                raise BadPacket("a second CONNECT")
        return True

    async def _route(self, publish: PublishPacket, qos: int) -> None:
        """Acknowledges once the message is on its way to the subscribers, not before."""
        topic, identity = publish.topic_name or "", self.identity
        if qos and not publish.packet_id:
            raise BadPacket("PUBLISH with packet identifier 0")
        if may_publish(identity, topic):
            await self.plugins_manager.context.broadcast_message(topic, publish.data or b"")
        else:
            allowed = own_tree(identity, says=True)
            self.link.complain("topic", f"may not publish to {topic[:100]!r}: dropped (allowed: {allowed})")
        if qos:
            await self._send_packet(PubackPacket.build(cast(int, publish.packet_id)))

    async def _answered_in_turn(self, asked: Awaitable[None]) -> None:
        """Reads nothing more until this is answered: amqtt keeps no order between SUBSCRIBE and UNSUBSCRIBE."""
        self._answered.clear()
        await asked
        await self._answered.wait()

    async def mqtt_acknowledge_subscription(self, packet_id: int, return_codes: list[int]) -> None:
        self._answered.set()
        await super().mqtt_acknowledge_subscription(packet_id, return_codes)

    async def mqtt_acknowledge_unsubscription(self, packet_id: int) -> None:
        self._answered.set()
        await super().mqtt_acknowledge_unsubscription(packet_id)

    def _checked(self, subscribe: SubscribePacket) -> SubscribePacket:
        topics = subscribe.payload.topics if subscribe.payload else []
        if not 1 <= len(topics) <= FILTERS or any(qos > 2 for _, qos in topics):
            raise BadPacket(f"SUBSCRIBE with {len(topics)} filters: expected 1 to {FILTERS}, each with QoS 0, 1 or 2")
        for topic, _ in topics:
            if not may_subscribe(self.identity, topic):
                allowed = own_tree(self.identity, says=False)
                self.link.complain("filter", f"may not subscribe to {topic[:100]!r}: refused (allowed: {allowed})")
        subscribe.payload.topics = [(topic, min(qos, 1)) for topic, qos in topics]
        return subscribe

    async def mqtt_publish(
        self,
        topic: str,
        data: bytes | bytearray,
        qos: int | None,
        retain: bool,
        ack_timeout: int | None = None,
    ) -> OutgoingApplicationMessage:
        """Delivers one message; a client that does not take it is its own trouble."""
        size = len(data) + OWED_EACH
        if self._owed + size > OWED_BYTES:
            self._end("slow", f"{self._owed} bytes are waiting for it")
            return OutgoingApplicationMessage(None, topic, 0, b"", retain)
        self._owed += size
        try:
            return await super().mqtt_publish(topic, data, qos, retain, ack_timeout)
        except (TimeoutError, ProtocolHandlerError, OSError, *_AMQTT_ERRORS) as error:
            logger.debug("%s: a message under %s was not acknowledged: %s", self.link, topic, error)
            return OutgoingApplicationMessage(None, topic, 0, b"", retain)
        finally:
            self._owed -= size

    async def handle_disconnect(self, disconnect: DisconnectPacket | None) -> None:
        """Kept until it is asked for: amqtt forgets a goodbye that comes before its own loop has begun."""
        if not self._goodbye.done():
            self._goodbye.set_result(disconnect)

    @property
    def has_ended(self) -> bool:
        """Whether the client is gone, and not merely dropped by a broker that stops."""
        return self._goodbye.done()

    async def wait_disconnect(self) -> DisconnectPacket | None:
        return await asyncio.shield(self._goodbye)


class Opening(BufferReader):  # type: ignore[misc]  # amqtt has no type information
    """A client's CONNECT, for amqtt to read, with who sent it."""

    def __init__(self, link: Link, connect: Packet) -> None:
        if link.identity is None:
            raise BadPacket("no certificate")
        super().__init__(_bytes(connect))
        self.link = link
        self.identity = link.identity
        self.connect = connect


async def _others_turn() -> None:
    """However much one client has sent, it is one packet a turn."""
    await asyncio.sleep(0)


async def decode(packet: Packet) -> Any:
    """amqtt's packet. Raises BadPacket, also when encoding it again gives other bytes: amqtt takes bad
    UTF-8, cut and surplus fields for good."""
    header = _header(packet)
    try:
        decoded: MQTTPacket[Any, Any, Any] = await packet_class(header).from_stream(
            BufferReader(packet.body), fixed_header=header
        )
        again = decoded.to_bytes()
    except _AMQTT_ERRORS as error:
        raise BadPacket(f"{packet.header.kind.name}: {error}") from error
    if again != _bytes(packet):
        raise BadPacket(f"{packet.header.kind.name} that is not well formed")
    return decoded


def _bytes(packet: Packet) -> bytes:
    encoded: bytes = _header(packet).to_bytes() + packet.body
    return encoded


def _header(packet: Packet) -> MQTTFixedHeader:
    # amqtt compares packet types by identity.
    return MQTTFixedHeader(int(packet.header.kind), packet.header.flags, len(packet.body))


def _said(connect: ConnectPacket) -> Connect:
    will = None
    if connect.variable_header.will_flag:
        will = Will(
            connect.will_topic or "",
            bytes(connect.will_message or b""),
            connect.will_qos,
            connect.will_retain_flag,
        )
    return Connect(
        connect.proto_name,
        connect.proto_level,
        "" if connect.client_id_is_random else connect.client_id or "",
        connect.username,
        connect.keep_alive,
        will,
    )
