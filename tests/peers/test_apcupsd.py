"""Debian's apcupsd runs its MODBUS driver on the simulator's serial line, and agrees with the physics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.peers.apcupsd import Apcupsd
from tests.peers.simulated import Simulated

pytestmark = [pytest.mark.peer, pytest.mark.slow]

TENTHS = {
    "BCHARGE": "charge_pct",
    "LOADPCT": "load_pct",
    "LINEV": "input_v",
    "BATTV": "battery_v",
    "ITEMP": "battery_temp_c",
}
"""Readings that apcaccess prints to a tenth, and their names in a Snapshot."""


def disagreements(said: dict[str, str], truth: dict[str, Any]) -> list[str]:
    """Every reading that is off by more than a unit of what apcaccess prints."""
    wrong = [
        f"{name} is {said.get(name)}, {field} is {truth[field]}"
        for name, field in TENTHS.items()
        if abs(float(said.get(name, "nan").split()[0]) - truth[field]) > 0.1 or name not in said
    ]
    minutes = float(said.get("TIMELEFT", "-1").split()[0])
    if not minutes <= truth["runtime_s"] / 60 < minutes + 1:
        wrong.append(f"TIMELEFT is {minutes}, runtime_s is {truth['runtime_s']}")
    return wrong


@pytest.mark.timeout(300)
def test_apcaccess_agrees_with_the_unit_on_line_on_battery_and_in_self_test(
    start: Start, start_peer: Start, apcupsd_dir: Path, tmp_path: Path
) -> None:
    unit = Simulated(start, "--modbus-rtu", str(tmp_path / "ups"), ready="modbus-rtu")
    apcupsd = Apcupsd(start_peer, apcupsd_dir, tmp_path, unit.address)

    def agree(truth: dict[str, Any], status: str) -> dict[str, str]:
        said = apcupsd.once(lambda said: status in said.get("STATUS", "") and not disagreements(said, truth))
        assert disagreements(said, truth) == []
        assert status in said["STATUS"].split()
        return said

    unit.ctl("load", "37")
    unit.ctl("battery", "97")
    said = agree(unit.hold_once(lambda truth: truth["state"] == "online"), "ONLINE")
    assert said["MODEL"].startswith("Smart-UPS")
    assert said["LINEFREQ"] in ("50.0 Hz", "60.0 Hz")

    unit.ctl("release")
    unit.ctl("mains", "off")
    unit.ctl("load", "52")
    said = agree(unit.hold_once(lambda truth: truth["state"] == "on_battery"), "ONBATT")
    assert said["LINEV"] == "0.0 Volts"

    unit.ctl("release")
    unit.ctl("mains", "on")
    unit.ctl("load", "29")
    unit.ctl("battery", "100")
    unit.hold_once(lambda truth: truth["state"] == "online")
    unit.ctl("release")
    unit.ctl("test")
    in_test = unit.hold_once(lambda truth: truth["self_test"]["status"] == "in_progress")
    said = agree(in_test, "ONBATT")
    assert said["SELFTEST"] == "IP"
