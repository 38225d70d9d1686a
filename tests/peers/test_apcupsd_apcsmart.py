"""Debian's apcupsd runs its apcsmart driver on the simulator's UPS-Link line, and agrees with the physics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.peers.apcupsd import Apcupsd
from tests.peers.simulated import Simulated

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(300)]

READINGS = {
    "BCHARGE": ("charge_pct", 0.05),
    "LOADPCT": ("load_pct", 0.05),
    "LINEV": ("input_v", 0.05),
    "OUTPUTV": ("output_v", 0.05),
    "LINEFREQ": ("output_hz", 0.05),
    "BATTV": ("battery_v", 0.05),
    "ITEMP": ("battery_temp_c", 0.05),
}
"""apcaccess's names with a Snapshot's for them, and the half of the last digit that it prints."""
CONSTANTS = {
    "MODEL": "Smart-UPS 1500",
    "SERIALNO": "AS0000000001",
    "FIRMWARE": "653.18.I",
    "MANDATE": "09/06/05",
    "SENSE": "High",
    "LOTRANS": "208.0 Volts",
    "HITRANS": "253.0 Volts",
    "RETPCT": "0.0 Percent",
    "DSHUTD": "20 Seconds",
    "DWAKE": "0 Seconds",
    "DLOWBATT": "2 Minutes",
    "ALARMDEL": "5 Seconds",
    "NOMBATTV": "24.0 Volts",
    "NOMOUTV": "230 Volts",
    "STESTI": "OFF",
    "EXTBATTS": "0",
    "REG1": "0x00",
    "REG2": "0x00",
    "REG3": "0x00",
}


def disagreements(said: dict[str, str], truth: dict[str, Any]) -> list[str]:
    wrong = [
        f"{name} is {said.get(name)}, {field} is {truth[field]}"
        for name, (field, slack) in READINGS.items()
        if name not in said or abs(float(said[name].split()[0]) - truth[field]) > slack + 1e-9
    ]
    minutes = float(said.get("TIMELEFT", "-1").split()[0])
    if minutes != truth["runtime_s"] // 60:
        wrong.append(f"TIMELEFT is {minutes}, runtime_s is {truth['runtime_s']}")
    return wrong


class Bench:
    """A simulated unit and apcupsd on its line."""

    def __init__(self, start: Start, start_peer: Start, apcupsd_dir: Path, folder: Path) -> None:
        self.unit = Simulated(start, "--upslink", str(folder / "line"), ready="upslink")
        self.daemon = Apcupsd(start_peer, apcupsd_dir, folder, self.unit.address, driver="apcsmart")
        self.events = folder / "events"

    def agree(self, state: str, status: str) -> dict[str, str]:
        truth = self.unit.hold_once(lambda truth: truth["state"] == state)
        said = self.daemon.once(lambda said: said.get("STATUS") == status and not disagreements(said, truth))
        assert disagreements(said, truth) == []
        assert said["STATUS"] == status
        self.unit.ctl("release")
        return said


def test_apcaccess_agrees_with_the_unit_on_line_on_battery_and_back(
    start: Start, start_peer: Start, apcupsd_dir: Path, tmp_path: Path
) -> None:
    bench = Bench(start, start_peer, apcupsd_dir, tmp_path)
    bench.unit.ctl("load", "37")
    said = bench.agree("online", "ONLINE")
    assert {name: said.get(name) for name in CONSTANTS} == CONSTANTS
    assert (said["LASTXFER"], said["SELFTEST"]) == ("No transfers since turnon", "NO")
    assert said["STATFLAG"] == "0x05000008"

    bench.unit.ctl("mains", "off")
    said = bench.agree("on_battery", "ONBATT")
    assert said["LASTXFER"] == "Low line voltage"

    bench.unit.ctl("mains", "on")
    bench.unit.hold_once(lambda truth: truth["state"] == "online")
    bench.unit.ctl("release")
    bench.unit.ctl("battery", "100")
    bench.agree("online", "ONLINE")
    told = bench.events.read_text()
    assert told.index("Power failure") < told.index("Power is back")


def test_a_self_test_is_told_as_one_and_ends_in_its_result(
    start: Start, start_peer: Start, apcupsd_dir: Path, tmp_path: Path
) -> None:
    bench = Bench(start, start_peer, apcupsd_dir, tmp_path)
    bench.agree("online", "ONLINE")
    bench.unit.ctl("test")
    said = bench.daemon.once(lambda said: said.get("SELFTEST") == "OK")
    assert (said["SELFTEST"], said["LASTXFER"]) == ("OK", "Automatic or explicit self test")
    told = bench.events.read_text()
    assert "UPS Self Test switch to battery" in told
    assert "UPS Self Test completed" in told
    assert "Power failure" not in told
