"""Options that more than one command of `ridethrough cloud` has."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])

_DURATION = re.compile(r"(\d{1,9})\s*(s|min|m|h|d)\Z|(0+)\Z")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def directory(command: Command) -> Command:
    """The option that says which cloud."""
    return click.option(
        "--dir",
        "folder",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="The cloud's folder, as `cloud init` made it.",
    )(command)


as_json = click.option("--json", "json_lines", is_flag=True, help="JSON lines, one object each.")


def assignments(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """`NAME=URL`, each name once."""
    assigned: dict[str, str] = {}
    for value in values:
        name, equals, url = value.partition("=")
        if not (equals and name and url):
            raise click.BadParameter(f"expected NAME=URL, as in rack-1=modbus+tcp://10.0.0.5:502, got {value!r}")
        if name in assigned:
            raise click.BadParameter(f"{name!r} is named twice")
        assigned[name] = url
    return assigned


def seconds_of(text: str) -> int | None:
    """A duration as in 90s, 15min, 2h, 7d; 0 needs no unit. None if it is none."""
    found = _DURATION.match(text)
    return int(found[1] or 0) * _SECONDS[found[2] or "s"] if found else None
