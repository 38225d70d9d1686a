"""docs/drivers.md says what the driver does; URLs are understood or refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.driver import Transport
from drivers.errors import BadUrl
from drivers.open import open_driver
from drivers.parameters import Parameter
from drivers.ups import Verb
from drivers.upslink.commands import PRESSES, SETTINGS, WITHOUT_CHARACTER
from drivers.upslink.options import PARAMETERS
from drivers.upslink.plan import MEASURED
from drivers.upslink.plan import SETTINGS as SETTING_CHARACTERS

TEXT = (Path(__file__).parents[3] / "docs/drivers.md").read_text().partition("\n## UPS-Link\n")[2].partition("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TEXT.splitlines() if line.startswith("| ")]


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
def test_every_parameter_has_its_row(parameter: Parameter) -> None:
    _, allowed, default, _ = next(row for row in ROWS if row[0] == f"UPS-Link `{parameter.name}`")
    assert allowed == parameter.allowed
    value = parameter.default
    assert default == (str(value).lower() if isinstance(value, bool) else f"{value:g}")


def test_every_verb_that_has_a_character_stands_there_with_it() -> None:
    for verb, char in PRESSES.items():
        row = next(row for row in ROWS if re.search(rf"\b{verb}\b", row[0]))
        assert f"`{char}`" in row[1]
    for verb in set(Verb) - WITHOUT_CHARACTER - set(SETTINGS):
        assert re.search(rf"\b{verb}\b", TEXT), verb


def test_what_is_asked_stands_there() -> None:
    assert " ".join(SETTING_CHARACTERS) in TEXT
    full = next(row for row in ROWS if row[0] == "full")
    assert set(full[1].split("`")[1].split()) == set(MEASURED)


@pytest.mark.parametrize(
    "url",
    ["upslink:///dev/ttyS0", "upslink:///run/ups/rack-1?fast_s=1", "upslink://socket://10.0.0.9:4001?minmax=true"],
)
def test_urls_are_understood(url: str) -> None:
    driver = open_driver(url)
    assert (driver.url, driver.transport) == (url, Transport.SERIAL)


def test_the_pace_is_the_gentle_one() -> None:
    pace = open_driver("upslink:///dev/ttyS0").pace
    assert (pace.fast_s, pace.full_s, pace.reconnect_s) == (2.0, 10.0, 1.0)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("upslink://", "no serial device"),
        ("upslink://socket://10.0.0.9", "HOST:PORT"),
        ("upslink:///dev/ttyS0?baud=9600", "unknown parameter 'baud'"),
        ("upslink:///dev/ttyS0?minmax=yes", "must be true or false"),
        ("upslink:///dev/ttyS0?fast_s=0.4", "0.5 to 60"),
        ("upslink:///dev/ttyS0?timeout_s=inf", "1 to 30"),
        ("upslink:///dev/ttyS0?fast_s=20&full_s=10", "full_s=10 is shorter than fast_s=20"),
    ],
)
def test_urls_are_refused_with_what_is_wrong(url: str, problem: str) -> None:
    with pytest.raises(BadUrl, match=problem):
        open_driver(url)
