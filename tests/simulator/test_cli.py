"""`ridethrough sim` as a user runs it: real processes, real sockets, a real pty."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.ups import Identity, Settings, Snapshot, State
from tests.conftest import Start
from tests.process import PROGRAM

ANYWHERE = "127.0.0.1:0"


def sim(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROGRAM), "sim", *map(str, arguments)], capture_output=True, text=True, timeout=60)


def ctl(address: str, *words: str) -> Any:  # Any: JSON
    answer = sim("ctl", "--control", address, "--json", *words)
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_one_unit_serves_tcp_serial_and_control_at_once_and_ends_cleanly(start: Start, tmp_path: Path) -> None:
    link = tmp_path / "ups"
    unit = start(
        "sim", "run", "--modbus-tcp", ANYWHERE, "--modbus-rtu", link, "--control", ANYWHERE, "--answer-ms", "0",
        ready=["modbus-tcp", "modbus-rtu", "control"],
    )  # fmt: skip
    assert unit.address("modbus-rtu") == str(link)
    assert link.is_symlink()
    host, port = unit.address("modbus-tcp").split(":")
    with socket.create_connection((host, int(port)), 10) as line:
        line.sendall(bytes.fromhex("0001 0000 0006 01 03 0802 0004"))
        assert line.recv(100) == bytes.fromhex("0001 0000 000b 01 03 08 3132333435363738")
    assert unit.terminate() == 0
    assert not link.is_symlink()
    assert all(said.startswith("ready: ") for said in unit.stdout.splitlines())


def test_ctrl_c_ends_it_too(start: Start) -> None:
    unit = start("sim", "run", "--control", ANYWHERE, ready=["control"])
    assert unit.interrupt(signal.SIGINT) == 0


def test_state_as_json_is_a_snapshot_with_identity_and_settings(start: Start) -> None:
    unit = start(
        "sim", "run", "--control", ANYWHERE, "--model", "SMTL1500RM3UC", "--serial", "5S1234T56789", "--name",
        "rack 1", "--load", "40", "--charge", "80", ready=["control"],
    )  # fmt: skip
    (state,) = ctl(unit.address("control"), "state")
    snapshot = msgspec.convert(state, Snapshot)
    identity = msgspec.convert(state["identity"], Identity)
    settings = msgspec.convert(state["settings"], Settings)
    assert (snapshot.state, snapshot.load_pct) == (State.ONLINE, 40)
    assert snapshot.charge_pct == pytest.approx(80, abs=0.1)
    assert (identity.serial, identity.name, identity.sku) == ("5S1234T56789", "rack 1", "SMTL1500RM3UC")
    assert settings.transfer_low_v == 106


def test_an_outage_is_steered_and_read_back_from_the_command_line(start: Start) -> None:
    unit = start("sim", "run", "--control", ANYWHERE, "--speed", "100", ready=["control"])
    address = unit.address("control")
    ctl(address, "mains", "off")
    ctl(address, "hold")
    (state,) = ctl(address, "state")
    assert state["state"] == "on_battery"
    changes = ctl(address, "history")
    assert [change["number"] for change in changes] == list(range(1, len(changes) + 1))
    assert {"mains", "state", "cause", "flag"} <= {change["kind"] for change in changes}
    assert ctl(address, "history", "since", str(len(changes))) == []
    readable = sim("ctl", "--control", address, "state").stdout
    assert "state                      on_battery (low_input_voltage)" in readable


def test_a_scenario_plays_by_itself(start: Start, tmp_path: Path) -> None:
    scenario = tmp_path / "outages.yaml"
    scenario.write_text("steps:\n  - {at: 1, do: mains off}\n  - {at: 30, do: mains on}\n")
    unit = start("sim", "run", "--control", ANYWHERE, "--scenario", scenario, "--speed", "1000", ready=["control"])
    told: list[str] = []
    for _ in range(50):
        changes = ctl(unit.address("control"), "history")
        told = [change["new"] for change in changes if change["kind"] == "state"]
        if len(told) == 2:
            break
    assert told == ["on_battery", "online"]


def test_a_token_file_guards_the_port_and_must_be_private(start: Start, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    token.chmod(0o644)
    refused = sim("run", "--control", ANYWHERE, "--control-token", token)
    assert (refused.returncode, "chmod 600" in refused.stderr) == (2, True)
    token.chmod(0o600)
    unit = start("sim", "run", "--control", ANYWHERE, "--control-token", token, ready=["control"])
    address = unit.address("control")
    assert sim("ctl", "--control", address, "state").returncode == 1
    assert sim("ctl", "--control", address, "--token", token, "state").returncode == 0
    assert "s3cret" not in unit.stderr


def test_models_are_listed_for_people_and_programs() -> None:
    assert "SRT1000XLA" in sim("models").stdout
    listed = [json.loads(line) for line in sim("models", "--json").stdout.splitlines()]
    assert {model["key"] for model in listed} >= {"SMT1500RM2UC", "SMX3000RMLV2U", "SRT1000XLA", "SMTL1500RM3UC"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run --model BACK-UPS --control 127.0.0.1:0", "SMTL1500RM3UC"),
        ("run --control nowhere", "'nowhere' is not HOST:PORT"),
        ("run --modbus-tcp 127.0.0.1", "'127.0.0.1' is not HOST:PORT"),
        ("run --control 0.0.0.0:0", "loopback only"),
        ("run --serial AS000000000000001 --control 127.0.0.1:0", "1 to 16 printable"),
        ("run --name café --control 127.0.0.1:0", "1 to 16 printable"),
        ("run --load -1", "--load"),
        ("ctl", "VERB"),
        ("ctl --control 127.0.0.1:1 --token nowhere state", "nowhere"),
    ],
)
def test_bad_usage_is_status_2_and_says_what_would_be_right(line: str, said: str) -> None:
    answer = sim(*line.split())
    assert answer.returncode == 2, answer.stderr
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps:\n- {at: 1, do: mians off}\n", "steps[0].do: unknown verb 'mians', did you mean 'mains'?"),
        ("steps:\n- {at: 1, don: mains off}\n", "s.yaml:2:11: steps[0].don: unknown key; did you mean 'do'?"),
        ("steps: {at: 1}\n", "s.yaml:1:8: steps"),
        ("steps:\n- {at: 1, do: wire modbus-tcp colour blue}\n", "no such setting"),
    ],
)
def test_a_wrong_scenario_is_told_by_its_place_before_anything_serves(text: str, said: str, tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(text)
    answer = sim("run", "--scenario", scenario, "--control", ANYWHERE)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr


def test_a_port_that_is_taken_or_silent_is_status_1_and_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = sim("run", "--control", address)
        assert answer.returncode == 1
        assert "cannot listen" in answer.stderr
        assert str(taken.getsockname()[1]) in answer.stderr
    answer = sim("ctl", "--control", address, "state")
    assert (answer.returncode, address in answer.stderr) == (1, True)
