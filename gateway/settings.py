"""The gateway's settings, as `gateway.yaml` holds them. All checks that need no file are made here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from drivers.ups import READINGS, Severity
from gateway import ports
from gateway.wire.limits import GATEWAY_NAME_LENGTH, HELLO_UNITS, UNIT_NAME_LENGTH
from gateway.wire.topics import RESERVED_NAMES, is_gateway_name

DEFAULT_PORT = 8883
LOW_BATTERY_RUNTIME_S = 300
FASTEST_HZ = 5.0
"""What `fast_status_hz` allows at most (S4)."""

_READING_NAMES = frozenset(reading.name for reading in READINGS)

GatewayName = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^[a-z0-9-]{{1,{GATEWAY_NAME_LENGTH}}}$",
        description=f"a gateway's name: 1 to {GATEWAY_NAME_LENGTH} of a-z, 0-9 and -",
    ),
]
UnitName = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^[a-z0-9-]{{1,{UNIT_NAME_LENGTH}}}$",
        description=f"a unit's name: 1 to {UNIT_NAME_LENGTH} of a-z, 0-9 and -",
    ),
]
CloudUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^mqtts://(\[[0-9a-fA-F:.]+\]|[^/:@\s]+)(:[0-9]{1,5})?/?$",
        description="the broker as mqtts://HOST:PORT",
    ),
]
EnrolmentUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https://(\[[0-9a-fA-F:.]+\]|[^/:@\s]+)(:[0-9]{1,5})?/?$",
        description="the cloud's enrolment endpoint as https://HOST:PORT",
    ),
]
ListenAddress = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(\[[0-9a-fA-F:.]+\]|[^/:@\s]+):[0-9]{1,5}$",
        description="an address to listen at as 127.0.0.1:8480",
    ),
]
UnitUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z][a-z0-9+.-]*://\S+$",
        description="a unit's URL, as in modbus+tcp://10.0.0.5:502?unit=1 or modbus+rtu:///dev/ttyUSB0?unit=1",
    ),
]
MailAddress = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}\Z",
        description="a mail address, as in owner@example.net",
    ),
]
HostName = Annotated[
    str,
    msgspec.Meta(pattern=r"^([A-Za-z0-9.-]{1,253}|[0-9a-fA-F:]{2,45})\Z", description="a host's name or address"),
]
NtfyUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)+\Z",
        description="a topic of an ntfy server as https://HOST/TOPIC",
    ),
]
Rate = Annotated[
    float,
    msgspec.Meta(gt=0, le=FASTEST_HZ, description=f"readings a second, above 0 and at most {FASTEST_HZ:g}"),
]
Interval = Annotated[float, msgspec.Meta(ge=1 / FASTEST_HZ, le=3600.0)]


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ca`: whom the broker's certificate must come from. `certificate` and `key`: the gateway's own. `issuer`: whom a
    renewed certificate must come from."""

    ca: Path
    certificate: Path
    key: Path
    issuer: Path | None = None


class UnitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One UPS. `fast_status_hz`: looks at the state a second; `full_s`: seconds between looks at everything; both
    default to the driver's own pace (S4). `deadbands`: by reading, in its unit.
    """

    name: UnitName
    url: UnitUrl
    fast_status_hz: Rate | None = None
    full_s: Interval | None = None
    low_battery_runtime_s: Annotated[int, msgspec.Meta(ge=0, le=86400)] = LOW_BATTERY_RUNTIME_S
    deadbands: dict[str, Annotated[float, msgspec.Meta(ge=0)]] = {}

    def __post_init__(self) -> None:
        hz, full_s = self.fast_status_hz, self.full_s
        if hz is not None and full_s is not None and full_s * hz < 1:
            raise ValueError(f"full_s ({full_s:g}) is shorter than the {1 / hz:g} s that fast_status_hz gives")
        if unknown := sorted(self.deadbands.keys() - _READING_NAMES):
            raise ValueError(
                f"deadbands: no reading is named {unknown[0]!r}; there are {', '.join(sorted(_READING_NAMES))}"
            )


class MailRoute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By a mail server. `password`: a file that holds it, which nobody else may read. `ca`: who vouches for the
    server's certificate; none: the system's authorities. `security` `none` takes no password."""

    host: HostName
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: MailAddress
    to: Annotated[tuple[MailAddress, ...], msgspec.Meta(min_length=1, max_length=10)]
    user: Annotated[str, msgspec.Meta(max_length=256)] = ""
    password: Path | None = None
    ca: Path | None = None

    def __post_init__(self) -> None:
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password belong together: one of them is missing")
        if self.user and self.security == "none":
            raise ValueError("security: with none the password would go unencrypted; expected starttls or tls")

    @property
    def secret(self) -> Path | None:
        return self.password


class NtfyRoute(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By an ntfy server. `token`: a file that holds an access token, which nobody else may read. `ca` as for mail."""

    url: NtfyUrl
    token: Path | None = None
    ca: Path | None = None

    def __post_init__(self) -> None:
        try:
            _ = urlsplit(self.url).port
        except ValueError as error:
            raise ValueError(f"url: {error}") from None
        if self.token is not None and not self.url.startswith("https://"):
            raise ValueError("url: without TLS the token would go unencrypted; expected https://HOST/TOPIC")

    @property
    def secret(self) -> Path | None:
        return self.token


class EmergencySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the gateway itself tells of events that the cloud has not acknowledged for `after_s`.

    `least`: severity from which on events are told; `on_battery` too, once it lasts `on_battery_s`. `an_hour`: most
    messages in any hour. A message goes by each route that is named, and is told when one has taken it.
    """

    after_s: Annotated[int, msgspec.Meta(ge=5, le=86400)] = 120
    least: Severity = Severity.CRITICAL
    on_battery_s: Annotated[int, msgspec.Meta(ge=0, le=86400)] = 60
    an_hour: Annotated[int, msgspec.Meta(ge=1, le=60)] = 6
    mail: MailRoute | None = None
    ntfy: NtfyRoute | None = None

    def __post_init__(self) -> None:
        if not self.routes:
            raise ValueError("by which way? name mail, ntfy or both")

    @property
    def routes(self) -> tuple[MailRoute | NtfyRoute, ...]:
        return tuple(route for route in (self.mail, self.ntfy) if route is not None)


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `gateway.yaml`. `data`: the folder of the outbox.

    `enrolment`: where certificates are renewed. `command_key`: the public key that orders are signed with; without it
    none is taken. `policy`: which orders are allowed (S7); without it the quiet ones. `outbox_mb`: most that the outbox
    file may hold. `socket`: of `gateway status`, by default in `data`. `status_page`: address of the local page, off by
    default. `emergency`: a way to tell people without the cloud, off by default.
    """

    gateway: GatewayName
    cloud: CloudUrl
    tls: Tls
    data: Path
    enrolment: EnrolmentUrl | None = None
    command_key: Path | None = None
    policy: Path | None = None
    outbox_mb: Annotated[int, msgspec.Meta(ge=16, le=65536)] = 512
    socket: Path | None = None
    status_page: ListenAddress | None = None
    emergency: EmergencySettings | None = None
    units: Annotated[tuple[UnitSettings, ...], msgspec.Meta(max_length=HELLO_UNITS)] = ()

    def __post_init__(self) -> None:
        if not is_gateway_name(self.gateway):
            raise ValueError(f"gateway: {self.gateway!r} is reserved, as {', '.join(sorted(RESERVED_NAMES))} are")
        if self.cloud_port > 65535:
            raise ValueError(f"cloud: no port is numbered {self.cloud_port}")
        if twice := [name for name, count in Counter(unit.name for unit in self.units).items() if count > 1]:
            raise ValueError(f"units: {', '.join(twice)}: each unit needs a name of its own")
        if twice := [url for url, count in Counter(unit.url for unit in self.units).items() if count > 1]:
            raise ValueError(f"units: {', '.join(twice)}: two units have this URL; each is read over its own")
        if shared := ports.conflict((unit.name, unit.url) for unit in self.units):
            raise ValueError(f"units: {shared}")

    @property
    def status_socket(self) -> Path:
        """Where `gateway status` asks."""
        return self.socket or self.data / "gateway.sock"

    @property
    def cloud_host(self) -> str:
        return urlsplit(self.cloud).hostname or ""

    @property
    def cloud_port(self) -> int:
        text = self.cloud.rstrip("/").rpartition(":")[2]
        return int(text) if text.isdigit() else DEFAULT_PORT


def unit_from_text(text: str) -> UnitSettings:
    """A unit given as NAME=URL on the command line. Raises ValueError in words of what would be right."""
    name, equals, url = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not NAME=URL, as in rack-1=modbus+tcp://10.0.0.5:502")
    try:
        return msgspec.convert({"name": name, "url": url}, UnitSettings)
    except msgspec.ValidationError:
        wanted = (
            "NAME is 1 to 32 of a-z, 0-9 and -; URL is as in modbus+tcp://10.0.0.5:502 or modbus+rtu:///dev/ttyUSB0"
        )
        raise ValueError(f"{text!r} is not NAME=URL: {wanted}") from None


def with_units(settings: GatewaySettings, more: tuple[UnitSettings, ...]) -> GatewaySettings:
    """The settings with units from the command line. Raises ValueError for a name given twice."""
    return msgspec.structs.replace(settings, units=(*settings.units, *more))


def to_json(settings: GatewaySettings) -> bytes:
    """For `from_json` in another process."""
    return msgspec.json.encode(settings, enc_hook=str)


def from_json(text: bytes) -> GatewaySettings:
    return msgspec.json.decode(text, type=GatewaySettings, dec_hook=lambda kind, value: kind(value))
