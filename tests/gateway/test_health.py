"""What the gateway says of itself, and of the machine it runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.health import SILENT_S, changes, sentence, warnings
from gateway.runtime.health import HealthReports
from gateway.runtime.host import HostReader
from gateway.wire.health import (
    CERTIFICATE_DAYS,
    CLOCK_PATIENCE_S,
    DISK_LOW_BYTES,
    HOT_C,
    Health,
    Host,
    OutboxHealth,
    UnitHealth,
)
from gateway.wire.messages import Clock, Lane, Stamp

GOOD = Health(
    conn="c",
    stamp=Stamp(at=1_800_000_000_000, boot="b", mono=1, clock=Clock.SYNCHRONISED.value),
    version="1",
    running_s=1000.0,
    host=Host(cpu_temp_c=45.0, throttled=0, under_voltage=False, disk_free_bytes=2**33),
    certificate_days_left=60.0,
)


def host(**what: Any) -> Health:
    return msgspec.structs.replace(GOOD, host=msgspec.structs.replace(GOOD.host, **what))


UNSET = msgspec.structs.replace(GOOD, stamp=msgspec.structs.replace(GOOD.stamp, clock=Clock.UNSYNCHRONISED.value))


def test_a_gateway_that_is_well_says_so() -> None:
    assert warnings(GOOD) == {}


def test_what_is_not_reported_is_no_warning() -> None:
    assert warnings(msgspec.structs.replace(GOOD, host=Host(), certificate_days_left=None)) == {}


@pytest.mark.parametrize(
    ("health", "name", "words"),
    [
        (host(under_voltage=True), "under_voltage", "under-voltage"),
        (host(cpu_temp_c=HOT_C), "hot", "80 °C"),
        (host(disk_free_bytes=DISK_LOW_BYTES - 1), "disk", "127 MiB free, less than 128"),
        (msgspec.structs.replace(UNSET, running_s=CLOCK_PATIENCE_S + 1), "clock", "no NTP"),
        (msgspec.structs.replace(GOOD, certificate_days_left=3.4), "certificate", "ends in 3 days"),
        (msgspec.structs.replace(GOOD, certificate_days_left=-2.0), "certificate", "ended 2 days ago"),
    ],
)
def test_each_trouble_is_one_sentence(health: Health, name: str, words: str) -> None:
    found = warnings(health)
    assert list(found) == [name]
    assert words in found[name]


@pytest.mark.parametrize(
    "health",
    [
        host(cpu_temp_c=HOT_C - 0.1),
        host(disk_free_bytes=DISK_LOW_BYTES),
        msgspec.structs.replace(UNSET, running_s=CLOCK_PATIENCE_S),
        msgspec.structs.replace(GOOD, certificate_days_left=CERTIFICATE_DAYS),
    ],
)
def test_at_the_threshold_there_is_no_warning_yet(health: Health) -> None:
    assert warnings(health) == {}


_told = st.dictionaries(st.sampled_from("abcd"), st.text(max_size=3))


@given(_told, _told)
def test_a_line_is_logged_for_what_is_new_and_for_what_is_over_and_never_for_what_goes_on(
    before: dict[str, str], now: dict[str, str]
) -> None:
    lines = list(changes(before, now))
    assert [text for is_new, text in lines if is_new] == [now[name] for name in now if name not in before]
    assert [text for is_new, text in lines if not is_new] == [
        f"over: {before[name]}" for name in before if name not in now
    ]


def test_under_voltage_is_logged_once_while_it_lasts_and_once_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    said: list[Health] = []
    reports = HealthReports(HostReader(Path("/")), lambda _: GOOD, said.append)
    with caplog.at_level("INFO", logger="gateway.health"):
        for health in (GOOD, *[host(under_voltage=True)] * 3, GOOD, GOOD):
            reports.report(health)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "under-voltage" in caplog.records[0].message
    assert len(said) == 6


def test_one_line_says_how_it_is() -> None:
    unit = UnitHealth(fast_s=1.0, asked_s=1.0, answered_ago_s=0.3)
    silent = msgspec.structs.replace(unit, answered_ago_s=SILENT_S + 1.1)
    units = {"a": unit, "b": silent, "c": msgspec.structs.replace(unit, answered_ago_s=None)}
    health = msgspec.structs.replace(GOOD, units=units, outbox=OutboxHealth(waiting={Lane.EVENTS: 2, Lane.STATUS: 5}))
    assert sentence(health, connected=False) == "units: 3 (2 silent); cloud: no connection; records waiting for it: 7"
    assert sentence(GOOD, connected=True) == "units: 0; cloud: connected; records waiting for it: 0"


# the machine


def machine(root: Path, files: dict[str, str]) -> HostReader:
    """A machine whose kernel shows these files."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return HostReader(root, root)


RASPBERRY_PI = {
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "52582\n",
    "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
    "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    "proc/loadavg": "0.42 0.36 0.30 1/123 4567\n",
    "proc/self/statm": "10000 8000 3000 1 0 5000 0\n",
}


def test_a_raspberry_pi_is_read_as_its_kernel_shows_it(tmp_path: Path) -> None:
    found = machine(tmp_path, RASPBERRY_PI).read()
    assert (found.cpu_temp_c, found.under_voltage, found.throttled) == (52.582, True, 0x50005)
    assert (found.load_1min, found.resident_bytes) == (0.42, 8000 * 4096)
    assert found.disk_free_bytes is not None
    assert found.uptime_s is not None


def test_without_the_kernels_alarm_the_firmwares_flag_says_under_voltage(tmp_path: Path) -> None:
    files = {name: text for name, text in RASPBERRY_PI.items() if "hwmon1" not in name}
    assert machine(tmp_path / "now", files).read().under_voltage is True
    once = {**files, "sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n"}
    assert machine(tmp_path / "once", once).read().under_voltage is False


def test_what_a_machine_does_not_show_is_none(tmp_path: Path) -> None:
    found = machine(tmp_path, {}).read()
    assert (found.cpu_temp_c, found.under_voltage, found.throttled, found.load_1min) == (None, None, None, None)


@pytest.mark.parametrize("spoilt", sorted(RASPBERRY_PI))
def test_a_file_that_says_what_nobody_expects_is_none_and_spoils_nothing_else(tmp_path: Path, spoilt: str) -> None:
    good = machine(tmp_path / "good", RASPBERRY_PI).read()
    found = machine(tmp_path / "bad", {**RASPBERRY_PI, spoilt: "\x00 ?"}).read()
    differing = [name for name in Host.__struct_fields__ if getattr(found, name) != getattr(good, name)]
    assert set(differing) <= {
        "cpu_temp_c",
        "under_voltage",
        "throttled",
        "load_1min",
        "resident_bytes",
        "disk_free_bytes",
    }
    assert len([name for name in differing if name != "disk_free_bytes"]) <= 1


def test_this_machine_is_read_too() -> None:
    found = HostReader(Path("/")).read()
    assert found.resident_bytes is not None
    assert found.resident_bytes > 2**20
    assert found.load_1min is not None
