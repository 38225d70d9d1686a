"""The house's order: what lies where, and that what setup.cfg names is there."""

from __future__ import annotations

import subprocess
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import pytest

from tests.conftest import ROOT

ROOMS = ["cloud_bridge", "config", "drivers", "gateway", "simulator"]
FOLDERS = {*ROOMS, "tests", "docs", ".ci"}
FILES = {"setup.cfg", "pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"}
MAX_MODULE_LINES = 500


def kept_files() -> list[Path]:
    """What is in the repository or would go into it, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in listed.splitlines() if (ROOT / line).exists()]


def modules() -> list[Path]:
    return [path for path in kept_files() if path.suffix == ".py"]


def test_the_top_level_holds_the_rooms_and_what_tools_insist_on() -> None:
    names = {(path.parts[0], len(path.parts) > 1) for path in kept_files()}
    assert {name for name, is_folder in names if is_folder} <= FOLDERS
    assert {name for name, is_folder in names if not is_folder} <= FILES


def test_every_folder_with_modules_is_a_package() -> None:
    """setuptools leaves any other out of what it installs."""
    folders = {path.parent for path in modules() if path.parts[0] in ROOMS}
    assert [folder for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []


def test_no_module_is_longer_than_one_can_read() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in modules()}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_MODULE_LINES} == {}


@pytest.mark.parametrize("entry", distribution("ridethrough").entry_points, ids=lambda entry: entry.name)
def test_every_entry_point_leads_to_something_that_can_be_called(entry: EntryPoint) -> None:
    assert callable(entry.load())
