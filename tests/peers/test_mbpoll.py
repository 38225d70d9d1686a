"""mbpoll, a Modbus master on libmodbus, reads and writes the simulator over TCP and on its serial line."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.peers.simulated import Simulated

pytestmark = pytest.mark.peer

VERIFICATION = (
    *(0x3030, 0x2E35, 0x3132, 0x3334, 0x3536, 0x3738, 0x1234),
    *(0x5678, 0xFFFF, 0xFFFB, 0x1234, 0xFFFB, 0x2020, 0xDFE0),
)


def run(mbpoll: Path, address: str, mode: str, *options: str, values: tuple[str, ...] = ()) -> str:
    """What mbpoll says of one request to unit 1, addresses counted from 0."""
    place, line = address, ["-b", "9600", "-P", "none"]
    if mode == "tcp":
        place, _, port = place.rpartition(":")
        line = ["-p", port]
    command: list[str | Path] = [
        mbpoll,
        "-m",
        mode,
        "-a",
        "1",
        "-0",
        "-1",
        "-q",
        *line,
        *options,
        place,
        *values,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def words_read(mbpoll: Path, place: str, mode: str, address: int, count: int) -> tuple[int, ...]:
    said = run(mbpoll, place, mode, "-r", str(address), "-c", str(count), "-t", "4:hex")
    words = re.findall(r"^\[(\d+)\]:\s+0x([0-9A-F]{4})$", said, re.MULTILINE)
    assert [int(at) for at, _ in words] == list(range(address, address + count)), said
    return tuple(int(word, 16) for _, word in words)


@pytest.mark.parametrize(("mode", "option"), [("tcp", "modbus-tcp"), ("rtu", "modbus-rtu")])
def test_mbpoll_reads_what_the_unit_is(start: Start, mbpoll: Path, tmp_path: Path, mode: str, option: str) -> None:
    place = "127.0.0.1:0" if mode == "tcp" else str(tmp_path / "ups")
    unit = Simulated(start, f"--{option}", place, ready=option)
    unit.ctl("wire", "refuse-s", "0")
    unit.ctl("load", "40")
    unit.ctl("hold")
    truth = unit.truth()
    assert words_read(mbpoll, unit.address, mode, 2048, 14) == VERIFICATION
    assert words_read(mbpoll, unit.address, mode, 0, 27)[1] & 0x1E == 2
    words = words_read(mbpoll, unit.address, mode, 128, 44)
    assert words[0] << 16 | words[1] == truth["runtime_s"]
    assert words[2] / 512 == pytest.approx(truth["charge_pct"], abs=1 / 512)
    assert words[3] / 32 == pytest.approx(truth["battery_v"], abs=1 / 32)
    assert words[7] / 128 == pytest.approx(truth["battery_temp_c"], abs=1 / 128)
    assert words[8] / 256 == pytest.approx(truth["load_pct"], abs=1 / 256)
    assert words[23] / 64 == pytest.approx(truth["input_v"], abs=1 / 64)


def test_mbpoll_is_told_of_a_cut_block_and_writes_a_setting(start: Start, mbpoll: Path) -> None:
    unit = Simulated(start, "--modbus-tcp", "127.0.0.1:0", ready="modbus-tcp")
    unit.ctl("wire", "refuse-s", "0")
    unit.ctl("wire", "settle-ms", "0")
    assert "Illegal data address" in run(mbpoll, unit.address, "tcp", "-r", "1", "-c", "2", "-t", "4")
    assert "Written 1 references" in run(mbpoll, unit.address, "tcp", "-r", "1030", "-t", "4", values=("7",))
    assert words_read(mbpoll, unit.address, "tcp", 1030, 1) == (7,)
    (write,) = unit.ctl("commands")
    assert (write["address"], write["words"], write["exception"]) == (1030, [7], None)
