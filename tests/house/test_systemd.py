"""The systemd units: as systemd itself reads them, wherever it is installed."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from config.cli import root
from gateway.runtime.agent import STOP_S
from gateway.runtime.watchdog import LOOK_EVERY_S
from tests.conftest import ROOT, lacking

UNITS = sorted((ROOT / "config/systemd").glob("*.service"))
NAMES = [path.name for path in UNITS]
EXPOSURE_AT_MOST = {"ridethrough-gateway.service": 1.8, "ridethrough-cloud.service": 1.2}
"""Of 10, as `systemd-analyze security` adds it up."""


def settings(path: Path) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # how the standard library says: keep the case
    parser.read_string(path.read_text())
    return parser["Service"]


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        lacking("systemd-analyze is not there: run tests/peers/install")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def installed(path: Path, folder: Path) -> Path:
    """The unit as it would be where the program is, here."""
    here = folder / path.name
    program = Path(sys.executable).with_name("ridethrough")
    here.write_text(path.read_text().replace("/opt/ridethrough/bin/ridethrough", str(program)))
    return here


def test_there_is_a_unit_for_each_side() -> None:
    assert sorted(EXPOSURE_AT_MOST) == NAMES


@pytest.mark.parametrize("path", UNITS, ids=NAMES)
def test_systemd_finds_nothing_wrong(path: Path, tmp_path: Path) -> None:
    done = analyze("verify", "--man=no", installed(path, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", UNITS, ids=NAMES)
def test_no_more_is_exposed_than_the_service_needs(path: Path, tmp_path: Path) -> None:
    limit = round(EXPOSURE_AT_MOST[path.name] * 10)
    arguments = ("security", "--offline=yes", "--no-pager", f"--threshold={limit}")
    assert analyze(*arguments, installed(path, tmp_path)).returncode == 0
    loose = tmp_path / "loose.service"
    loose.write_text("[Service]\nExecStart=/bin/true\n")
    assert analyze(*arguments, loose).returncode != 0


@pytest.mark.parametrize("path", UNITS, ids=NAMES)
def test_the_command_is_one_that_the_program_has(path: Path) -> None:
    words = shlex.split(settings(path)["ExecStart"])[1:]
    group = root.get_command(click.Context(root), words[0])
    assert isinstance(group, click.Group)
    command = group.get_command(click.Context(group), words[1])
    assert command is not None
    known = {option for each in command.params for option in each.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_gateways_times_leave_it_room() -> None:
    """It ends before it is killed, and looks around twice before the watchdog bites."""
    service = settings(ROOT / "config/systemd/ridethrough-gateway.service")
    assert int(service["TimeoutStopSec"]) > STOP_S
    assert int(service["WatchdogSec"]) >= 2 * LOOK_EVERY_S
