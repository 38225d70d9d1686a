"""A simulated unit as its own process, and what its owner does to it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Start
from tests.process import PROGRAM

CTL_S = 30


class Simulated:
    """`ridethrough sim run` with a control port, and `sim ctl` to it."""

    def __init__(self, start: Start, *options: str, ready: str) -> None:
        self._process = start("sim", "run", "--control", "127.0.0.1:0", *options, ready=["control", ready])
        self.address = self._process.address(ready)

    def ctl(self, *words: str) -> list[dict[str, Any]]:  # Any: JSON
        """The lines of one verb's answer."""
        command: list[str | Path] = [
            PROGRAM,
            "sim",
            "ctl",
            "--control",
            self._process.address("control"),
            *words,
            "--json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=CTL_S, check=False)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def end(self) -> None:
        """The unit is gone at once, as if its cable was pulled."""
        self._process.kill()

    def truth(self) -> dict[str, Any]:
        """The unit's physical state: a Snapshot's names and units."""
        (state,) = self.ctl("state")
        return state

    def hold_once(self, come: Callable[[dict[str, Any]], bool], within_s: float = 60.0) -> dict[str, Any]:
        """Freeze the physics as soon as the truth is so, and return it."""
        give_up_at = time.monotonic() + within_s
        while time.monotonic() < give_up_at:
            if come(self.truth()):
                self.ctl("hold")
                if come(truth := self.truth()):
                    return truth
                self.ctl("release")
        raise AssertionError(self.truth())
