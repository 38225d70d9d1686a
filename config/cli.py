"""The root of `ridethrough`: finds subcommands by entry point, imports one only when it is asked for."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, NoReturn

import click

from config.errors import SettingsError
from config.runtime.log import LEVELS, set_up_logging
from config.text import one_line

DONE, FAILED, MISUSED = 0, 1, 2
INTERRUPTED = 130
"""What a shell reports of a program that SIGINT ended."""

MAX_ERROR_CHARS = 2000
_ROOMS = ("cloud_bridge", "config", "drivers", "gateway", "simulator")

# Said here so that listing the commands imports none. Another package's is listed by its package.
_HELP = {
    "cloud": "Run the cloud side: broker, ingest, and what is stored.",
    "demo": "All of it on this machine: UPSs, gateway, broker, bridge.",
    "firmware": "Keep firmware releases and sign them.",
    "gateway": "Run the gateway beside the UPSs.",
    "poll": "Read one UPS now.",
    "record": "Store what a unit says, to report or replay it.",
    "scan": "Find the UPSs on the lines and addresses named.",
    "sim": "Run or steer a simulated Smart-UPS.",
}


class _Commands(click.Group):
    """A group that knows its commands' names and help, and loads one when it is used."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.entries = {entry.name: entry for entry in entry_points(group="ridethrough.commands")}
        for name, entry in self.entries.items():
            self.add_command(click.Command(name, short_help=_short_help(entry)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        return _loaded(entry) if entry else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            rows = [(name, self.commands[name].get_short_help_str()) for name in sorted(self.entries)]
            formatter.write_dl(rows)


def _short_help(entry: EntryPoint) -> str:
    return _HELP.get(entry.name) or f"(from {entry.dist.name if entry.dist else entry.module})"


def _loaded(entry: EntryPoint) -> click.Command:
    try:
        command: click.Command = entry.load()
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing in _ROOMS:
            raise
        message = f"`ridethrough {entry.name}` needs the package {missing}, which the gateway does without"
        raise click.ClickException(f"{message}: pip install 'ridethrough[cloud]'") from error
    return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="info",
    show_default=True,
    envvar="RIDETHROUGH_LOG_LEVEL",
    show_envvar=True,
    help="What is worth a line on standard error.",
)
@click.version_option(package_name="ridethrough", message="%(prog)s %(version)s")
def root(log_level: str) -> None:
    """Watch APC Smart-UPS units and answer for them in a cloud service that you run yourself."""
    set_up_logging(log_level)


def main() -> NoReturn:
    """The console script `ridethrough`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit status; an error is told as a line on standard error.

    RIDETHROUGH_DEBUG=1 shows its traceback as well.
    """
    try:
        status = root.main(list(arguments), prog_name="ridethrough", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # `... | head`, noticed in the last flush; without this the interpreter flushes again and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # noqa: BLE001  # the top of the program: whatever it is, it is told
        return _told(error)
    return status if isinstance(status, int) else DONE


def _told(error: Exception) -> int:
    if os.environ.get("RIDETHROUGH_DEBUG"):
        traceback.print_exception(error)
    leaves = list(_leaves(error))
    for leaf in leaves:
        for line in _words(leaf).splitlines():
            click.echo(f"ridethrough: {one_line(line, MAX_ERROR_CHARS)}", err=True)
    return MISUSED if all(isinstance(leaf, SettingsError) for leaf in leaves) else FAILED


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a task group's error."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _words(error: BaseException) -> str:
    if _declared(error):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_file()]
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{where}: {error} (RIDETHROUGH_DEBUG=1 shows more)"


def _declared(error: BaseException) -> bool:
    """Whether a room declares this error, or what it is a kind of, in its `errors` module."""
    modules = (kind.__module__.split(".") for kind in type(error).__mro__)
    return any(parts[0] in _ROOMS and parts[-1] == "errors" for parts in modules)
