"""What gateway.yaml may say, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import SettingsError
from config.runtime.files import load
from config.settings import decode
from drivers.ups import READINGS
from gateway.settings import (
    DEFAULT_PORT,
    GatewaySettings,
    UnitSettings,
    from_json,
    to_json,
    unit_from_text,
    with_units,
)

RIGHT = """\
gateway: pi-basement
cloud: mqtts://bridge.example.net:8884
tls: {ca: ca.pem, certificate: gateway.pem, key: keys/gateway.key}
data: ./data
units:
  - {name: rack-1, url: "modbus+tcp://10.0.0.5:502?unit=1"}
"""


def read(text: str) -> GatewaySettings:
    return decode(text, GatewaySettings, "gateway.yaml", Path("/etc/ridethrough"))


def told(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(text)
    return str(caught.value)


def test_paths_begin_at_the_files_folder() -> None:
    settings = read(RIGHT)
    assert settings.tls.key == Path("/etc/ridethrough/keys/gateway.key")
    assert settings.data == Path("/etc/ridethrough/data")


def test_the_settings_survive_the_way_into_another_process() -> None:
    settings = read(RIGHT)
    assert from_json(to_json(settings)) == settings


def test_a_gateway_without_units_is_allowed_since_the_command_line_may_name_them() -> None:
    settings = read(RIGHT.partition("units:")[0] + "units: []\n")
    assert with_units(settings, (unit_from_text("rack-1=modbus+tcp://10.0.0.5"),)).units[0].name == "rack-1"


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("mqtts://bridge.example.net:8884", "bridge.example.net", 8884),
        ("mqtts://bridge.example.net", "bridge.example.net", DEFAULT_PORT),
        ("mqtts://[::1]:1", "::1", 1),
        ("mqtts://[::1]", "::1", DEFAULT_PORT),
        ("mqtts://10.0.0.1:8883/", "10.0.0.1", 8883),
    ],
)
def test_the_cloud_is_a_host_and_a_port(url: str, host: str, port: int) -> None:
    settings = read(RIGHT.replace("mqtts://bridge.example.net:8884", f'"{url}"'))
    assert (settings.cloud_host, settings.cloud_port) == (host, port)


@pytest.mark.parametrize(
    ("right", "wrong", "what"),
    [
        ("pi-basement", "Pi_Basement", "gateway.yaml:1:10: gateway: expected a gateway's name"),
        ("pi-basement", "bridge", "'bridge' is reserved"),
        (
            "mqtts://bridge.example.net:8884",
            "mqtt://x:1",
            "gateway.yaml:2:8: cloud: expected the broker as mqtts://HOST:PORT",
        ),
        ("bridge.example.net:8884", "bridge.example.net:99999", "no port is numbered 99999"),
        ("rack-1", "Rack 1", "units[0].name: expected a unit's name"),
        ("modbus+tcp://10.0.0.5:502?unit=1", "10.0.0.5", "units[0].url: expected a unit's URL"),
        ("key: keys/gateway.key", "kee: x", "unknown key; did you mean 'key'?"),
        ('unit=1"}', 'unit=1", fast_status_hz: 6}', "units[0].fast_status_hz: expected readings a second, above 0"),
        ('unit=1"}', 'unit=1", fast_status_hz: 0}', "at most 5, got 0"),
        ('unit=1"}', 'unit=1", fast_status_hz: 0.1, full_s: 3}', "full_s (3) is shorter than the 10 s"),
        ('unit=1"}', 'unit=1", fast_s: 1}', "units[0].fast_s: unknown key; did you mean 'fast_status_hz'?"),
        ('unit=1"}', 'unit=1", deadbands: {input: 2}}', "no reading is named 'input'"),
        ('unit=1"}', 'unit=1"}\n  - {name: rack-1, url: "nut://h/u"}', "rack-1: each unit needs a name of its own"),
        (
            'unit=1"}',
            'unit=1"}\n  - {name: b, url: "modbus+tcp://10.0.0.5:502?unit=1"}',
            "two units have this URL",
        ),
        ('unit=1"}', 'unit=1"}\n  - {name: b, url: "modbus+tcp://10.0.0.5"}', "rack-1 and b: both lead to"),
    ],
    ids=lambda value: value[:30],
)
def test_a_wrong_setting_is_told_with_its_place(right: str, wrong: str, what: str) -> None:
    assert what in told(RIGHT.replace(right, wrong))


MAIL = "{host: mail.example.net, sender: ups@example.net, to: [owner@example.net]}"
NTFY = "{url: https://ntfy.example.net/ups}"


def test_an_emergency_route_is_named_by_its_way_alone_and_the_rest_has_defaults() -> None:
    settings = read(f"{RIGHT}emergency: {{mail: {MAIL}, ntfy: {NTFY}}}\n")
    assert settings.emergency is not None
    assert settings.emergency.routes == (settings.emergency.mail, settings.emergency.ntfy)
    assert (settings.emergency.after_s, settings.emergency.least) == (120, "critical")
    assert (settings.emergency.on_battery_s, settings.emergency.an_hour) == (60, 6)
    assert from_json(to_json(settings)) == settings


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        pytest.param("{after_s: 60}", "name mail, ntfy or both", id="no way at all"),
        pytest.param("{ntfi: {}}", "did you mean 'ntfy'", id="a way that there is not"),
        pytest.param(
            "{after_s: 1, ntfy: {url: https://n/a}}", "emergency.after_s: expected", id="no time for the cloud"
        ),
        pytest.param("{least: bad, ntfy: {url: https://n/a}}", "critical, got 'bad'", id="no such severity"),
        pytest.param(f"{{mail: {MAIL[:-1]}, user: u}}}}", "user and password belong together", id="half a login"),
        pytest.param(
            f"{{mail: {MAIL[:-1]}, security: none, user: u, password: p}}}}", "unencrypted", id="a password in clear"
        ),
        pytest.param(
            f"{{mail: {MAIL[:-1]}, security: ssl}}}}", "mail.security: expected one of", id="no such security"
        ),
        pytest.param(f"{{mail: {MAIL[:-1]}, port: 70000}}}}", "mail.port: expected", id="no such port"),
        pytest.param('{mail: {host: "a b", sender: a@b, to: [a@b]}}', "mail.host: expected a host", id="no host"),
        pytest.param("{mail: {host: a, sender: a@b, to: []}}", "mail.to: expected", id="nobody to tell"),
        pytest.param("{mail: {host: a, sender: a, to: [a@b]}}", "mail.sender: expected a mail", id="no sender"),
        pytest.param('{mail: {host: a, sender: a@b, to: ["a@b\\nBcc: c@d"]}}', "mail.to[0]: expected", id="a header"),
        pytest.param("{ntfy: {url: https://n}}", "ntfy.url: expected a topic", id="a server without a topic"),
        pytest.param("{ntfy: {url: ftp://n/a}}", "ntfy.url: expected a topic", id="another scheme"),
        pytest.param('{ntfy: {url: "https://n:99999/a"}}', "url: Port out of range", id="no such port of ntfy"),
        pytest.param("{ntfy: {url: http://n/a, token: t}}", "token would go unencrypted", id="a token in clear"),
    ],
)
def test_a_wrong_emergency_route_is_told_with_its_place(wrong: str, what: str) -> None:
    said = told(f"{RIGHT}emergency: {wrong}\n")
    assert what in said
    assert said.startswith("gateway.yaml:7:")


def test_every_reading_may_have_a_deadband() -> None:
    deadbands = {reading.name: 1.5 for reading in READINGS}
    assert UnitSettings(name="a", url="x://y", deadbands=deadbands).deadbands == deadbands


@given(st.text())
def test_any_text_as_a_unit_is_a_unit_or_told_what_would_be_right(text: str) -> None:
    try:
        unit = unit_from_text(text)
    except ValueError as error:
        assert "NAME=URL" in str(error)
    else:
        assert f"{unit.name}={unit.url}" == text


def test_the_example_is_right() -> None:
    example = Path(__file__).parents[2] / "config" / "examples" / "gateway.yaml"
    assert load(example, GatewaySettings).units
