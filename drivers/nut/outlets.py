"""Outlet groups in NUT's variables: `outlet.group.N.*` of apc_modbus, `outlet.N.*` of others, `ups.*` for the whole."""

from __future__ import annotations

from collections.abc import Mapping

from drivers import dialects
from drivers.ups import GroupDelays, OutletGroup

MAIN = 0
INDICES = range(5)
"""0 is the main group, 1 to 4 the switched ones, as in the vocabulary."""
LONGEST_S = 10**7

Variables = Mapping[str, str]


def _told(index: int, what: str, variables: Variables) -> str | None:
    """One property of a group under whichever name it is told."""
    names = [f"outlet.group.{index}.{what}", f"outlet.{index}.{what}"]
    names += [f"ups.{what}"] if index == MAIN else []
    return next((variables[name] for name in names if name in variables), None)


def _seconds(index: int, what: str, variables: Variables) -> int | None:
    """A delay or countdown; -1 is none."""
    return dialects.whole(_told(index, what, variables), 0, LONGEST_S)


def indices(variables: Variables) -> tuple[int, ...]:
    """The main group, which every UPS has, and the switched ones there are. apc_modbus lists four, with delays of -1
    and without a name where there is none.
    """
    return tuple(index for index in INDICES if index == MAIN or _is_there(index, variables))


def _is_there(index: int, variables: Variables) -> bool:
    delays = [_seconds(index, f"delay.{what}", variables) for what in ("shutdown", "start", "reboot")]
    facts = [_told(index, what, variables) for what in ("status", "switchable")]
    named = dialects.words(_told(index, "name", variables))
    return named is not None or any(fact is not None for fact in (*facts, *delays))


def groups(variables: Variables, *, output_on: bool | None) -> tuple[OutletGroup, ...]:
    """`output_on` is what the unit's status says, for a main group that has no status of its own."""
    return tuple(
        OutletGroup(
            index=index,
            on=_ON.get(dialects.squashed(_status(index, variables)), output_on if index == MAIN else None),
            turn_off_s=_seconds(index, "timer.shutdown", variables),
            turn_on_s=_seconds(index, "timer.start", variables),
            stay_off_s=_seconds(index, "timer.reboot", variables),
        )
        for index in indices(variables)
    )


_ON = {"on": True, "off": False}


def _status(index: int, variables: Variables) -> str | None:
    """`ups.status` is no outlet's."""
    return variables.get(f"outlet.group.{index}.status", variables.get(f"outlet.{index}.status"))


def names(variables: Variables) -> tuple[tuple[int, str], ...]:
    """(index, name) of each group; outlet.N calls its name `desc` in most drivers."""
    return tuple(
        (index, dialects.words(_told(index, "name", variables) or _told(index, "desc", variables)) or "")
        for index in indices(variables)
    )


def delays(variables: Variables) -> tuple[GroupDelays, ...]:
    """Those of the main group are told as `ups.delay.*` by units that have no others."""
    found = (
        GroupDelays(
            index=index,
            turn_off_s=_seconds(index, "delay.shutdown", variables),
            turn_on_s=_seconds(index, "delay.start", variables),
            stay_off_s=_seconds(index, "delay.reboot", variables),
            minimum_return_runtime_s=(
                dialects.whole(variables.get("battery.runtime.restart"), 0, LONGEST_S) if index == MAIN else None
            ),
        )
        for index in sorted({MAIN, *indices(variables)})
    )
    return tuple(delay for delay in found if delay != GroupDelays(index=delay.index))
