"""The operator's routing tree: from its text, and down to the leaves that an alert reaches. Pure.

The form is prometheus/alertmanager's: children inherit what they do not say, and the deepest nodes that fit are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

import msgspec

from cloud_bridge.alerts.terms import Route
from config.document import Node, Place, parse
from config.errors import Problem, SettingsError
from config.settings import decode
from drivers.ups import CATALOGUE, Severity

Facts = Mapping[str, frozenset[str]]
"""What a node's `match` is held against: its keys to every value that the alert has for them."""

DEFAULT_GROUP_BY = ("site", "condition")
DEFAULT_GROUP_S = 300
CONDITIONS = frozenset(CATALOGUE) | {"outage", "reading_out_of_range:1"}


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """A node that is told, with what it inherited. `path`: names from the root, as in root/berlin/night; `channel`:
    an operator's channel by name, empty where no node on the way names one."""

    path: str
    channel: str = ""
    least: Severity = Severity.WARNING
    group_by: tuple[str, ...] = DEFAULT_GROUP_BY
    group_s: int = DEFAULT_GROUP_S
    escalate_after_s: int | None = None
    escalate_to: str = ""


def parse_routes(text: str, source: str) -> Route:
    """The tree in `text`. Raises config's SettingsError with the line and column of all that is wrong in it.

    Whether its channels are there is the caller's to check (`channels_of`).
    """
    route = decode(text, Route, source)
    root = parse(text, source) or Node({}, Place())
    problems = [Problem(source, at.line, at.column, path, what) for at, path, what in _wrong(route, root)]
    if problems:
        raise SettingsError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return route


def leaves(route: Route, facts: Facts) -> list[Leaf]:
    """What is told of an alert that has those facts, in the order of the tree; nothing if its root does not fit."""
    return _leaves(route, facts, Leaf(path=""))


def every_leaf(route: Route) -> Iterator[Leaf]:
    """Every node of the tree with what it inherited, whatever it matches."""
    return _flat(route, Leaf(path=""))


def channels_of(route: Route) -> frozenset[str]:
    """Names of every channel that the tree speaks of."""
    named = {route.channel, route.escalate_to}.union(*(channels_of(child) for child in route.routes))
    return frozenset(named - {""})


def _leaves(route: Route, facts: Facts, above: Leaf) -> list[Leaf]:
    if not _fits(route, facts):
        return []
    here = _inherited(route, above)
    told: list[Leaf] = []
    for child in route.routes:
        below = _leaves(child, facts, here)
        told += below
        if below and not child.go_on:
            break
    return told or [here]


def _fits(route: Route, facts: Facts) -> bool:
    return all(any(fnmatchcase(value, pattern) for value in facts.get(key, ())) for key, pattern in route.match.items())


def _inherited(route: Route, above: Leaf) -> Leaf:
    said = {name: value for name in Leaf.__struct_fields__[1:] if (value := getattr(route, name)) not in (None, "")}
    path = f"{above.path}/{route.name}" if above.path else route.name
    return msgspec.structs.replace(above, path=path, **said)


def _flat(route: Route, above: Leaf) -> Iterator[Leaf]:
    here = _inherited(route, above)
    yield here
    for child in route.routes:
        yield from _flat(child, here)


def _wrong(route: Route, node: Node, above: Leaf | None = None, where: str = "") -> Iterator[tuple[Place, str, str]]:
    here = _inherited(route, above or Leaf(path=""))
    if (here.escalate_after_s is None) != (not here.escalate_to):
        lacks = "escalate_to" if here.escalate_after_s is not None else "escalate_after_s"
        said = next((node.keys[key] for key in ("escalate_to", "escalate_after_s") if key in node.keys), node.place)
        yield said, _inside(where, lacks), "missing here and above; an escalation has a time and a channel"
    for key, names in (("severity", frozenset(Severity)), ("condition", CONDITIONS)):
        pattern = route.match.get(key)  # type: ignore[call-overload]  # keys of a literal type
        if pattern is not None and not any(fnmatchcase(name, pattern) for name in names):
            place = node.fields["match"].fields[key].place
            yield place, _inside(where, f"match.{key}"), f"{pattern!r} fits no {key} that there is"
    for index, child in enumerate(route.routes):
        below = node.fields["routes"].items[index]
        yield from _wrong(child, below, here, _inside(where, f"routes[{index}]"))


def _inside(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
