"""cloud.yaml: where the broker listens, what it allows, where keys and data are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from cloud_bridge.addresses import LOOPBACK, Address, is_every_address, parse_address
from cloud_bridge.errors import BadAddress
from gateway.wire.limits import BATCH_BYTES, GATEWAY_NAME_LENGTH, PAYLOAD_BYTES

EMBEDDED = "embedded"
_EXTERNAL = "mqtts://"


GatewayName = Annotated[
    str,
    Meta(
        pattern=rf"^[a-z0-9-]{{1,{GATEWAY_NAME_LENGTH}}}\Z",
        description=f"a gateway's name: 1 to {GATEWAY_NAME_LENGTH} of a-z, 0-9 and -",
    ),
]


class KeyPair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certificate and its key, both PEM files."""

    certificate: Path
    key: Path


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom the broker believes, and who broker and bridge are. Two authorities: who can name a gateway
    can't name a bridge (S12)."""

    gateways: Path
    """Certificate of the authority of gateways' client certificates."""
    services: Path
    """Certificate of the authority of the broker's and the bridge's."""
    broker: KeyPair
    bridge: KeyPair


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the embedded broker lets a client have."""

    connections: Annotated[int, Meta(ge=2, le=2000)] = 200
    """Admitted at once; it is good to about 100 gateways."""
    handshakes: Annotated[int, Meta(ge=1, le=1000)] = 128
    """Not yet admitted at once, from everywhere."""
    handshakes_per_address: Annotated[int, Meta(ge=1, le=1000)] = 32
    connect_timeout_s: Annotated[float, Meta(gt=0, le=120)] = 10.0
    """From the first packet of TCP to an accepted CONNECT."""
    message_bytes: Annotated[int, Meta(ge=BATCH_BYTES, le=4 * 1024 * 1024)] = PAYLOAD_BYTES
    """Longest MQTT payload."""
    messages_per_s: Annotated[float, Meta(gt=0, le=100_000)] = 200.0
    """Of one gateway, over time; it is slowed, not cut. A gateway with 64 units says about 70 a second."""
    message_burst: Annotated[int, Meta(ge=1, le=1_000_000)] = 1000
    bytes_per_day: Annotated[int, Meta(ge=1024 * 1024)] = 1024**3
    """Of one gateway; 64 units need about 150 MiB. Above it the gateway is closed, and refused for a
    while."""


class CloudSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """cloud.yaml. Relative paths begin at its folder."""

    mqtts: Annotated[str, Meta(description="HOST:PORT that gateways connect to, as in bridge.example.net:8883")]
    tls: Tls
    data: Path
    """Folder of the database; ingest makes it."""
    listen: Annotated[str, Meta(description="ADDRESS:PORT to listen at, as in 127.0.0.1:8883")] = ""
    """Empty: loopback only, at the port of `mqtts` (S13)."""
    broker: Annotated[str, Meta(pattern=r"^(embedded|mqtts://.+)\Z", description="embedded, or mqtts://HOST:PORT")] = (
        EMBEDDED
    )
    refused: tuple[GatewayName, ...] = ()
    """Gateways that the embedded broker turns away although their certificates are good: stolen or retired."""
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        try:
            parse_address(self.mqtts)
            _ = self.listen_at, self.bridge_connects_to
        except BadAddress as error:
            raise ValueError(str(error)) from None

    @property
    def listen_at(self) -> Address:
        """Where the embedded broker listens."""
        return parse_address(self.listen) if self.listen else Address(LOOPBACK, parse_address(self.mqtts).port)

    @property
    def bridge_connects_to(self) -> Address:
        """Where ingest finds the broker: the embedded one beside it, or the external one."""
        if self.broker != EMBEDDED:
            return parse_address(self.broker.removeprefix(_EXTERNAL))
        listen = self.listen_at
        return Address(LOOPBACK, listen.port) if is_every_address(listen.host) else listen
