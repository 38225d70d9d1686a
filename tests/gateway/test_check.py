"""`gateway check`, and what `gateway run` refuses to start with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cloud_bridge.runtime.init import init
from tests.gateway.site import ridethrough

PORT = "127.0.0.1:8883"


def made(folder: Path, *, host: str = PORT, demo: bool = False, name: str = "pi") -> Path:
    """The settings file of a gateway of a new cloud."""
    init(folder, host, [name], demo=demo)
    return folder / "gateways" / name / "gateway.yaml"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return made(tmp_path / "cloud")


def test_what_cloud_init_wrote_is_in_order(config: Path) -> None:
    done = ridethrough("gateway", "check", "--config", config)
    assert done.stdout == f"{config}: nothing is wrong\n"


def test_a_key_that_others_may_read_is_refused(config: Path) -> None:
    (config.parent / "gateway.key").chmod(0o640)
    done = ridethrough("gateway", "check", "--config", config, status=1)
    assert "mode 0640" in done.stdout
    assert "chmod 600" in done.stdout
    done = ridethrough("gateway", "run", "--config", config, status=2)
    assert "mode 0640" in done.stderr


def test_a_certificate_of_another_name_is_refused(config: Path) -> None:
    lines = config.read_text().splitlines()
    config.write_text("\n".join("gateway: pi-2" if line.startswith("gateway:") else line for line in lines))
    done = ridethrough("gateway", "check", "--config", config, status=1)
    assert "names pi, expected pi-2" in done.stdout
    ridethrough("gateway", "run", "--config", config, status=2)


def test_a_key_of_another_certificate_is_refused(config: Path, tmp_path: Path) -> None:
    other = made(tmp_path / "other")
    shutil.copy(other.parent / "gateway.key", config.parent / "gateway.key")
    done = ridethrough("gateway", "check", "--config", config, status=1)
    assert done.stdout.startswith("error: ")


def test_s15_demo_keys_are_refused_off_loopback(tmp_path: Path) -> None:
    away = made(tmp_path / "away", host="192.0.2.7:8883", demo=True)
    done = ridethrough("gateway", "check", "--config", away, status=1)
    assert "S15" in done.stdout
    assert "192.0.2.7" in done.stdout
    ridethrough("gateway", "run", "--config", away, status=2)
    at_home = made(tmp_path / "home", demo=True)
    ridethrough("gateway", "check", "--config", at_home)


def test_a_wrong_unit_url_is_told_for_its_unit_as_json(config: Path) -> None:
    unit = "rack-1=modbus+tcp://10.0.0.5?unti=1"
    done = ridethrough("gateway", "check", "--config", config, "--unit", unit, "--json", status=1)
    finding = json.loads(done.stdout)
    assert finding["where"] == "unit rack-1"
    assert "unti" in finding["what"]


def test_a_missing_file_is_named(config: Path) -> None:
    (config.parent / "ca.pem").unlink()
    done = ridethrough("gateway", "check", "--config", config, status=1)
    assert "ca.pem: can't be read: No such file" in done.stdout


def test_text_that_is_no_certificate_is_told(config: Path) -> None:
    (config.parent / "gateway.pem").write_text("hello")
    done = ridethrough("gateway", "check", "--config", config, status=1)
    assert "Traceback" not in done.stdout + done.stderr


def test_a_unit_that_was_never_met_can_not_be_accepted(config: Path) -> None:
    done = ridethrough("gateway", "accept-unit", "--config", config, "rack-1", status=1)
    assert "no outbox" in done.stderr
