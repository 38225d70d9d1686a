"""Every capture there is: those of ours beside the tests, and real units' beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

from drivers.capture.model import Capture, Wire
from drivers.capture.parse import read
from tests.conftest import ROOT

OURS = ROOT / "tests" / "captures"
REAL = ROOT.parent / "shared" / "captures"
"""Not the project's work, so not in it; CI has them."""
MODBUS = (Wire.MODBUS_TCP, Wire.MODBUS_RTU, Wire.REGISTERS)


def _files() -> list[Path]:
    real = sorted(REAL.glob("*-modbus.txt"))
    assert real or os.environ.get("CI") != "true", f"no captures of real units at {REAL}"
    return [*sorted(OURS.glob("*.capture")), *real]


FILES = _files()


def load(file: Path) -> Capture:
    return read(file.read_text(), file.name)


def on(*wires: Wire) -> list[Path]:
    """The captures of these wires."""
    return [file for file in FILES if load(file).header.wire in wires]


def name(file: Path) -> str:
    return file.stem
