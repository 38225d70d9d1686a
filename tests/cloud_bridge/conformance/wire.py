"""MQTT 3.1.1 by hand, over TLS, for clients that no library would let misbehave. Bytes as in the OASIS
text, section 3."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType

WAIT_S = 10.0

CONNACK, PUBLISH, PUBACK, SUBACK, UNSUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x90, 0xB0, 0xD0
PING = b"\xc0\x00"
GOODBYE = b"\xe0\x00"


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def packet(first: int, body: bytes) -> bytes:
    length, encoded = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        encoded += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([first]) + encoded + body


def connect(
    client_id: str,
    *,
    user: str | None = None,
    clean: bool = True,
    keep_alive_s: int = 60,
    will: tuple[str, bytes] | None = None,
    will_flags: int = 0,
    level: int = 4,
) -> bytes:
    flags = (2 if clean else 0) | (0x80 if user is not None else 0) | (4 | will_flags if will else 0)
    body = text("MQTT") + bytes([level, flags]) + keep_alive_s.to_bytes(2, "big") + text(client_id)
    if will:
        body += text(will[0]) + text(will[1])
    if user is not None:
        body += text(user)
    return packet(0x10, body)


def publish(topic: str, payload: bytes = b"", *, number: int | None = None, flags: int = 0) -> bytes:
    """QoS 1 with a packet identifier, else QoS 0."""
    identifier = number.to_bytes(2, "big") if number is not None else b""
    return packet(PUBLISH | flags | (2 if number is not None else 0), text(topic) + identifier + payload)


def puback(number: int) -> bytes:
    return packet(PUBACK, number.to_bytes(2, "big"))


def subscribe(*topics: str, qos: int = 1, number: int = 1) -> bytes:
    body = b"".join(text(topic) + bytes([qos]) for topic in topics)
    return packet(0x82, number.to_bytes(2, "big") + body)


def unsubscribe(*topics: str, number: int = 2) -> bytes:
    return packet(0xA2, number.to_bytes(2, "big") + b"".join(text(topic) for topic in topics))


class Wire:
    """A TLS connection to the broker; every read has a deadline."""

    def __init__(self, context: ssl.SSLContext, address: tuple[str, int]) -> None:
        plain = socket.create_connection(address, WAIT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._tls = context.wrap_socket(plain, server_hostname=address[0])
        except BaseException:
            plain.close()
            raise
        self._unread = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, *packets: bytes) -> None:
        self._tls.sendall(b"".join(packets))

    def receive(self, within_s: float = WAIT_S) -> tuple[int, bytes] | None:
        """First byte and body of the next packet; None once the broker has closed."""
        self._tls.settimeout(within_s)
        while (split := _split(self._unread)) is None:
            try:
                more = self._tls.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                return None
            if not more:
                return None
            self._unread += more
        first, body, self._unread = split
        return first, body

    def expect(self, first: int, within_s: float = WAIT_S) -> bytes:
        """The body of the next packet, which has to be of this kind."""
        got = self.receive(within_s)
        assert got is not None, "the broker closed the connection"
        assert got[0] & 0xF0 == first & 0xF0, got
        return got[1]

    def closed(self, within_s: float = WAIT_S) -> bool:
        """Whether the broker closes, whatever it says before."""
        try:
            while self.receive(within_s) is not None:
                pass
        except TimeoutError:
            return False
        return True

    def connected(self, hello: bytes) -> Wire:
        """Sends a CONNECT, which has to be accepted."""
        self.send(hello)
        assert self.expect(CONNACK)[1] == 0
        return self

    def answer(self, hello: bytes) -> int | None:
        """Sends a CONNECT; the return code, 0 if it is accepted, None if the broker just closed."""
        self.send(hello)
        got = self.receive()
        if got is None:
            return None
        assert got[0] == CONNACK
        return got[1][1]

    def close(self) -> None:
        self._tls.close()


def _split(unread: bytes) -> tuple[int, bytes, bytes] | None:
    """First byte, body and what follows of the first packet in `unread`; None if it is not all there."""
    length = 0
    for place, digit in enumerate(unread[1:5]):
        length |= (digit & 0x7F) << (7 * place)
        if not digit & 0x80:
            begin = place + 2
            end = begin + length
            return (unread[0], unread[begin:end], unread[end:]) if len(unread) >= end else None
    return None
