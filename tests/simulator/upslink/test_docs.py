"""docs/simulator.md says what is so about UPS-Link."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.models import DEFAULT_UPSLINK_MODEL
from simulator.upslink.settings import UpsLinkSettings

from .line import NEW, OLD, Line

TEXT = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
SECTION = TEXT.split("## UPS-Link")[1].split("\n## ")[0]
SHOWN = re.findall(r"`([a-z-]+) ([0-9]+|on|off)`", SECTION)


@pytest.mark.parametrize(("name", "value"), sorted(set(SHOWN)))
def test_every_setting_that_is_shown_can_be_set_so(name: str, value: str) -> None:
    UpsLinkSettings().change(name, value)


def test_every_setting_is_shown() -> None:
    assert {name.replace("-", "_") for name, _ in SHOWN} == set(UpsLinkSettings().values())


def test_the_default_is_marked() -> None:
    assert DEFAULT_UPSLINK_MODEL == NEW
    assert f"| {NEW} (default with `--upslink`) |" in TEXT


def test_the_alerts_that_are_named_are_those_that_units_send() -> None:
    (named,) = re.findall(r"\(`([^`]+)`\) come by themselves", SECTION)
    assert set(named.split()) == set(Line(NEW).profile.alerts + Line(OLD).profile.alerts)
