"""One connection to the broker: a paho client on the event loop, used once and thrown away.

Only the opening (name lookup, TCP, TLS) has a thread, since it blocks. Reading and writing are the loop's:
no second thread can die unnoticed, and a message published goes to the socket in the same call. paho
re-sends nothing, since a client never connects twice; PUBACKs are read and mean nothing.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.wire import codec, limits, topics
from gateway.wire.messages import Message, Offline
from gateway.wire.topics import Down, Up

OPENING_S = 10.0
"""Patience for TCP and TLS each, and again for the broker's word on connection and subscription."""

CARE_EVERY_S = 5.0
"""How often paho may look after its keep-alive."""

FAREWELL_S = 1.0
"""How long a clean stop waits for the broker to have taken the last word."""

PACKET_BYTES = limits.PAYLOAD_BYTES + 1024
"""Most bytes of a packet, its topic among them; MQTT has 256 MB."""

_NOT_AUTHORISED = range(132, 136)
"""Reason codes that trying again soon can't change: protocol version, client id, user name, not
authorised."""


class Broker(msgspec.Struct, frozen=True):
    """Where the cloud is and how to speak to it."""

    host: str
    port: int
    gateway: str
    context: ssl.SSLContext


class Listener(Protocol):
    """Who is told what becomes of a connection; each from the event loop, nothing after `lost`."""

    def connected(self) -> None: ...

    def received(self, kind: Down, payload: bytes) -> None: ...

    def lost(self, why: str, hopeless: bool) -> None: ...


class _Trouble(msgspec.Struct, frozen=True):
    """Why there is no connection. `hopeless`: trying again soon can't help."""

    why: str
    hopeless: bool = False


class Connection:
    def __init__(self, broker: Broker, conn: str, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        self._broker = broker
        self._listener = listener
        self._loop = loop
        self._over = False
        self._socket: ssl.SSLSocket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._taken = asyncio.Event()
        # what paho's callbacks noted
        self._trouble: _Trouble | None = None
        self._greeted = False
        self._subscribed = False
        self._arrived: list[tuple[Down, bytes]] = []
        self._kinds = {topics.down(broker.gateway, kind): kind for kind in Down}
        self._client = self._make_client(conn)

    def open(self) -> None:
        threading.Thread(target=self._open, name="uplink-opening", daemon=True).start()

    def publish(self, kind: Up, message: Message, qos: int) -> None:
        """To the socket at once, as far as it takes it; nothing at all once the connection is over."""
        if self._socket is not None:
            self._client.publish(topics.up(self._broker.gateway, kind), codec.encode(message), qos)
            self._after()

    def drop(self, why: str) -> None:
        """End it without a word; the listener is told why."""
        self._lost(_Trouble(why))

    async def close(self, last_word: Message) -> None:
        """Say the last word, wait a moment until the broker has it, and disconnect in good order."""
        if self._socket is None:
            self._over = True
            return
        self._client.on_publish = lambda *_: self._taken.set()
        self.publish(Up.OFFLINE, last_word, 1)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._taken.wait(), FAREWELL_S)
        self._over = True
        self._client.disconnect()
        self._let_go()

    def _make_client(self, conn: str) -> Client:
        name = self._broker.gateway
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        client.username_pw_set(name)
        client.tls_set_context(self._broker.context)
        client.will_set(topics.up(name, Up.OFFLINE), codec.encode(Offline(conn=conn)), qos=1)
        client.connect_timeout = OPENING_S
        # No PUBACK is waited for: the uplink's windows bound what is under way.
        client.max_inflight_messages_set(0)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_log = self._on_log
        client.on_socket_close = lambda *_: self._let_go()
        return client

    def _open(self) -> None:
        error: Exception | None = None
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=limits.KEEP_ALIVE_S)
        except (OSError, ValueError) as caught:
            error = caught
        with suppress(RuntimeError):  # the loop is closed: the gateway has ended meanwhile
            self._loop.call_soon_threadsafe(self._opened, error)

    def _opened(self, error: Exception | None) -> None:
        opened = self._client.socket()
        if self._over:
            self._client.disconnect()
        elif error is not None:
            self._lost(_trouble_of(error, self._broker))
        elif not isinstance(opened, ssl.SSLSocket):
            self._lost(self._trouble or self._closed())
        else:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = opened
            self._loop.add_reader(opened.fileno(), self._readable)
            self._timer = self._loop.call_later(
                OPENING_S, self._lost, _Trouble("the broker takes the connection but does not answer")
            )
            self._after()

    # paho's callbacks run inside its loop_read; they only take notes, so that nothing of ours can fail in
    # there

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            refused = f"the broker refuses {self._broker.gateway}: {reason}"
            self._trouble = _Trouble(refused, hopeless=reason.value in _NOT_AUTHORISED)
        else:
            self._greeted = True
            client.subscribe([(topics.down(self._broker.gateway, kind), 1) for kind in Down])

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _props: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._trouble = _Trouble(f"the broker does not let {self._broker.gateway} hear the cloud", hopeless=True)
        else:
            self._subscribed = True

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        # Nothing of ours is retained; what is, is another's (gateway-ota.md, section 0, fact 4).
        if not message.retain and (kind := self._kinds.get(message.topic)):
            self._arrived.append((kind, bytes(message.payload)))

    def _on_log(self, _client: Client, _data: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR and self._trouble is None:
            self._trouble = _Trouble(text, hopeless="CERTIFICATE" in text.upper() or "UNKNOWN_CA" in text.upper())

    # the event loop's callbacks

    def _readable(self) -> None:
        while self._socket is not None:
            try:
                going_on = self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
            except (ValueError, IndexError, struct.error) as error:  # paho's parser
                self._trouble = _Trouble(f"the broker says what is not MQTT: {error}")
                break
            coming = self._client._in_packet["remaining_length"]  # paho has a limit of its own in MQTT 5 alone
            if going_on and coming > PACKET_BYTES:
                self._trouble = _Trouble(f"the broker says {coming} bytes at once, {PACKET_BYTES} are read")
                break
            if not going_on or not self._pending():
                break
        self._after()

    def _pending(self) -> int:
        """Bytes that TLS has read already and that the selector therefore does not see."""
        return self._socket.pending() if self._socket is not None else 0

    def _writable(self) -> None:
        self._client.loop_write()
        self._after()

    def _care(self) -> None:
        self._client.loop_misc()
        self._after()

    def _after(self) -> None:
        """Act on what the callbacks noted and on what could not be written yet."""
        if self._subscribed and self._socket is not None:
            self._subscribed = False
            self._restart_care()
            self._listener.connected()
        arrived, self._arrived = self._arrived, []
        for kind, payload in arrived:
            self._listener.received(kind, payload)
        if self._client.want_write() and self._socket is not None:
            self._client.loop_write()
        if self._socket is None or self._trouble is not None:
            self._lost(self._trouble or self._closed())
        elif self._client.want_write():
            self._loop.add_writer(self._socket.fileno(), self._writable)
        else:
            self._loop.remove_writer(self._socket.fileno())

    def _closed(self) -> _Trouble:
        """A broker that refuses a certificate under TLS 1.3 may close without a word, as one does that is
        restarted."""
        if self._greeted:
            return _Trouble("the broker closed the connection")
        name = self._broker.gateway
        return _Trouble(f"the broker closed the connection unanswered: does it know the certificate of {name}?")

    def _restart_care(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(CARE_EVERY_S, self._care_again)

    def _care_again(self) -> None:
        self._care()
        if not self._over:
            self._restart_care()

    def _lost(self, trouble: _Trouble) -> None:
        if self._over:
            return
        self._over = True
        if self._client.socket() is not None:
            self._client.disconnect()
        self._let_go()
        self._listener.lost(trouble.why, trouble.hopeless)

    def _let_go(self) -> None:
        """paho is about to close the socket, or we are done with it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            fd = self._socket.fileno()
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)
            self._socket = None


def _trouble_of(error: Exception, broker: Broker) -> _Trouble:
    where = f"{broker.host}:{broker.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _Trouble(f"{where}: the broker's certificate is refused: {error.verify_message}", hopeless=True)
    if isinstance(error, ssl.SSLError):
        alert = error.reason or str(error)
        return _Trouble(f"{where}: TLS failed: {alert}", hopeless="CERTIFICATE" in alert or "UNKNOWN_CA" in alert)
    if isinstance(error, OSError) and error.strerror:
        return _Trouble(f"{where}: {error.strerror}")
    return _Trouble(f"{where}: {str(error) or type(error).__name__}")
