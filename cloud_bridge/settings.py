"""cloud.yaml: where the broker listens, what it allows, where keys and data are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cloud_bridge.addresses import LOOPBACK, Address, is_every_address, parse_address
from cloud_bridge.alerts.terms import Terms
from cloud_bridge.errors import BadAddress
from cloud_bridge.folder import ENROL, GATEWAYS, HTTPS_PORT, REGISTRY_FILE
from gateway.wire.limits import BATCH_BYTES, PAYLOAD_BYTES

EMBEDDED = "embedded"
_PUBLIC_URL = r"^(https?://[^/?#\s]+(/[^?#\s]*[^/?#\s])?)?\Z"
_EXTERNAL = "mqtts://"


class KeyPair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certificate and its key, both PEM files."""

    certificate: Path
    key: Path


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom the broker believes, and who broker, bridge and enrolment endpoint are. Two authorities: who can name a
    gateway can't name a bridge (S12)."""

    gateways: Path
    """Certificate of the authority of gateways' client certificates."""
    services: Path
    """Certificate of the authority of the broker's and the bridge's."""
    broker: KeyPair
    bridge: KeyPair
    enrol: KeyPair = KeyPair(Path(f"{ENROL}.pem"), Path(f"{ENROL}.key"))
    issuing_key: Path = Path(f"authority/{GATEWAYS}.key")
    """Signs gateways' certificates and their revocation list; the enrol role and `cloud gateway` alone open it."""
    revoked: Path = Path(f"authority/{GATEWAYS}.crl.pem")
    """Revocation list of gateways' certificates."""


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


class Smtp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The mail server that notices leave by."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`none` is for a server on this machine alone."""
    sender: Annotated[str, Meta(description="an address, as in Ridethrough <ups@example.net>")]
    user: str = ""
    password: Path | None = None
    """A file that holds it, which nobody else may read."""
    ca: Path | None = None
    """Who vouches for the server's certificate; none: the system's authorities."""


class DeadMan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An outside service that raises an alarm if it does not hear from here, as healthchecks.io does."""

    url: Annotated[str, Meta(pattern=r"^https?://", description="an http or https URL")]
    every_s: Annotated[int, Meta(ge=10, le=86400)] = 60


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
    https: Annotated[str, Meta(description="HOST:PORT that gateways enrol at, as in bridge.example.net:8443")] = ""
    """Empty: the host of `mqtts`, at port 8443."""
    listen_https: Annotated[str, Meta(description="ADDRESS:PORT to listen at, as in 127.0.0.1:8443")] = ""
    """Empty: loopback only, at the port of `https` (S13)."""
    registry: Annotated[str, Meta(description="a file, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE")] = ""
    """Empty: `registry.sqlite3`; a file's path begins in `data`."""
    command_key: Path = Path("authority/command.key")
    """Ed25519, signs orders to gateways: `cloud command` alone opens it."""
    command_public: Path = Path("authority/command.pub")
    limits: Limits = Limits()
    public_url: Annotated[str, Meta(pattern=_PUBLIC_URL, description="a URL, as in https://ups.example.net")] = ""
    """Where people reach the links in notices; empty: no notice has any."""
    listen_links: Annotated[str, Meta(description="ADDRESS:PORT to listen at, as in 127.0.0.1:8480")] = ""
    """The small public app behind those links, for a proxy to reach; empty: it does not run."""
    api_socket: str = "api.sock"
    """Unix socket of the administrative API; a relative path begins in `data`."""
    listen_api: Annotated[str, Meta(description="ADDRESS:PORT to listen at, as in 127.0.0.1:8444")] = ""
    """The same over TLS with the enrolment endpoint's certificate, by token; empty: the socket alone (S25)."""
    smtp: Smtp | None = None
    dead_man: DeadMan | None = None
    alerts: Terms = Terms()
    allow_private_targets: bool = False
    """Whether notices may go to loopback, private and link-local addresses (S24)."""
    channel_key: Path = Path("authority/channels.key")
    """Encrypts the targets of channels in the registry."""
    link_key: Path = Path("authority/links.key")
    """Signs the links in notices."""

    def __post_init__(self) -> None:
        try:
            parse_address(self.mqtts)
            _ = self.listen_at, self.bridge_connects_to, self.enrolment, self.enrolment_listens_at
            for listen in filter(None, (self.listen_links, self.listen_api)):
                parse_address(listen)
        except BadAddress as error:
            raise ValueError(str(error)) from None

    @property
    def listen_at(self) -> Address:
        """Where the embedded broker listens."""
        return parse_address(self.listen) if self.listen else Address(LOOPBACK, parse_address(self.mqtts).port)

    @property
    def enrolment(self) -> Address:
        """Where gateways find the enrolment endpoint."""
        return parse_address(self.https) if self.https else Address(parse_address(self.mqtts).host, HTTPS_PORT)

    @property
    def enrolment_listens_at(self) -> Address:
        """Where the enrolment endpoint listens."""
        return parse_address(self.listen_https) if self.listen_https else Address(LOOPBACK, self.enrolment.port)

    @property
    def registry_at(self) -> str | Path:
        """The registry's file, or the URL of its database."""
        return self.registry if "://" in self.registry else self.data / (self.registry or REGISTRY_FILE)

    @property
    def bridge_connects_to(self) -> Address:
        """Where ingest finds the broker: the embedded one beside it, or the external one."""
        if self.broker != EMBEDDED:
            return parse_address(self.broker.removeprefix(_EXTERNAL))
        listen = self.listen_at
        return Address(LOOPBACK, listen.port) if is_every_address(listen.host) else listen
