"""The harness of NUT's daemons serves what its units say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Start
from tests.peers.nut import Upsd, dummy

pytestmark = pytest.mark.peer

DEV = """\
ups.mfr: APC
ups.model: Smart-UPS 1500
ups.status: OL CHRG
input.voltage: 231.8
battery.charge: 97.0
"""


def test_upsc_prints_what_the_file_of_each_unit_says(start_peer: Start, nut_dir: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one.dev", tmp_path / "other.dev"
    one.write_text(DEV)
    other.write_text(DEV.replace("OL CHRG", "OB").replace("231.8", "0.0"))
    upsd = Upsd(start_peer, nut_dir, tmp_path, {"one": dummy(one), "other": dummy(other)})

    said = upsd.said("one")

    assert (said["ups.status"], said["input.voltage"], said["battery.charge"]) == ("OL CHRG", "231.8", "97.0")
    assert said["ups.model"] == "Smart-UPS 1500"
    assert upsd.said("other")["ups.status"] == "OB"


def test_a_unit_whose_driver_has_ended_says_nothing_until_it_is_started_again(
    start_peer: Start, nut_dir: Path, tmp_path: Path
) -> None:
    dev = tmp_path / "unit.dev"
    dev.write_text(DEV)
    upsd = Upsd(start_peer, nut_dir, tmp_path, {"unit": dummy(dev)})

    upsd.stop_driver("unit")
    assert upsd.once("unit", lambda said: not said) == {}

    upsd.start_driver("unit")
    assert upsd.said("unit")["ups.status"] == "OL CHRG"
