"""The characters and the forms of their replies, against the reference's examples and what real units said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.upslink.characters import ALERTS, MODEL, QUERIES, Query
from tests.conftest import lacking

CAPTURES = Path(__file__).parents[4] / "shared/captures/nut"
CHARACTERS = {
    "ups.model": MODEL,
    "ups.serial": "n",
    "battery.date": "x",
    "ups.mfr.date": "m",
    "ups.id": "c",
    "battery.voltage": "B",
    "battery.voltage.nominal": "g",
    "battery.charge": "f",
    "battery.charge.restart": "e",
    "battery.alarm.threshold": "k",
    "battery.packs": ">",
    "battery.packs.bad": "<",
    "input.voltage": "L",
    "input.voltage.maximum": "M",
    "input.voltage.minimum": "N",
    "input.frequency": "F",
    "input.quality": "9",
    "input.sensitivity": "s",
    "input.transfer.high": "u",
    "input.transfer.low": "l",
    "output.current": "/",
    "output.voltage": "O",
    "output.voltage.nominal": "o",
    "ups.load": "P",
    "ups.temperature": "C",
    "ups.test.result": "X",
    "ups.delay.shutdown": "p",
    "ups.delay.start": "r",
    "ups.firmware": "b",
    "ambient.temperature": "t",
    "ambient.humidity": "h",
}
"""Variables that NUT's apcsmart passes on as the unit said them."""


def said() -> Iterator[tuple[str, str, str]]:
    for path in sorted(CAPTURES.glob("*__apcsmart__*")):
        for line in path.read_text(errors="replace").splitlines():
            name, colon, value = line.partition(": ")
            if colon and name in CHARACTERS and value and "deleted" not in value:
                yield path.name, name, value


def test_every_value_that_real_units_said_is_of_its_form() -> None:
    if not CAPTURES.exists():
        lacking(f"{CAPTURES} is not there")
    values = list(said())
    assert len(values) > 300
    assert [value for value in values if not QUERIES[CHARACTERS[value[1]]].fits(value[2])] == []


@pytest.mark.parametrize("query", QUERIES.values(), ids=lambda query: repr(query.char))
def test_every_example_fits_and_nothing_around_it(query: Query) -> None:
    for text in query.examples:
        assert query.fits(text)
        assert not query.fits(text + "\n")
        assert not query.fits("\r" + text)


@pytest.mark.parametrize(
    ("char", "reply"),
    [
        ("Q", "8"),
        ("Q", "080"),
        ("Q", "0g"),
        ("Q", "8.0"),
        ("9", "F"),
        ("9", "08"),
        ("G", "OK"),
        ("X", "NA"),
        ("L", "118"),
        ("L", "18.3"),
        ("L", "27.87"),
        ("L", "1118.3"),
        ("B", "27.8"),
        ("F", "060.0"),
        ("P", "23.5"),
        ("j", "0327"),
        ("j", "0327:0"),
        ("C", "OK"),
        ("n", "118.3"),
        ("n", "50.9.D"),
        ("n", "UPS 1"),
        (MODEL, "027.0"),
        (MODEL, "SM"),
        ("b", "50.9"),
        ("b", "027.0"),
        ("V", "GWDX"),
        ("g", "27.87"),
        ("u", "132.0"),
        ("s", "X"),
        ("E", "on"),
        ("k", "1"),
        ("a", "3.!$%"),
        ("a", "33.!.AB"),
        ("\x1a", "uD43132135138129"),
        ("L", "\u0661\u0661\u0661.\u0661"),
    ],
)
def test_what_is_not_of_the_form_is_no_reply(char: str, reply: str) -> None:
    assert not QUERIES[char].fits(reply)


def test_no_reply_but_the_two_long_ones_may_hold_an_alert_character() -> None:
    for query in QUERIES.values():
        assert bool(query.keeps) == (query.char in "a\x1a")
        assert query.keeps or not any(set(text) & set(ALERTS) for text in query.examples)


def test_s2_no_digit_under_7_is_ever_asked() -> None:
    assert not set("0123456") & set(QUERIES)
