"""lrzsz's `sx` sends an image to the boot loader of `sim run`, on both serial lines."""

from __future__ import annotations

import os
import select
import subprocess
import time
import tty
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.peers.simulated import Simulated
from tests.process import PROGRAM

pytestmark = pytest.mark.peer

PATIENCE_S = 30.0


def unit_on(start: Start, wire: str, link: Path) -> Simulated:
    """A unit that boots fast; the one on UPS-Link has its output off."""
    unit = Simulated(start, f"--{wire}", str(link), ready=wire)
    for setting in ("start-ms", "erase-ms", "boot-ms"):
        unit.ctl("firmware", setting, "100")
    unit.ctl("firmware", "paced", "off")
    unit.ctl("firmware", "block-timeout-ms", "500")
    return unit


def image(folder: Path, *options: str) -> Path:
    path = folder / "image"
    subprocess.run([PROGRAM, "sim", "image", *options, path], check=True, timeout=PATIENCE_S)
    return path


def enter(link: str, command: bytes) -> bytes:
    """The unit's answer to the command."""
    line = os.open(link, os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(line)
        os.write(line, command)
        said = b""
        while not said.endswith(b"\r\n"):
            assert select.select([line], [], [], PATIENCE_S)[0], said
            said += os.read(line, 1)
        return said
    finally:
        os.close(line)


def sx(lrzsz: Path, link: str, *options: str | Path) -> int:
    """Its exit status."""
    with Path(link).open("rb", buffering=0) as hears, Path(link).open("wb", buffering=0) as says:
        command = [lrzsz / "sx", "-q", *options]
        done = subprocess.run(
            command, stdin=hears, stdout=says, stderr=subprocess.DEVNULL, timeout=PATIENCE_S, check=False
        )
    return done.returncode


def firmware_when(unit: Simulated, phase: str) -> dict[str, Any]:  # Any: JSON
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        state = unit.truth()
        if state["firmware"]["phase"] == phase:
            firmware: dict[str, Any] = state["firmware"]
            return firmware
    raise AssertionError(unit.truth()["firmware"])


@pytest.mark.parametrize("options", [(), ("-k",)], ids=["xmodem-crc", "xmodem-1k"])
def test_sx_upgrades_a_unit_on_modbus(start: Start, lrzsz_dir: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    unit = unit_on(start, "modbus-rtu", tmp_path / "ups")
    content = image(tmp_path, "--version", "04.2", "--size", "60000")
    assert enter(unit.address, b"!RIDETHROUGH-BOOT 1015 on 04.1\r") == b"BOOT 9600\r\n"
    assert sx(lrzsz_dir, unit.address, *options, content) == 0
    firmware = firmware_when(unit, "application")
    assert (firmware["version"], firmware["received_bytes"], firmware["reason"]) == ("04.2", 60000 - 128, None)
    assert unit.truth()["state"] == "online"


@pytest.mark.parametrize("fault", ["nak count=3 at=2", "lost-ack at=5", "garbage count=3 at=3", "second-start"])
def test_sx_comes_through_faults_of_the_line(start: Start, lrzsz_dir: Path, tmp_path: Path, fault: str) -> None:
    unit = unit_on(start, "modbus-rtu", tmp_path / "ups")
    unit.ctl("firmware", "fault", *fault.split())
    content = image(tmp_path, "--version", "04.2", "--size", "20k")
    assert enter(unit.address, b"!RIDETHROUGH-BOOT 1015 on 04.1\r") == b"BOOT 9600\r\n"
    assert sx(lrzsz_dir, unit.address, "-k", content) == 0
    firmware = firmware_when(unit, "application")
    assert (firmware["version"], firmware["faults"]) == ("04.2", {})


def test_sx_upgrades_a_unit_on_upslink(start: Start, lrzsz_dir: Path, tmp_path: Path) -> None:
    """Its output is off, as after the emergency power-off."""
    unit = unit_on(start, "upslink", tmp_path / "ups")
    unit.ctl("fault", "epo_active")
    content = image(tmp_path, "--model", "SUA1500I", "--version", "19", "--size", "20k")
    assert enter(unit.address, b"!RIDETHROUGH-BOOT 653.I off 18\r") == b"BOOT 9600\r\n"
    assert sx(lrzsz_dir, unit.address, "-k", content) == 0
    assert firmware_when(unit, "application")["version"] == "19"
    state = unit.truth()
    assert (state["identity"]["firmware"], state["state"]) == ("653.19.I", "off")


def test_sx_is_cancelled_at_the_header_of_another_model_s_image(start: Start, lrzsz_dir: Path, tmp_path: Path) -> None:
    unit = unit_on(start, "modbus-rtu", tmp_path / "ups")
    content = image(tmp_path, "--model", "SMX750", "--version", "04.2", "--size", "20k")
    enter(unit.address, b"!RIDETHROUGH-BOOT 1015 on 04.1\r")
    assert sx(lrzsz_dir, unit.address, "-k", content) != 0
    firmware = firmware_when(unit, "waiting")
    assert (firmware["reason"], firmware["intact"]) == ("wrong_model", True)


def test_after_a_cancel_sx_begins_again_at_the_first_block(start: Start, lrzsz_dir: Path, tmp_path: Path) -> None:
    unit = unit_on(start, "modbus-rtu", tmp_path / "ups")
    unit.ctl("firmware", "fault", "cancel", "at=9")
    content = image(tmp_path, "--version", "04.2", "--size", "20k")
    enter(unit.address, b"!RIDETHROUGH-BOOT 1015 on 04.1\r")
    assert sx(lrzsz_dir, unit.address, "-k", content) != 0
    firmware = firmware_when(unit, "waiting")
    assert (firmware["reason"], firmware["intact"], firmware["version"]) == ("gave_up", False, "04.1")
    assert sx(lrzsz_dir, unit.address, "-k", content) == 0
    assert firmware_when(unit, "application")["version"] == "04.2"
