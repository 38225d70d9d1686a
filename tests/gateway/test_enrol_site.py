"""Joining a cloud and staying in it: the gateway's process, the broker, ingest and the enrolment endpoint, all real."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_bridge.authority import Use, issue, key_pem, pem
from cloud_bridge.enrolment import as_row
from cloud_bridge.runtime.init import init
from cloud_bridge.runtime.keys import load_authority
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import gateways
from cloud_bridge.store.registry.registry import Registry
from config.runtime.files import load
from tests.cloud_bridge.talker import eventually, free_port
from tests.conftest import Start
from tests.gateway.site import Site, ridethrough
from tests.process import PROGRAM, Process

NAME = "pi"


class Cloud:
    """A cloud that knows no gateway yet."""

    def __init__(self, folder: Path, start: Start) -> None:
        self.folder, self._start = folder, start
        init(folder, f"127.0.0.1:{free_port()}", https=f"127.0.0.1:{free_port()}")

    def run(self) -> Process:
        return self._start("cloud", "run", "--dir", self.folder, ready=["broker", "ingest", "enrol"])

    def token(self) -> str:
        return ridethrough("cloud", "gateway", "token", NAME, "--dir", self.folder).stdout

    def issue(self, home: Path, ends: datetime) -> x509.Certificate:
        """A certificate for the gateway's key that ends then, as if it had been issued long ago."""
        settings = load(self.folder / "cloud.yaml", CloudSettings)
        authority = load_authority(settings.tls.gateways, settings.tls.issuing_key)
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        serial = x509.random_serial_number()
        certificate = issue(authority, NAME, Use.CLIENT, key.public_key(), serial, now, life=ends - now)
        (home / "gateway.pem").write_bytes(pem(certificate))
        (home / "gateway.key").write_bytes(key_pem(key))
        with Registry(settings.registry_at) as registry, registry.writing() as connection:
            gateways.record(connection, as_row(certificate, NAME, int(now.timestamp() * 1000)))
        return certificate


@pytest.fixture
def cloud(tmp_path: Path, start: Start) -> Cloud:
    return Cloud(tmp_path / "cloud", start)


def enroll(cloud: Cloud, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "gateway", "enroll", "--dir", home], input=cloud.token(), capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip


def test_a_token_a_folder_and_a_gateway_that_is_heard(cloud: Cloud, tmp_path: Path, start: Start) -> None:
    home = tmp_path / "home"
    cloud.run()
    assert "pi is enrolled" in enroll(cloud, home).stdout
    config = home / "gateway.yaml"
    assert "nothing is wrong" in ridethrough("gateway", "check", "--config", config).stdout
    gateway = start("gateway", "run", "--config", config, ready=["gateway"])
    site = Site(tmp_path, start, cloud=cloud.folder)
    site.wait_for("", ["gateway_started"], gateway)
    assert re.fullmatch("[A-Z2-7]{4}-[A-Z2-7]{4}\n", ridethrough("gateway", "claim-code", "--config", config).stdout)


@pytest.mark.slow
def test_a_gateway_whose_certificate_ran_out_while_it_was_off_comes_back_by_itself(
    cloud: Cloud, tmp_path: Path, start: Start
) -> None:
    """The broker refuses it, and the clock of this machine may say what it likes."""
    home = tmp_path / "home"
    running = cloud.run()
    enroll(cloud, home)
    old = cloud.issue(home, datetime.now(UTC) - timedelta(days=1))
    gateway = start("gateway", "run", "--config", home / "gateway.yaml", ready=["gateway"])
    Site(tmp_path, start, cloud=cloud.folder).wait_for("", ["gateway_started"], gateway)
    gateway.logged("works and takes the old one's place")
    eventually(lambda: not (home / "gateway-new.pem").exists(), "the new pair is in its place")
    new = x509.load_pem_x509_certificate((home / "gateway.pem").read_bytes())
    assert new.not_valid_after_utc > old.not_valid_after_utc + timedelta(days=89)
    running.logged("renewed: certificate")
