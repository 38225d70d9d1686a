"""What the process that reads the files hands to the agent, which reads none of them: at the start, and anew at each
reload."""

from __future__ import annotations

import msgspec

from gateway import policy as policies
from gateway import settings as all_settings
from gateway.policy import Policy
from gateway.settings import GatewaySettings


class Wishes(msgspec.Struct, frozen=True):
    """What the owner wrote, checked. Without a policy file, `policy` is what holds then."""

    settings: GatewaySettings
    policy: Policy = Policy()


class Source(msgspec.Struct, frozen=True):
    """Where the wishes are read: the settings file, and NAME=URL of each unit that the command line adds."""

    config: str
    units: tuple[str, ...] = ()
    log_level: str = "info"


class _Raw(msgspec.Struct, frozen=True):
    """Each part in its own module's encoding."""

    settings: msgspec.Raw
    policy: msgspec.Raw


class _Order(msgspec.Struct, frozen=True):
    wishes: _Raw
    source: Source
    outbox: str


class Order(msgspec.Struct, frozen=True):
    """All that the agent starts with. `outbox`: the file, ready for this version."""

    wishes: Wishes
    source: Source
    outbox: str


def wishes_to_json(wishes: Wishes) -> bytes:
    return msgspec.json.encode(_raw(wishes))


def wishes_from_json(text: bytes) -> Wishes:
    return _cooked(msgspec.json.decode(text, type=_Raw))


def to_json(order: Order) -> bytes:
    return msgspec.json.encode(_Order(_raw(order.wishes), order.source, order.outbox))


def from_json(text: bytes) -> Order:
    order = msgspec.json.decode(text, type=_Order)
    return Order(_cooked(order.wishes), order.source, order.outbox)


def _raw(wishes: Wishes) -> _Raw:
    settings, policy = all_settings.to_json(wishes.settings), policies.to_json(wishes.policy)
    return _Raw(msgspec.Raw(settings), msgspec.Raw(policy))


def _cooked(raw: _Raw) -> Wishes:
    return Wishes(all_settings.from_json(bytes(raw.settings)), policies.from_json(bytes(raw.policy)))
