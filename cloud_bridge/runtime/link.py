"""The bridge's connection to the broker: one after another, each with a client of its own.

A client that reconnects re-sends what it had in flight (libraries.md, paho-mqtt): stale acknowledgements.
"""

from __future__ import annotations

import logging
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_bridge.addresses import Address
from cloud_bridge.backoff import delays
from cloud_bridge.errors import CloudError
from cloud_bridge.settings import Tls
from gateway.wire.topics import up_tree

log = logging.getLogger(__name__)

NAME = "bridge"
"""Certificate name, client id and user name (S12)."""

KEEP_ALIVE_S = 15
"""paho notices a dead broker after twice that."""

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 10.0
PATIENT_TRIES = 3
"""A broker that is started together with ingest takes a moment: so many failures are nothing to tell."""
MAX_QUEUED = 10_000
"""Most acknowledgements that wait for a slow broker; without one a gateway sends again."""


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Believes the services' authority only, and shows the bridge's certificate. Raises CloudError."""
    pair = tls.bridge
    for path in (tls.services, pair.certificate, pair.key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise CloudError(f"{path}: can't be read: {error.strerror}") from error
    try:
        context = ssl.create_default_context(cafile=str(tls.services))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(pair.certificate, pair.key)
    except ssl.SSLError as error:
        raise CloudError(f"{tls.services}, {pair.certificate} or {pair.key}: not usable: {error}") from error
    return context


class Link:
    """`hear` gets topic and payload of each message; `changed` is called when the broker is heard or lost.

    Both are called in the client's thread and have to be short.
    """

    def __init__(
        self,
        address: Address,
        tls: ssl.SSLContext,
        hear: Callable[[str, bytes], None],
        changed: Callable[[], None],
    ) -> None:
        self._address = address
        self._tls = tls
        self._hear = hear
        self._changed = changed
        self._client: Client | None = None
        self._gone = threading.Event()
        self._stopping = threading.Event()
        self._why = ""
        self._told = ""
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="broker-link", daemon=True)
        self.connected_at: int | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker is heard; `connected_at` says since when, in UTC milliseconds."""
        return self.connected_at is not None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Says goodbye and waits until the connection is closed."""
        self._stopping.set()
        self._gone.set()
        if self._thread.is_alive():
            self._thread.join()

    def publish(self, topic: str, payload: bytes) -> None:
        """Sends it if there is a connection; else whoever needs it will ask again."""
        client = self._client
        if client is not None and self.connected:
            client.publish(topic, payload, qos=1)

    def _run(self) -> None:
        waits = delays(FIRST_RETRY_S, LONGEST_RETRY_S, random.random)
        while not self._stopping.is_set():
            if self._connect_once():
                waits = delays(FIRST_RETRY_S, LONGEST_RETRY_S, random.random)
                self._failures = 0
            else:
                self._failures += 1
            self._stopping.wait(next(waits))

    def _connect_once(self) -> bool:
        """One connection from its beginning to its end; whether it came to hear anything."""
        self._gone.clear()
        self._why = ""
        client = self._new_client()
        try:
            client.connect(self._address.host, self._address.port, KEEP_ALIVE_S)
        except OSError as error:
            self._tell(f"broker {self._address} can't be reached: {error}", now=False)
            return False
        self._client = client
        client.loop_start()
        if not self._stopping.is_set():
            self._gone.wait()
        heard = self.connected
        self._set_connected(False)
        client.disconnect()
        client.loop_stop()
        if not self._stopping.is_set():
            self._tell(self._why, now=heard)
        return heard

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=NAME,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        # An exception in a callback would end paho's thread unseen (gateway-ota.md, section 0, fact 10).
        client.suppress_exceptions = True
        client.enable_logger(log)
        client.username_pw_set(NAME)
        client.tls_set_context(self._tls)
        client.max_queued_messages_set(MAX_QUEUED)
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _: Properties | None
    ) -> None:
        if reason.is_failure:
            self._why = f"broker {self._address} refuses the bridge: {reason}"
        else:
            client.subscribe(up_tree(), qos=1)

    def _on_subscribe(
        self, client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._why = f"broker {self._address} refuses the bridge's subscription to {up_tree()}: {reasons[0]}"
            client.disconnect()
            return
        self._told = ""
        log.info("hears broker %s", self._address)
        self._set_connected(True)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        # Nothing of ours is retained: what is, is somebody's replay.
        if not message.retain:
            self._hear(message.topic, bytes(message.payload))

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _: Properties | None,
    ) -> None:
        if not self._why:
            ended = "lost" if self.connected else "closed before it was let in"
            self._why = f"connection to broker {self._address} {ended}: {reason}"
        self._gone.set()

    def _set_connected(self, connected: bool) -> None:
        if connected != self.connected:
            self.connected_at = time.time_ns() // 1_000_000 if connected else None
            self._changed()

    def _tell(self, what: str, *, now: bool) -> None:
        """A warning once for each change, however often it is tried; `now`, or when it has been tried for a while."""
        if now or self._failures >= PATIENT_TRIES:
            log.log(logging.DEBUG if what == self._told else logging.WARNING, "%s", what)
            self._told = what


def _no_delay(_client: Client, _data: object, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
