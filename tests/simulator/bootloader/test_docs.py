"""docs/simulator.md says what is so about firmware."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.bootloader.faults import Kind
from simulator.bootloader.loader import Loader, Phase
from simulator.bootloader.orders import obey
from simulator.bootloader.profile import command_of
from simulator.bootloader.reasons import Reason
from simulator.bootloader.settings import LoaderSettings
from simulator.models import MODELS
from tests.simulator.bench import unit_of

TEXT = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
SECTION = TEXT.split("## Firmware")[1].split("\n## ")[0]
CODE = re.findall(r"`([^`]+)`", SECTION)
SETTINGS = re.findall(r"`([a-z-]+) ([0-9]+|off)`", SECTION.split("| `firmware ...`")[1])
FAULTS = [code for code in CODE if code.startswith("fault ")]


@pytest.mark.parametrize("line", [*(" ".join(pair) for pair in SETTINGS if pair[0] != "fault"), *FAULTS, "faults"])
def test_every_line_that_is_shown_is_obeyed(line: str) -> None:
    assert obey(Loader(unit_of()), line.split())[0]["ok"] is True


def test_every_setting_and_every_fault_is_shown() -> None:
    assert {name.replace("-", "_") for name, _ in SETTINGS} - {"fault"} == set(LoaderSettings().values())
    assert {line.split()[1].replace("-", "_") for line in FAULTS} - {"off"} == {kind.value for kind in Kind}


def test_the_defaults_that_are_shown_are_the_settings() -> None:
    shown = dict(SETTINGS)
    settings = LoaderSettings()
    for name in ("baud", "start-ms", "poll-ms", "block-timeout-ms", "boot-ms", "idle-ms"):
        assert int(shown[name]) == getattr(settings, name.replace("-", "_"))


def test_every_reason_and_every_phase_is_named() -> None:
    by_order = {Reason.GAVE_UP, Reason.STAYED, Reason.TOO_LONG}
    words = set(re.findall(r"[a-z_]+", SECTION))
    assert {reason.value for reason in set(Reason) - by_order} <= words
    assert {phase.value for phase in Phase} <= words


def test_the_command_that_is_shown_is_one_for_the_default_unit() -> None:
    (shown,) = (code for code in CODE if code.startswith("!"))
    command = command_of(shown.encode())
    assert command is not None
    running = Loader(unit_of()).state()
    assert (command.hardware_id, command.version) == (running["hardware_id"], running["version"])


def test_the_models_that_upgrade_only_with_the_output_off_are_named() -> None:
    only_off = {key for key, model in MODELS.items() if [str(each) for each in model.upgrade_outputs] == ["off"]}
    assert only_off == {"SMX750", "SUA1500I"}
    assert all(key in SECTION for key in only_off)
