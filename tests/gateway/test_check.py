"""`gateway check`, and what `gateway run` refuses to start with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud_bridge.runtime.init import init
from gateway.credentials import own_certificate
from tests.gateway.papers import DAY, NOW, Papers, new_key
from tests.gateway.site import ridethrough

PORT = "127.0.0.1:8883"
RSA_KEY = (
    generate_private_key(public_exponent=65537, key_size=2048)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)


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


def test_s5_two_links_to_one_serial_device_are_one_line_too_many(config: Path, tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyUSB0")
    units = [f"--unit=rack-{number}=modbus+rtu://{tmp_path / name}" for number, name in ((1, "by-id"), (2, "ttyUSB0"))]
    done = ridethrough("gateway", "check", "--config", config, *units, status=1)
    assert "rack-1 and rack-2: both are on the serial line" in done.stdout


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


# what the policy, the keys and the local listeners are told


def with_lines(config: Path, *lines: str) -> Path:
    config.write_text("\n".join([config.read_text(), *lines, ""]))
    return config


def without(config: Path, key: str) -> Path:
    config.write_text("\n".join(line for line in config.read_text().splitlines() if not line.startswith(f"{key}:")))
    return config


def policy(config: Path, text: str) -> Path:
    (config.parent / "policy.yaml").write_text(text)
    return with_lines(config, "policy: policy.yaml")


def test_a_wrong_policy_is_told_with_line_and_column(config: Path) -> None:
    policy(config, "allow:\n  - quiet\n  - cuts_outputs\n")
    done = ridethrough("gateway", "check", "--config", config, status=2)
    assert "policy.yaml:3:5: allow[1]: expected one of" in done.stderr
    assert "policy.yaml:3:5" in ridethrough("gateway", "run", "--config", config, status=2).stderr


def test_s10_a_policy_that_allows_a_setting_is_refused(config: Path) -> None:
    policy(config, "verbs: [set_output_voltage]\n")
    done = ridethrough("gateway", "check", "--config", config, status=2)
    assert "policy.yaml:1:1: verbs: set_output_voltage" in done.stderr
    assert "S10" in done.stderr


def test_a_policy_for_a_unit_that_is_not_there_is_told(config: Path) -> None:
    policy(config, "units: {rack-9: {allow: [quiet]}}\n")
    done = ridethrough("gateway", "check", "--config", config, status=1)
    assert "warning:" in done.stdout
    assert "units.rack-9: no unit of the settings has this name" in done.stdout


def test_a_policy_without_a_command_key_is_told(config: Path) -> None:
    policy(without(config, "command_key"), "allow: [quiet, to_battery]\n")
    done = ridethrough("gateway", "check", "--config", config, status=1)
    assert "no command_key" in done.stdout


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"hello", "Unable to load PEM file"),
        (b"", "Unable to load PEM file"),
        (b"x" * 300_000, "no PEM file"),
        (RSA_KEY, "is no Ed25519 key"),
    ],
)
def test_a_command_key_that_is_none_is_refused(config: Path, content: bytes, told: str) -> None:
    (config.parent / "other.pub").write_bytes(content)
    with_lines(without(config, "command_key"), "command_key: other.pub")
    done = ridethrough("gateway", "check", "--config", config, status=1)
    assert "other.pub" in done.stdout
    assert told in done.stdout
    ridethrough("gateway", "run", "--config", config, status=2)


def test_an_enrolment_without_an_issuer_is_told(config: Path) -> None:
    config.write_text(config.read_text().replace(", issuer: issuer.pem", ""))
    assert "issuer" not in config.read_text().partition("tls:")[2].splitlines()[0]
    with_lines(without(config, "enrolment"), "enrolment: https://127.0.0.1:8443")
    done = ridethrough("gateway", "check", "--config", config, status=1)
    assert "tls.issuer: is missing" in done.stdout


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("0.0.0.0:8480", "0.0.0.0:8480 is not this machine alone"),
        ("[::]:8480", "[::]:8480 is not this machine alone"),
        ("127.0.0.1:70000", "no port is numbered 70000"),
    ],
)
def test_a_status_page_for_others_is_told(config: Path, address: str, told: str) -> None:
    done = ridethrough("gateway", "check", "--config", with_lines(config, f'status_page: "{address}"'), status=1)
    assert told in done.stdout


@pytest.mark.parametrize("address", ["127.0.0.1:8480", "[::1]:8480", "localhost:8480"])
def test_a_status_page_for_this_machine_alone_is_in_order(config: Path, address: str) -> None:
    ridethrough("gateway", "check", "--config", with_lines(config, f'status_page: "{address}"'))


def test_two_units_on_one_serial_line_are_told(config: Path) -> None:
    line = "modbus+rtu:///dev/ttyUSB0?unit="
    units = [f"--unit=rack-{n}={line}{n}" for n in (1, 2)]
    done = ridethrough("gateway", "check", "--config", config, *units, status=2)
    assert "/dev/ttyUSB0" in done.stderr


@pytest.mark.parametrize(
    ("days", "renews", "told"),
    [(40, True, False), (29, True, True), (40, False, True), (80, False, False), (-1, True, True)],
)
def test_a_certificate_near_its_end_is_told_unless_it_will_still_be_renewed_in_time(
    days: int, renews: bool, told: bool
) -> None:
    papers, key = Papers("gateways"), new_key()
    certificate = papers.leaf("pi", key, ends=NOW + days * DAY)
    findings = list(own_certificate("gateway.pem", certificate, key.public_key(), "pi", NOW, renews=renews))
    assert [finding.fatal for finding in findings] == [False] * told


def test_a_pair_whose_taking_of_place_was_cut_short_by_the_power_is_in_order(config: Path) -> None:
    (config.parent / "gateway.pem").rename(config.parent / "gateway-new.pem")
    assert "nothing is wrong" in ridethrough("gateway", "check", "--config", config).stdout


# the emergency route


def mail_route(config: Path, *, ca: str = "") -> Path:
    trust = f", ca: {ca}" if ca else ""
    login = "user: ups, password: mail.password"
    mail = f"{{host: mail.example.net, sender: a@example.net, to: [b@example.net], {login}{trust}}}"
    return with_lines(config, f"emergency: {{mail: {mail}}}")


def password(config: Path, mode: int) -> None:
    path = config.parent / "mail.password"
    path.write_text("secret")
    path.chmod(mode)


def test_an_emergency_route_whose_files_are_right_is_in_order(config: Path) -> None:
    password(config, 0o600)
    ridethrough("gateway", "check", "--config", mail_route(config, ca="ca.pem"))


def test_a_password_that_others_may_read_or_that_is_missing_is_refused(config: Path) -> None:
    mail_route(config)
    assert "mail.password: can't be read" in ridethrough("gateway", "check", "--config", config, status=1).stdout
    password(config, 0o644)
    done = ridethrough("gateway", "check", "--config", config, status=1)
    assert "mode 0644" in done.stdout
    assert "secret" not in done.stdout
    assert "mode 0644" in ridethrough("gateway", "run", "--config", config, status=2).stderr


def test_an_authority_of_the_mail_server_that_is_none_is_told(config: Path) -> None:
    password(config, 0o600)
    done = ridethrough("gateway", "check", "--config", mail_route(config, ca="gateway.key"), status=1)
    assert "gateway.key" in done.stdout
