"""What the administrative commands share: their options, how they say what is wrong, how they show what there is."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec
from rich.text import Text

from cloud_bridge.cli_options import Command, seconds_of
from cloud_bridge.cli_views import console, print_table
from cloud_bridge.errors import Mistake, Wrong
from config.text import one_line
from drivers.ups import Severity

if TYPE_CHECKING:
    from cloud_bridge.runtime.administer.office import Office

Shown = TypeVar("Shown", bound=msgspec.Struct)

CELL_CHARS = 200
LINE_CHARS = 2000
_PARTS = MappingProxyType(
    {
        "escalation.after_s": "escalate_after",
        "escalation.channel": "escalate_to",
        "quiet.days": "quiet_days",
        "quiet.breaks_through": "quiet_breaks_through",
    }
)
"""Fields of a form within a form that have an option of their own."""
SEVERITIES = click.Choice([each.value for each in Severity])


class Administering(click.Group):
    """What is wrong with what was asked is a mistake of usage: exit status 2, every mistake with its place."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Wrong as error:
            options = _options(self.commands.get(ctx.invoked_subcommand or ""))
            said = "\n".join(_as_options(mistake, options) for mistake in error.mistakes)
            raise click.UsageError("\n".join(one_line(line, LINE_CHARS) for line in said.splitlines())) from error


def _options(command: click.Command | None) -> Mapping[str, str]:
    """The option that each field of a form is written by."""
    options = [each for each in command.params if isinstance(each, click.Option)] if command else []
    return {each.name: each.opts[0] for each in options if each.name}


def _as_options(mistake: Mistake, options: Mapping[str, str]) -> str:
    """A mistake with its fields as somebody wrote them: `--for` of `for_s`, `--device` of `devices[0]`."""
    field = re.match(r"\w*", mistake.place)
    head = _PARTS.get(mistake.place, field.group() if field else "")
    named = [name for name in options if "_" in name]  # any other is a word of English too
    message = mistake.message
    for name in named:
        message = re.sub(rf"(?<![\w'\"]){name}(?![\w'\"])", options[name], message)
    return str(Mistake(options.get(head, mistake.place), message))


class Duration(click.ParamType[int]):
    """Seconds, from 90s, 15min, 2h, 7d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = value if isinstance(value, int) else seconds_of(value)
        if found is None:
            self.fail(f"expected a time as 90s, 15min, 2h, 7d; got {value!r}", param, ctx)
        return found


class Instant(click.ParamType[datetime]):
    """An ISO 8601 instant; UTC unless it says."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a time as 2026-11-24T08:00:00Z; got {value!r}", param, ctx)
        return at if at.tzinfo else at.replace(tzinfo=UTC)


class Day(click.ParamType[date | str]):
    """A day as in 2027-01-31, or none."""

    name = "day"
    NONE = "none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date | str:
        if value == self.NONE:
            return self.NONE
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a day as 2027-01-31, or {self.NONE}; got {value!r}", param, ctx)


@contextmanager
def opened(folder: Path) -> Iterator[Office]:
    from cloud_bridge.runtime.administer.office import open_office

    with open_office(folder) as office:
        yield office


by_name = click.option("--by", metavar="NAME", default=getpass.getuser, help="Who asks; by default who you are here.")
of_owner = click.option("--owner", metavar="NAME", help="Of this owner alone; `operator`: of whoever runs this cloud.")
whose = click.option(
    "--owner", metavar="NAME", default="", help="Whose it is; by default the operator's, for every device."
)
new_name = click.option("--name", metavar="NAME", help="Another name for it.")
enabling = click.option("--enable/--disable", "enabled", default=None, help="Whether it does anything.")


def scope(command: Command) -> Command:
    """Options that say which devices."""
    for option in (
        click.option("--tag", "tags", metavar="TAG", multiple=True, help="Devices with this tag; repeatable."),
        click.option("--site", "sites", metavar="NAME", multiple=True, help="Devices at this site; repeatable."),
        click.option(
            "--device",
            "devices",
            metavar="DEVICE",
            multiple=True,
            help="GATEWAY/UNIT (* and ? stand for others), a serial number or a name; repeatable.",
        ),
    ):
        command = option(command)
    return command


conditions = click.option(
    "--condition",
    "conditions",
    metavar="NAME",
    multiple=True,
    help="As `outage` or `replace_battery` (docs/conditions.md); repeatable.",
)


def given(**fields: object) -> dict[str, object]:
    """Those that somebody named."""
    return {name: value for name, value in fields.items() if value is not None and value != ()}


def print_all(
    found: Sequence[Shown],
    headings: Sequence[str],
    cells: Callable[[Shown], Sequence[object]],
    *,
    json_lines: bool,
) -> None:
    """JSON lines, or a table; of nothing, that there is nothing."""
    if json_lines:
        for each in found:
            click.echo(msgspec.json.encode(each))
    elif not found:
        click.echo("there are none", err=True)
    else:
        print_table(console(), headings, [[cell(value) for value in cells(each)] for each in found])


def cell(value: object) -> Text:
    return value if isinstance(value, Text) else Text(one_line(words(value), CELL_CHARS))


def print_one(shown: msgspec.Struct, *, json_lines: bool, said: Mapping[str, str] = MappingProxyType({})) -> None:
    """A JSON line, or a line for each field. `said`: words for fields that have more to say than their values."""
    if json_lines:
        click.echo(msgspec.json.encode(shown))
        return
    fields = {name: getattr(shown, name) for name in shown.__struct_fields__}
    fields |= {name: meant for name, meant in _unsaid(fields).items() if not fields[name]}
    fields |= said
    lines = [_pair(name, value) for name, value in fields.items()]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"{name:{width}}  {one_line(value, LINE_CHARS)}".rstrip())


def _unsaid(fields: Mapping[str, object]) -> Mapping[str, str]:
    """What a field says that is empty, where that is more than nothing."""
    meant: dict[str, str] = {}
    if "owner" in fields:
        meant["owner"] = "nobody" if "unit" in fields else "operator"
    if "conditions" in fields:
        meant["conditions"] = "all"
    if {"devices", "sites", "tags"} <= fields.keys() and not (fields["sites"] or fields["tags"]):
        meant["devices"] = "every device"
    return meant


def words(value: object) -> str:
    """A value as people read it."""
    match value:
        case None | "" | ():
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        case date():
            return value.isoformat()
        case float():
            return f"{value:g}"
        case tuple() | list():
            return ", ".join(words(each) for each in value)
        case msgspec.Struct():
            return _pairs(msgspec.structs.asdict(value))
        case Mapping():
            return _pairs(value)
        case _:
            return str(value)


def _pairs(fields: Mapping[str, object]) -> str:
    return ", ".join(" ".join(_pair(name, value)) for name, value in fields.items())


def _pair(name: str, value: object) -> tuple[str, str]:
    """A field's name and value as people read them; seconds as an option takes them."""
    if name.endswith("_s") and isinstance(value, int | float):
        return name.removesuffix("_s").replace("_", " "), duration(value)
    return name.replace("_", " "), words(value)


def duration(seconds: float) -> str:
    """As seconds_of takes it."""
    whole = round(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole and whole % length == 0:
            return f"{whole // length}{unit}"
    return f"{whole}s"
