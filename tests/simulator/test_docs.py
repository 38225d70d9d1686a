"""docs/simulator.md says what is so."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from config.settings import decode
from simulator.control import VERBS, perform
from simulator.models import DEFAULT_MODEL, MODELS
from simulator.scenario import Scenario

from .test_control import Bench

TEXT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
LINES = [
    code
    for row in re.findall(r"^\| (`.*?`) \|", TEXT.split("## Steering it")[1].split("## A scenario")[0], re.M)
    for code in re.findall(r"`([^`]+)`", row)
    if code.isascii() and "[" not in code and "NAME" not in code
]


def test_every_model_is_described_and_the_default_is_marked() -> None:
    for key in MODELS:
        assert f"| {key}" in TEXT
    assert f"| {DEFAULT_MODEL} (default) |" in TEXT


@pytest.mark.parametrize("line", LINES)
def test_every_control_line_that_is_shown_is_obeyed(line: str) -> None:
    assert perform(line, Bench())[0]["ok"] is True


def test_every_verb_is_shown() -> None:
    shown = {line.split()[0] for line in re.findall(r"`([^`]+)`", TEXT)}
    assert set(VERBS) <= shown


def test_the_scenario_that_is_shown_is_one() -> None:
    text = textwrap.dedent(TEXT.split("## A scenario")[1].split("`sim run --scenario")[0]).strip()
    scenario = decode(text, Scenario, "docs")
    assert [do for _, do in scenario.between(-1, 60)] == ["mains off", "mains on"]
