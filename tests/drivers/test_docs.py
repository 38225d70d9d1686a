"""docs/drivers.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.driver import Transport
from drivers.modbus.commands import FIXED
from drivers.modbus.options import PARAMETERS
from drivers.open import open_driver
from drivers.parameters import Parameter
from drivers.smartups.registers import register
from drivers.ups import Outcome, Verb

TEXT = (Path(__file__).parents[2] / "docs/drivers.md").read_text()
ROWS = {
    cells[0].strip("`"): cells
    for line in TEXT.partition("\n## UPS-Link\n")[0].splitlines()
    if line.startswith("| ")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_every_parameter_has_its_row(parameter: Parameter) -> None:
    _, on, value, default, _ = ROWS[parameter.name]
    assert on == {None: "both", Transport.SERIAL: "RTU", Transport.TCP: "TCP"}[parameter.only]
    assert value == parameter.allowed
    if parameter.default is not None:
        assert default == str(parameter.default).lower()


def test_every_url_of_the_page_opens() -> None:
    urls = re.findall(r"^    (modbus\S+)", TEXT, re.MULTILINE)
    assert len(urls) == 4
    assert [open_driver(url).url for url in urls] == urls


def test_every_outcome_and_every_command_stands_there() -> None:
    assert {str(outcome) for outcome in Outcome} <= set(ROWS)
    for verb in (v for v in Verb if not v.startswith("set_")):
        assert re.search(rf"\b{verb}\b", TEXT), verb
    for verb, (name, value) in FIXED.items():
        row = next(cells for key, cells in ROWS.items() if re.search(rf"\b{verb}\b", key))
        assert row[1] == str(register(name).address)
        assert re.search(rf"\b{value}\b", row[2]), verb


def test_s5_the_page_warns_of_plain_cables() -> None:
    assert "940-0625A" in TEXT
    assert "940-0024C" in TEXT
    assert "switch the load off" in TEXT
