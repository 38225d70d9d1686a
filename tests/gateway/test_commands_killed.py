"""A command on its way from `cloud command` to a simulated unit, and a gateway that is killed in the midst of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simulator.runtime.ctl import ask
from tests.cloud_bridge.talker import eventually
from tests.conftest import Start
from tests.gateway.site import NAME, Site, control
from tests.process import Process

UNIT, SERIAL = "rack-1", "AS0000000001"
"""Name in the gateway's settings, and what the simulated unit says of itself."""


def writes(unit: Process) -> list[dict[str, Any]]:
    """What the unit's wire took in."""
    return ask(unit.address("control"), "commands")[1:]


def told(asking: Process) -> dict[str, Any]:
    """The last line of a `cloud command --json`."""
    found: dict[str, Any] = json.loads(asking.stdout.splitlines()[-1])
    return found


def test_s1_kill_9_while_a_command_is_carried_out_leaves_it_sent_once_and_its_outcome_unknown(
    tmp_path: Path, start: Start
) -> None:
    site = Site(tmp_path, start)
    site.broker()
    site.ingest()
    unit = site.unit()
    gateway = site.gateway((UNIT, unit.address("modbus-tcp")))
    gateway.logged(f"{SERIAL} answers")
    control(unit, "wire", "swallow", "1")  # so that the gateway waits for an answer which never comes
    asking = start("cloud", "command", "--dir", site.cloud, NAME, UNIT, "mute", "--serial", SERIAL, "--json")
    eventually(lambda: len(writes(unit)) == 1, "the command reaches the unit")
    gateway.kill()
    site.gateway((UNIT, unit.address("modbus-tcp")))
    assert asking.ended(within_s=60) == 1
    assert told(asking)["outcome"] == "unknown"
    assert len(writes(unit)) == 1
