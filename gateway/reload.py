"""What new settings change in a running gateway."""

from __future__ import annotations

import msgspec

from drivers.ups import Verb
from gateway.order import Wishes
from gateway.settings import UnitSettings

AT_START_ONLY = ("gateway", "data", "enrolment", "command_key", "outbox_mb")
"""Keys whose change a running gateway can't follow."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """`stop`: names of the units that go or change; `start`: those that come or changed. `uplink`: the connection is
    made anew. `listeners`: so are the local ones. `policy`, `emergency`: another one holds. `restart`: changed keys
    that a running gateway can't follow; with one of them nothing else is taken either."""

    restart: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    start: tuple[UnitSettings, ...] = ()
    uplink: bool = False
    listeners: bool = False
    policy: bool = False
    emergency: bool = False


def difference(old: Wishes, new: Wishes) -> Changes:
    had, has = old.settings, new.settings
    restart = tuple(key for key in AT_START_ONLY if getattr(had, key) != getattr(has, key))
    if restart:
        return Changes(restart=restart)
    before, after = _units(old), _units(new)
    return Changes(
        stop=tuple(name for name, unit in before.items() if after.get(name) != unit),
        start=tuple(unit[0] for name, unit in after.items() if before.get(name) != unit),
        uplink=(had.cloud, had.tls) != (has.cloud, has.tls),
        listeners=(had.status_socket, had.status_page) != (has.status_socket, has.status_page),
        policy=old.policy != new.policy,
        emergency=had.emergency != has.emergency,
    )


def _units(wishes: Wishes) -> dict[str, tuple[UnitSettings, frozenset[Verb]]]:
    """By name: what a unit's poller and driver are made of."""
    return {unit.name: (unit, wishes.policy.also_allowed(unit.name)) for unit in wishes.settings.units}


def told(changes: Changes) -> str:
    """The changes as a sentence for the log."""
    if changes.restart:
        keys = " and ".join(changes.restart)
        return f"{keys} changed: that takes a restart; until then the old settings go on"
    started = [unit.name for unit in changes.start]
    parts = [
        ("stopped", [name for name in changes.stop if name not in started]),
        ("started", [name for name in started if name not in changes.stop]),
        ("changed", [name for name in started if name in changes.stop]),
    ]
    said = [f"{what} {', '.join(names)}" for what, names in parts if names]
    others = {
        "new connection": changes.uplink,
        "new policy": changes.policy,
        "new listeners": changes.listeners,
        "new emergency route": changes.emergency,
    }
    said += [what for what, is_so in others.items() if is_so]
    return "; ".join(said) or "nothing changed"
