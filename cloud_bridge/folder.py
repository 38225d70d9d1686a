"""The folder of a cloud: where its files lie, and the text of its settings files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cloud_bridge.addresses import Address
from cloud_bridge.alerts.terms import Terms
from cloud_bridge.errors import BadName
from gateway.wire.limits import GATEWAY_NAME_LENGTH, HELLO_UNITS, UNIT_NAME_LENGTH
from gateway.wire.topics import RESERVED_NAMES, is_gateway_name, is_unit_name

SETTINGS = "cloud.yaml"
GATEWAYS, SERVICES = "gateways", "services"
"""The two authorities (S12): one for gateways' client certificates, one for the broker's and the bridge's."""
BROKER, BRIDGE, ENROL = "broker", "bridge", "enrol"
"""Names in the services' certificates."""
HTTPS_PORT = 8443
REGISTRY_FILE = "registry.sqlite3"
GATEWAY_FILES = ("gateway.yaml", "gateway.pem", "gateway.key", "ca.pem")
"""What a gateway can't do without; `issuer.pem` and `command.pub` came later."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths inside a cloud's folder."""

    root: Path

    @property
    def settings(self) -> Path:
        return self.root / SETTINGS

    def authority(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of an authority."""
        return self.root / "authority" / f"{name}.pem", self.root / "authority" / f"{name}.key"

    def service(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of the broker, the bridge or the enrolment endpoint."""
        return self.root / f"{name}.pem", self.root / f"{name}.key"

    @property
    def command_key(self) -> tuple[Path, Path]:
        """Key that signs orders to gateways, and its public half."""
        return self.root / "authority" / "command.key", self.root / "authority" / "command.pub"

    @property
    def gateways(self) -> Path:
        return self.root / "gateways"

    def gateway(self, name: str) -> Path:
        return self.gateways / name

    def gateway_folders(self) -> list[Path]:
        """Those of all gateways, in the order of their names; one that is being made is left out."""
        found = sorted(self.gateways.iterdir()) if self.gateways.is_dir() else []
        return [path for path in found if path.is_dir() and not path.name.startswith(".")]


def check_gateway_name(name: str) -> None:
    """Raises BadName if no gateway may bear it."""
    if name in RESERVED_NAMES:
        reserved = ", ".join(sorted(RESERVED_NAMES))
        raise BadName(f"gateway name {name!r} is reserved, as {reserved} are: choose another")
    if not is_gateway_name(name):
        raise BadName(f"gateway name {name[:80]!r}: expected 1 to {GATEWAY_NAME_LENGTH} of a-z, 0-9 and -")


def check_units(units: Mapping[str, str]) -> None:
    """Raises BadName if a name of `units` is none for a UPS, or if there are too many."""
    if len(units) > HELLO_UNITS:
        raise BadName(f"{len(units)} units: a gateway has at most {HELLO_UNITS}")
    for name in units:
        if not is_unit_name(name):
            raise BadName(f"unit name {name[:80]!r}: expected 1 to {UNIT_NAME_LENGTH} of a-z, 0-9 and -")


def cloud_yaml(mqtts: Address, listen: Address, https: Address, listen_https: Address) -> str:
    """What `cloud init` writes as cloud.yaml; the limits in it are the defaults of settings.Limits."""
    return f"""\
# A Ridethrough cloud. Relative paths begin at this file's folder.

# What gateways connect to. The broker's certificate is good for this host and for this machine itself.
mqtts: {_quoted(mqtts)}
# Where the broker listens: an address of this machine. "[::]:PORT" is every address, IPv4's too.
listen: {_quoted(listen)}
# Where gateways enrol and renew their certificates, and where that is listened at.
https: {_quoted(https)}
listen_https: {_quoted(listen_https)}
data: data
# Gateways, tokens, certificates, revocations, commands: a file, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE.
registry: ""
# embedded, or mqtts://HOST:PORT of a broker of your own (docs/broker.md).
broker: embedded

tls:
  gateways: authority/{GATEWAYS}.pem
  services: authority/{SERVICES}.pem
  broker: {{certificate: {BROKER}.pem, key: {BROKER}.key}}
  bridge: {{certificate: {BRIDGE}.pem, key: {BRIDGE}.key}}
  enrol: {{certificate: {ENROL}.pem, key: {ENROL}.key}}
  # Signs gateways' certificates: the enrol role and `cloud gateway` alone read it.
  issuing_key: authority/{GATEWAYS}.key
  # Certificates that were revoked: `cloud gateway revoke` writes it, the broker reads it.
  revoked: authority/{GATEWAYS}.crl.pem

# Signs orders to gateways: `cloud command` alone reads it.
command_key: authority/command.key
command_public: authority/command.pub

# Encrypts channels' targets in the registry; signs the links in notices.
channel_key: authority/channels.key
link_key: authority/links.key

# The mail server that notices leave by (docs/channels.md). security: starttls, tls, or none on this machine alone.
#smtp:
#  host: mail.example.net
#  port: 587
#  security: starttls
#  sender: Ridethrough <ups@example.net>
#  user: ups@example.net
#  password: authority/smtp.password

# Where people reach the links in notices, and where the small public app behind them listens, for a proxy to reach.
# Without them no notice has a link (docs/links.md).
#public_url: https://ups.example.net
#listen_links: 127.0.0.1:8480

# The administrative API over TLS, by token; without it there is its Unix socket alone (docs/api.md).
#listen_api: 127.0.0.1:8444

# An outside service that raises an alarm when it no longer hears from here.
#dead_man:
#  url: https://hc-ping.com/UUID
#  every_s: 60

# Whether notices may go to loopback, private and link-local addresses.
#allow_private_targets: false

# Figures of alerts (docs/alerts.md); these are the defaults.
#alerts:
{_terms()}

# What the embedded broker lets clients have; these are the defaults.
#limits:
#  connections: 200
#  handshakes: 128
#  handshakes_per_address: 32
#  connect_timeout_s: 10
#  message_bytes: 131072
#  messages_per_s: 200
#  message_burst: 1000
#  bytes_per_day: 1073741824
"""


def _terms() -> str:
    """The figures of alerts as comments."""
    fields = msgspec.to_builtins(Terms()).items()
    return "\n".join(f"#  {name}: {json.dumps(value)}" for name, value in fields)


def gateway_yaml(name: str, mqtts: str, https: str, units: Mapping[str, str]) -> str:
    """What a new gateway's folder holds as gateway.yaml; `mqtts` and `https` are HOST:PORT, `units` URLs by name."""
    return f"""\
# A Ridethrough gateway. Relative paths begin at this file's folder.
gateway: {_quoted(name)}
cloud: {_quoted(f"mqtts://{mqtts}")}
# Where its certificate is renewed, by itself.
enrolment: {_quoted(f"https://{https}")}
tls: {{ca: ca.pem, certificate: gateway.pem, key: gateway.key, issuer: issuer.pem}}
# The key that orders from the cloud are signed with.
command_key: command.pub
data: data
{_units(units)}"""


def _units(units: Mapping[str, str]) -> str:
    if not units:
        return (
            "# The UPSs beside it, by name and URL:\n"
            "#units:\n"
            '#  - {name: rack-1, url: "modbus+tcp://10.0.0.5:502?unit=1"}\n'
            '#  - {name: rack-2, url: "modbus+rtu:///dev/ttyUSB0?baud=9600&unit=1"}\n'
        )
    lines = [f"  - {{name: {_quoted(name)}, url: {_quoted(url)}}}\n" for name, url in units.items()]
    return "units:\n" + "".join(lines)


def _quoted(text: object) -> str:
    """A JSON string is a YAML one."""
    return json.dumps(str(text))
