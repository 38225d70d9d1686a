"""Debian's NUT runs its apcsmart driver on the simulator's UPS-Link line, and agrees with the physics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.peers.nut import Upsd, apcsmart
from tests.peers.simulated import Simulated

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(300)]

READINGS = {
    "input.voltage": ("input_v", 0.05),
    "output.voltage": ("output_v", 0.05),
    "input.frequency": ("output_hz", 0.005),
    "ups.load": ("load_pct", 0.05),
    "battery.charge": ("charge_pct", 0.05),
    "battery.voltage": ("battery_v", 0.005),
    "ups.temperature": ("battery_temp_c", 0.05),
}
"""NUT's variables with a Snapshot's names for them, and the half of the last digit."""
CONSTANTS = {
    "battery.alarm.threshold": "0",
    "battery.charge.restart": "00",
    "battery.packs": "000",
    "battery.runtime.low": "120",
    "battery.voltage.nominal": "024",
    "input.sensitivity": "H",
    "input.transfer.high": "253",
    "input.transfer.low": "208",
    "output.voltage.nominal": "230",
    "ups.delay.shutdown": "020",
    "ups.delay.start": "000",
    "ups.firmware": "653.18.I",
    "ups.id": "UPS_IDEN",
    "ups.mfr.date": "09/06/05",
    "ups.model": "Smart-UPS 1500",
    "ups.serial": "AS0000000001",
    "ups.test.interval": "0",
}
ON_LINE = {"ups.status": "OL", "input.quality": "FF"}
ON_BATTERY = {"ups.status": "OB", "input.quality": "00", "input.voltage": "000.0"}
STATE = {"input.quality", "input.transfer.reason", "input.voltage.maximum", "input.voltage.minimum"} | {
    "battery.date",
    "battery.runtime",
    "ups.status",
    "ups.test.result",
}
COMMANDS = {
    "calibrate.start",
    "calibrate.stop",
    "load.off",
    "load.on",
    "shutdown.return",
    "shutdown.stayoff",
    "test.battery.start",
    "test.battery.stop",
    "test.failure.start",
    "test.panel.start",
}


def disagreements(said: dict[str, str], truth: dict[str, Any]) -> list[str]:
    """Every reading that is off by more than the half of its last digit, and the runtime by its minute."""
    wrong = [
        f"{name} is {said.get(name)}, {field} is {truth[field]}"
        for name, (field, slack) in READINGS.items()
        if name not in said or abs(float(said[name]) - truth[field]) > slack + 1e-9
    ]
    if said.get("battery.runtime") != str(truth["runtime_s"] // 60 * 60):
        wrong.append(f"battery.runtime is {said.get('battery.runtime')}, runtime_s is {truth['runtime_s']}")
    return wrong


class Bench:
    """A simulated unit and NUT on its line; with `quick` the line takes no time."""

    def __init__(
        self, start: Start, start_peer: Start, nut_dir: Path, folder: Path, *options: str, quick: bool = True
    ) -> None:
        self.unit = Simulated(start, "--upslink", str(folder / "line"), *options, ready="upslink")
        if quick:
            self.unit.ctl("wire", "baud", "0")
            self.unit.ctl("wire", "answer-ms", "0")
        self.nut = Upsd(start_peer, nut_dir, folder, {"ups": apcsmart(self.unit.address)})

    def sent(self) -> list[str]:
        """Everything but questions that has come over the line."""
        return [command["characters"] for command in self.unit.ctl("commands")]

    def until(self, state: str) -> None:
        """Until the unit is in that state; the physics are held then, and go on."""
        self.unit.hold_once(lambda truth: truth["state"] == state)
        self.unit.ctl("release")

    def held(self, state: str) -> dict[str, Any]:
        return self.unit.hold_once(lambda truth: truth["state"] == state)

    def agree(self, truth: dict[str, Any], expected: Mapping[str, str]) -> dict[str, str]:
        """What upsc prints once a scan that began in this state has come to its end."""
        said = self.nut.once("ups", lambda said: said.items() >= expected.items() and not disagreements(said, truth))
        assert disagreements(said, truth) == []
        assert {name: said.get(name) for name in expected} == expected
        return said

    def twice(self, *command: str) -> None:
        """NUT arms with the first call, and acts on one that comes 3 to 15 s later: here after some polls of 1 s."""
        driver = self.nut.drivers["ups"]
        assert self.nut.command("ups", *command) == "SUCCESS"
        polls = driver.stderr.count("scan completed")
        assert self.sent() == []
        driver.logged("scan completed", times=polls + 5)
        assert self.nut.command("ups", *command) == "SUCCESS"


@pytest.fixture
def bench(start: Start, start_peer: Start, nut_dir: Path, tmp_path: Path) -> Bench:
    return Bench(start, start_peer, nut_dir, tmp_path)


def test_at_the_pace_of_a_real_line_upsc_agrees_with_the_unit_on_line_on_battery_and_back(
    start: Start, start_peer: Start, nut_dir: Path, tmp_path: Path
) -> None:
    bench = Bench(start, start_peer, nut_dir, tmp_path, quick=False)
    log = bench.nut.drivers["ups"].stderr
    assert "unrecognized" not in log
    assert "variable not supported" not in log
    assert "detected Smart-UPS 1500 [AS0000000001]" in log
    assert bench.nut.commands("ups") >= COMMANDS

    bench.unit.ctl("load", "37")
    said = bench.agree(bench.held("online"), ON_LINE | {"input.transfer.reason": "no transfers yet since turnon"})
    ours = {name for name in said if name.split(".")[0] in ("input", "output", "battery", "ups")}
    assert ours - {"ups.mfr"} == READINGS.keys() | CONSTANTS.keys() | STATE
    assert {name: said[name] for name in CONSTANTS} == CONSTANTS
    assert said["ups.test.result"] == "NO"

    bench.unit.ctl("release")
    bench.unit.ctl("mains", "off")
    bench.agree(bench.held("on_battery"), ON_BATTERY | {"input.transfer.reason": "low utility voltage"})

    bench.unit.ctl("release")
    bench.unit.ctl("mains", "on")
    bench.until("online")
    bench.unit.ctl("battery", "100")
    bench.agree(bench.held("online"), ON_LINE)


def test_states_that_have_a_bit_have_nut_s_word(bench: Bench) -> None:
    bench.unit.ctl("mains", "195V")
    assert bench.nut.once("ups", lambda said: "BOOST" in said["ups.status"])["ups.status"] == "BOOST OL"
    bench.unit.ctl("mains", "260V")
    assert bench.nut.once("ups", lambda said: "TRIM" in said["ups.status"])["ups.status"] == "TRIM OL"
    bench.unit.ctl("mains", "on")
    bench.unit.ctl("fault", "replace_battery")
    assert bench.nut.once("ups", lambda said: "RB" in said["ups.status"])["ups.status"] == "OL RB"
    bench.unit.ctl("battery", "replace")
    bench.unit.ctl("battery", "4")
    bench.unit.ctl("mains", "off")
    assert bench.nut.once("ups", lambda said: "LB" in said["ups.status"])["ups.status"] == "OB LB"


@pytest.mark.parametrize(("age", "result"), [("0", "OK"), ("6", "BT")])
def test_a_self_test_that_upscmd_starts_ends_in_the_right_result(bench: Bench, age: str, result: str) -> None:
    bench.unit.ctl("battery", "age", age)
    bench.unit.ctl("speed", "4")
    assert bench.nut.command("ups", "test.battery.start") == "SUCCESS"
    said = bench.nut.once("ups", lambda said: "OB" in said["ups.status"])
    assert said["ups.status"].split()[0] == "OB"
    said = bench.nut.once("ups", lambda said: said["ups.test.result"] != "NO")
    assert said["ups.test.result"] == result
    assert said["input.transfer.reason"] == "simulated power failure or UPS test"
    assert bench.sent() == ["W"]


def test_commands_that_harm_nothing_act_at_the_first_call(bench: Bench) -> None:
    bench.unit.ctl("speed", "4")
    assert bench.nut.command("ups", "test.panel.start") == "SUCCESS"
    assert bench.nut.command("ups", "test.failure.start") == "SUCCESS"
    bench.until("on_battery")
    bench.until("online")
    bench.unit.ctl("battery", "100")
    assert bench.nut.command("ups", "calibrate.start") == "SUCCESS"
    said = bench.nut.once("ups", lambda said: "CAL" in said["ups.status"])
    assert said["ups.status"] == "CAL OB"
    assert bench.nut.command("ups", "calibrate.stop") == "SUCCESS"
    bench.until("online")
    assert bench.sent() == ["A", "U", "D", "D"]


def test_load_off_and_load_on_act_at_the_second_call(bench: Bench) -> None:
    bench.twice("load.off")
    bench.until("off")
    bench.agree(bench.held("off"), {"ups.status": "OFF", "output.voltage": "000.0"})
    bench.unit.ctl("release")
    assert bench.nut.command("ups", "load.on") == "SUCCESS"
    bench.until("online")
    assert bench.sent() == ["ZZ", "^N^N"]


def test_shutdown_return_on_battery_cuts_the_output_until_the_mains_are_back(bench: Bench) -> None:
    bench.unit.ctl("mains", "off")
    bench.until("on_battery")
    bench.twice("shutdown.return")
    bench.unit.ctl("speed", "20")
    bench.until("off")
    bench.unit.ctl("mains", "on")
    bench.until("online")
    assert bench.sent() == ["S"]


def test_shutdown_stayoff_on_mains_stays_off(bench: Bench) -> None:
    bench.twice("shutdown.stayoff")
    bench.unit.ctl("speed", "20")
    bench.until("off")
    assert bench.sent() == ["KK"]
    assert bench.unit.truth()["main_outlet"] == {"index": 0, "on": False}


def test_a_shutdown_at_the_end_cuts_the_output_on_battery(bench: Bench) -> None:
    bench.unit.ctl("mains", "off")
    bench.until("on_battery")
    bench.nut.kill_power("ups")
    bench.unit.ctl("speed", "20")
    bench.until("off")
    assert bench.sent() == ["S"]


def test_a_shutdown_at_the_end_with_nut_s_default_leaves_the_output_on_when_there_are_mains(bench: Bench) -> None:
    """ups-link.md 16.5: NUT takes the branch for the battery whatever Q says, and S is refused on mains."""
    bench.nut.kill_power("ups")
    (command,) = bench.unit.ctl("commands")
    assert (command["characters"], command["reply"], command["order"]) == ("S", "NA", None)
    assert bench.unit.truth()["state"] == "online"


def test_upsrw_changes_what_the_unit_lets_it_change(bench: Bench) -> None:
    changes = {
        "input.transfer.high": "271",
        "input.transfer.low": "196",
        "input.sensitivity": "L",
        "battery.charge.restart": "15",
        "battery.alarm.threshold": "N",
        "ups.delay.shutdown": "180",
        "ups.delay.start": "060",
        "ups.id": "rack 4",
        "battery.date": "11/02/24",
    }
    for variable, value in changes.items():
        assert bench.nut.set("ups", variable, value) == "SUCCESS"
    truth = bench.unit.truth()
    settings, identity = truth["settings"], truth["identity"]
    assert (settings["transfer_high_v"], settings["transfer_low_v"], settings["sensitivity"]) == (271, 196, "low")
    assert (settings["minimum_return_charge_pct"], settings["alarm_delay"]) == (15, "never")
    assert (settings["delays"][0]["turn_off_s"], settings["delays"][0]["turn_on_s"]) == (180, 60)
    assert (identity["name"], identity["battery_installed_on"]) == ("rack 4", "2024-11-02")


def test_an_old_unit_is_read_without_its_list(start: Start, start_peer: Start, nut_dir: Path, tmp_path: Path) -> None:
    bench = Bench(start, start_peer, nut_dir, tmp_path, "--model", "SU600I")
    said = bench.agree(bench.held("online"), ON_LINE)
    assert (said["output.voltage.nominal"], said["input.sensitivity"], said["ups.serial"]) == (
        "225",
        "L",
        "AS0000000001",
    )
    assert "attempting var/cmdset lookup" not in bench.nut.drivers["ups"].stderr
    assert bench.nut.command("ups", "test.panel.start") == "SUCCESS"
