"""The root command, run as the real program, with commands of a package that stands beside ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.process import PROGRAM, Process

COMMANDS = '''
from __future__ import annotations
import signal
import sys
import click
from config.errors import ConfigError, Problem, SettingsError
from config.runtime.ready import announce

class Narrower(ConfigError):
    """A kind of a declared error that is declared elsewhere."""

ERRORS = {
    "declared": ConfigError("the line\\nis \\x1b[31mgone"),
    "narrower": Narrower("narrower"),
    "settings": SettingsError([Problem("x.yaml", 1, 2, "units", "none"), Problem("x.yaml", 3, 4, "", "odd")]),
    "group": ExceptionGroup("all", [ConfigError("one"), ExceptionGroup("x", [SettingsError(reason="two")])]),
    "system": PermissionError(13, "Permission denied", "/dev/ttyUSB0"),
    "nameless": OSError(28, "No space left on device"),
    "unexpected": KeyError("surprise"),
    "usage": click.UsageError("not so"),
    "abort": KeyboardInterrupt(),
}

@click.group()
def odd() -> None:
    """Odd things."""

@odd.command()
@click.argument("name")
def fail(name: str) -> None:
    raise ERRORS[name]

@odd.command()
@click.argument("status", type=int)
def status(status: int) -> int:
    return status

@odd.command()
def lines() -> None:
    for number in range(100_000):
        print(number)

@odd.command()
def wait() -> None:
    announce("odd", "here")
    signal.pause()
'''


@pytest.fixture
def beside(tmp_path: Path) -> dict[str, str]:
    """The environment in which another package adds `odd`, and `lacking`, which lacks a package."""
    (tmp_path / "odd_commands.py").write_text(COMMANDS)
    (tmp_path / "lacking_commands.py").write_text("import no_such_package_as_this.part\n")
    facts = tmp_path / "odd_package-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-package\nVersion: 1\n")
    (facts / "entry_points.txt").write_text(
        "[ridethrough.commands]\nodd = odd_commands:odd\nlacking = lacking_commands:x\n"
    )
    return {"PYTHONPATH": str(tmp_path), "RIDETHROUGH_DEBUG": ""}


def run(start: Start, env: dict[str, str], *command: str) -> tuple[int, Process]:
    process = start(*command, env=env)
    return process.ended(), process


def test_the_version_is_the_packages(start: Start) -> None:
    process = start("--version")
    assert process.ended() == 0
    assert process.stdout == f"ridethrough {version('ridethrough')}\n"


def test_the_help_lists_every_command_with_a_line_and_another_packages_with_its_name(
    start: Start, beside: dict[str, str]
) -> None:
    status, process = run(start, beside, "--help")
    listed = dict(line.strip().split(None, 1) for line in process.stdout.split("Commands:")[1].splitlines() if line)
    assert status == 0
    assert listed["poll"] == "Read one UPS now."
    assert listed["odd"] == "(from odd-package)"
    assert {"cloud", "demo", "gateway", "poll", "sim"} <= listed.keys()


def test_listing_the_commands_imports_none_of_them() -> None:
    program = (
        "import sys; from config.cli import run; run(['--help']); "
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('cloud_bridge', 'drivers', 'gateway', 'simulator', 'amqtt', 'pymodbus', 'asyncio', 'msgspec')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("declared", 1, "ridethrough: the line\nridethrough: is \\x1b[31mgone\n"),
        ("narrower", 1, "ridethrough: narrower\n"),
        ("settings", 2, "ridethrough: x.yaml:1:2: units: none\nridethrough: x.yaml:3:4: odd\n"),
        ("group", 1, "ridethrough: one\nridethrough: two\n"),
        ("system", 1, "ridethrough: /dev/ttyUSB0: Permission denied\n"),
        ("nameless", 1, "ridethrough: No space left on device\n"),
        ("abort", 130, "\n"),
    ],
)
def test_an_error_is_told_in_lines_without_a_traceback(
    start: Start, beside: dict[str, str], name: str, status: int, told: str
) -> None:
    found, process = run(start, beside, "odd", "fail", name)
    assert (found, process.stderr, process.stdout) == (status, told, "")


def test_an_unexpected_error_is_told_in_one_line_with_its_place(start: Start, beside: dict[str, str]) -> None:
    status, process = run(start, beside, "odd", "fail", "unexpected")
    assert status == 1
    assert process.stderr.count("\n") == 1
    assert process.stderr.startswith("ridethrough: unexpected KeyError at ")
    assert "odd_commands.py:" in process.stderr
    assert process.stderr.endswith(": 'surprise' (RIDETHROUGH_DEBUG=1 shows more)\n")


def test_debugging_shows_the_traceback_of_any_error(start: Start, beside: dict[str, str]) -> None:
    status, process = run(start, beside | {"RIDETHROUGH_DEBUG": "1"}, "odd", "fail", "declared")
    assert status == 1
    assert process.stderr.startswith("Traceback (most recent call last):\n")


def test_bad_usage_is_status_2_with_the_commands_usage(start: Start, beside: dict[str, str]) -> None:
    status, process = run(start, beside, "odd", "fail", "usage")
    assert status == 2
    assert process.stderr.startswith("Usage: ridethrough odd fail [OPTIONS] NAME\n")
    assert process.stderr.endswith("Error: not so\n")


def test_a_mistyped_command_is_told_with_the_nearest(start: Start) -> None:
    process = start("pol")
    assert process.ended() == 2
    assert "No such command 'pol'. Did you mean 'poll'?" in process.stderr


def test_a_package_that_the_base_lacks_is_named_with_the_extra(start: Start, beside: dict[str, str]) -> None:
    status, process = run(start, beside, "lacking")
    assert status == 1
    assert process.stderr == (
        "Error: `ridethrough lacking` needs the package no_such_package_as_this, "
        "which the gateway does without: pip install 'ridethrough[cloud]'\n"
    )


@pytest.mark.parametrize("status", [0, 1, 2])
def test_what_a_command_returns_is_the_exit_status(start: Start, beside: dict[str, str], status: int) -> None:
    assert run(start, beside, "odd", "status", str(status))[0] == status


def test_a_reader_that_goes_away_is_no_traceback(beside: dict[str, str]) -> None:
    command = f"'{PROGRAM}' odd lines | head -n 1"
    done = subprocess.run(command, shell=True, env={**os.environ, **beside}, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_ctrl_c_ends_a_command_without_a_traceback(start: Start, beside: dict[str, str]) -> None:
    process = start("odd", "wait", env=beside, ready=["odd"])
    assert process.interrupt(signal.SIGINT) == 130
    assert process.stderr == "\n"
    assert process.addresses == {"odd": "here"}
