"""Real programs and captures: they read what is replayed, and what they serve is recorded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from drivers.capture.model import Capture, Registers, Reply, Step, Variable, Wire
from drivers.capture.parse import read
from drivers.capture.text import write
from drivers.modbus import decode
from tests import every_capture
from tests.conftest import Start
from tests.peers.apcupsd import Apcupsd
from tests.peers.nut import Upsd, apcsmart, dummy
from tests.peers.test_mbpoll import words_read
from tests.process import PROGRAM

pytestmark = pytest.mark.peer

NAMES = ("MODEL", "SERIALNO", "BCHARGE", "LINEV")
"""What apcaccess prints once apcupsd has read its unit."""


def at_the_end(file: Path, folder: Path) -> Path:
    """The capture with its last answers from the start, so that a slow reader sees one state only."""
    capture = every_capture.load(file)
    if capture.header.wire is Wire.REGISTERS:
        return file
    last = folder / "last.capture"
    steps = tuple(Step(0, step.said) for step in capture.steps)
    last.write_text(write(Capture(capture.header, steps)))
    return last


def replayed(start: Start, file: Path, listener: str, place: str) -> str:
    return start("sim", "run", "--replay", str(file), f"--{listener}", place, ready=[listener]).address(listener)


def shown(said: dict[str, str]) -> bool:
    """Whether apcupsd has read its unit: until then it knows nothing, or zeros."""
    return all(said.get(name, "0.0").split(" ")[0] not in ("", "0.0") for name in NAMES)


def recorded(folder: Path, url: str) -> Capture:
    file = folder / "unit.capture"
    done = subprocess.run(
        [PROGRAM, "record", url, file, "--for", "0", "--force"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return read(file.read_text())


@pytest.mark.parametrize("file", every_capture.on(*every_capture.MODBUS), ids=every_capture.name)
def test_mbpoll_reads_every_block_as_it_was_recorded(start: Start, mbpoll: Path, tmp_path: Path, file: Path) -> None:
    address = replayed(start, at_the_end(file, tmp_path), "modbus-tcp", "127.0.0.1:0")
    capture = every_capture.load(file)
    last = capture.words()
    for said in capture.steps[0].said:
        if isinstance(said, Registers):
            count = len(said.words)
            expected = tuple(last[at] for at in range(said.address, said.address + count))
            assert words_read(mbpoll, address, "tcp", said.address, count) == expected


@pytest.mark.slow
@pytest.mark.parametrize("file", every_capture.on(*every_capture.MODBUS), ids=every_capture.name)
def test_apcupsd_reads_every_replay_on_a_serial_line_and_is_recorded_itself(
    start: Start, start_peer: Start, apcupsd_dir: Path, tmp_path: Path, file: Path
) -> None:
    device = replayed(start, at_the_end(file, tmp_path), "modbus-rtu", str(tmp_path / "ups"))
    apcupsd = Apcupsd(start_peer, apcupsd_dir, tmp_path, device)
    said = apcupsd.once(shown)
    words = every_capture.load(file).words()
    identity = decode.identity(words)
    assert said["MODEL"] == identity.model
    assert said["SERIALNO"] == identity.serial
    assert float(said["BCHARGE"].split()[0]) == pytest.approx(words[130] / 512, abs=0.1)
    assert float(said["LINEV"].split()[0]) == pytest.approx(words[151] / 64, abs=0.1)

    capture = recorded(tmp_path, f"nis://{apcupsd.address}")
    kept = {each.name: each.value for each in capture.steps[0].said if isinstance(each, Variable)}
    assert (kept["MODEL"], kept["BCHARGE"]) == (said["MODEL"], said["BCHARGE"])
    assert set(kept["SERIALNO"]) == set(kept["HOSTNAME"]) == {"X"}


@pytest.mark.slow
@pytest.mark.parametrize("file", every_capture.on(Wire.UPSLINK), ids=every_capture.name)
def test_nut_s_apcsmart_reads_every_upslink_replay(
    start: Start, start_peer: Start, nut_dir: Path, tmp_path: Path, file: Path
) -> None:
    capture = every_capture.load(file)
    device = replayed(start, at_the_end(file, tmp_path), "upslink", str(tmp_path / "line"))
    upsd = Upsd(start_peer, nut_dir, tmp_path, {"unit": apcsmart(device)})
    said = upsd.said("unit")
    last = {each.asked: each.said for step in capture.steps for each in step.said if isinstance(each, Reply)}
    assert said["ups.serial"] == last["n"]
    assert said["battery.charge"] == last["f"]
    assert said["input.voltage"] == last["L"]
    assert ("OL" in said["ups.status"].split()) is (last["Q"] == "08")


def test_what_upsd_says_is_recorded_without_serial_numbers(start_peer: Start, nut_dir: Path, tmp_path: Path) -> None:
    dev = tmp_path / "unit.dev"
    dev.write_text('ups.status: OL CHRG\nups.serial: AS1234\nups.model: Smart "UPS" 1500\nbattery.charge: 97.0\n')
    upsd = Upsd(start_peer, nut_dir, tmp_path, {"unit": dummy(dev)})
    capture = recorded(tmp_path, f"nut://{upsd.address}/unit")
    said = {each.name: each.value for each in capture.steps[0].said if isinstance(each, Variable)}
    told = upsd.said("unit")
    assert said.keys() == told.keys()
    assert (said["ups.serial"], told["ups.serial"]) == ("XXXXXX", "AS1234")
    assert {name for name in said if said[name] != told[name]} >= {"ups.serial", "driver.parameter.port"}
    for name in ("ups.status", "ups.model", "battery.charge"):
        assert said[name] == told[name]
    assert capture.header.url == "nut://HOST/unit"
