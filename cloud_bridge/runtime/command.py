"""The one role that signs orders (S12): it asks for a command, signs it once, and waits for its outcome."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloud_bridge import commands, presence
from cloud_bridge.commands import Command, Ending, Request, State
from cloud_bridge.errors import CloudError, UnknownUnit
from cloud_bridge.presence import LinkState
from cloud_bridge.rows import GatewayRow, UnitRow
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.files import write_new
from cloud_bridge.runtime.keys import load_signing_key
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.database import FILE_NAME
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.registry import commands as rows
from cloud_bridge.store.registry.registry import Registry
from gateway.wire import codec, envelope
from gateway.wire.messages import Hello
from gateway.wire.orders import CLOUD, ORDER, By

LOOK_S = 0.1
"""How often the row is looked at."""

OVERDUE_MS = 2000
"""Ingest ends a row that ran out; so long after that nobody did, and who waits does it."""

Keys = list[tuple[str, Ed25519PrivateKey]]
"""With their names in signatures, the cloud's first."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A unit as the cloud knows it. `warning`: why nothing may come of it just now."""

    gateway: str
    unit: str
    serial: str | None
    model: str | None
    hello: Hello | None
    warning: str


def find_target(settings: CloudSettings, gateway: str, unit: str) -> Target:
    """Raises UnknownUnit, StoreError."""
    with Reader(settings.data / FILE_NAME) as reader:
        ingest = reader.ingest()
        gateways = {row.name: row for row in reader.gateways()}
        units = {row.name: row for row in reader.units() if row.gateway == gateway}
    if gateway not in gateways:
        raise UnknownUnit(f"no gateway {gateway[:40]!r} was ever heard; known are {_list(gateways)}")
    if unit not in units:
        raise UnknownUnit(f"gateway {gateway} has no unit {unit[:40]!r}; known are {_list(units)}")
    link = presence.link_state(gateways[gateway], ingest, now_ms())
    return _target(gateways[gateway], units[unit], link)


def _target(gateway: GatewayRow, unit: UnitRow, link: LinkState) -> Target:
    identity = unit.identity.identity if unit.identity else None
    return Target(
        gateway=gateway.name,
        unit=unit.name,
        serial=identity.serial if identity else None,
        model=identity.model if identity else None,
        hello=gateway.hello,
        warning=_WARNINGS.get(link, ""),
    )


_WARNINGS = {
    LinkState.UNKNOWN: "ingest does not run, or hears no broker: `ridethrough cloud run` passes commands on",
    LinkState.LOST: "the gateway is lost: it gets the command if it comes back in time",
    LinkState.STOPPED: "the gateway was stopped: it gets the command if it is started in time",
}


def _list(names: dict[str, GatewayRow] | dict[str, UnitRow]) -> str:
    return ", ".join(sorted(names)) or "none"


def load_keys(settings: CloudSettings, operator: str | None, operator_key: Path | None) -> Keys:
    """Raises NotAFolder if a key can't be read, or others may read it."""
    keys = [(CLOUD, load_signing_key(settings.command_key))]
    if operator and operator_key:
        keys.append((envelope.operator(operator), load_signing_key(operator_key)))
    return keys


def new_operator_key(path: Path) -> str:
    """Makes a key that only its owner can read, and gives its public half for policy.yaml. Raises CloudError."""
    key = Ed25519PrivateKey.generate()
    try:
        write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except OSError as error:
        raise CloudError(f"{path}: can't be written: {error.strerror}") from error
    return envelope.public_text(key.public_key())


class Asking:
    """A context manager: one command, from its row in the registry to its end."""

    def __init__(self, settings: CloudSettings, target: Target, request: Request, keys: Keys) -> None:
        self._registry = Registry(settings.registry_at)
        self._target = target
        self._request = request
        self._keys = keys

    def __enter__(self) -> Asking:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._registry.close()

    def begin(self, serial: str, by: By, expires_s: int) -> Command:
        """Makes the row; signed already, if no challenge is needed. Raises RegistryError."""
        if self._target.gateway in self._registry.revoked_gateways():
            raise CloudError(f"gateway {self._target.gateway} is revoked: nothing is said to it")
        now = now_ms()
        wanted = Command(
            id=secrets.token_hex(16),
            gateway=self._target.gateway,
            unit=self._target.unit,
            serial=serial,
            verb=self._request.verb.value,
            by_role=by.role,
            by_name=by.name,
            created_at=now,
            expires_at=now + expires_s * 1000,
            state=State.WANTED,
        )
        if not commands.needs_challenge(self._request.verb, self._target.hello):
            wanted = msgspec.structs.replace(wanted, state=State.SIGNED, envelope=self._sealed(wanted))
        with self._registry.writing(noticed=True) as connection:
            rows.add(connection, wanted)
        return wanted

    def follow(self, command: Command) -> Iterator[Command]:
        """The row at each change until it ends; signs it as soon as the gateway's challenge is there."""
        yield command
        while command.state is not State.ENDED:
            time.sleep(LOOK_S)
            seen = self._look(command)
            if seen.state is State.CHALLENGED:
                self._sign(seen)
            if seen != command:
                yield seen
            command = seen

    def withdraw(self, command: Command) -> bool:
        """Takes it back; False if it was signed, and so may have been sent."""
        with self._registry.writing(noticed=True) as connection:
            now = rows.find(connection, command.id)
            if now is None or now.state not in (State.WANTED, State.CHALLENGED):
                return False
            return rows.settle(connection, now, commands.ended_by_us(now, Ending.WITHDRAWN, now_ms()))

    def _look(self, command: Command) -> Command:
        with self._registry.reading() as connection:
            seen = rows.find(connection, command.id) or command
        late = commands.settled(seen, (), now_ms() - OVERDUE_MS)
        if late != seen:
            with self._registry.writing() as connection:
                rows.settle(connection, seen, late)
        return seen

    def _sign(self, command: Command) -> None:
        with self._registry.writing(noticed=True) as connection:
            rows.signed(connection, command.id, self._sealed(command))

    def _sealed(self, command: Command) -> bytes:
        order = commands.order(command, self._request, now_ms())
        return codec.encode(envelope.seal(ORDER, order, self._keys))
