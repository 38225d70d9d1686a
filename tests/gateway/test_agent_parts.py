"""That the gateway's parts are wired together: each from its outer end, with a real process."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.cloud_bridge.talker import eventually
from tests.conftest import Start
from tests.gateway.site import NAME, QUICK, Site, control, ridethrough
from tests.process import Process


@pytest.fixture
def site(tmp_path: Path, start: Start) -> Site:
    return Site(tmp_path, start)


def run(site: Site, unit: Process, *lines: str) -> Process:
    """A gateway with one unit, `rack-1`, once the cloud and the unit answer; `lines` are added to its settings."""
    url = f"modbus+tcp://{unit.address('modbus-tcp')}?{QUICK}"
    added = [*lines, "units:", f'  - {{name: rack-1, url: "{url}"}}', ""]
    site.config.write_text("\n".join([site.config.read_text(), *added]))
    gateway = site.start("gateway", "run", "--config", site.config, ready=["gateway"])
    gateway.logged("connected to the cloud")
    gateway.logged("answers")
    return gateway


def ordered(site: Site, verb: str, *options: str, status: int = 0) -> dict[str, object]:
    asked = ("cloud", "command", NAME, "rack-1", verb, *options)
    lines = ridethrough(*asked, "--dir", site.cloud, "--by", "alice", "--json", status=status).stdout.splitlines()
    last: dict[str, object] = json.loads(lines[-1])
    return last


def test_an_order_goes_from_the_clouds_command_line_to_the_unit_and_its_outcome_comes_back(site: Site) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    run(site, unit)
    eventually(lambda: "gateway_started" in site.types(""), "stored")
    done = ordered(site, "beep")
    assert done["outcome"] == "done", done
    said = ridethrough("gateway", "audit", "--config", site.config, "--json").stdout.splitlines()
    log: list[dict[str, object]] = [json.loads(line) for line in said]
    assert [line["stage"] for line in log if line.get("verb") == "beep"] == ["accepted", "finished"]
    # Commands hear of every reading too: whose unit it is stands in the log.
    assert [line["serial"] for line in log if line["what"] == "unit"] == ["AS0000000001"]
    ridethrough("gateway", "audit", "--config", site.config, "--verify")


def test_s7_what_the_policy_does_not_allow_is_refused_until_it_does_without_a_restart(site: Site) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    policy = site.config.parent / "policy.yaml"
    policy.write_text("allow: [quiet]\n")
    gateway = run(site, unit, "policy: policy.yaml")
    refused = ordered(site, "self_test", status=1)
    assert (refused["stage"], refused["reason"]) == ("refused", "not_allowed"), refused
    policy.write_text("allow: [quiet, to_battery]\n")
    gateway.hang_up()
    gateway.logged("the settings were read again: new policy")
    allowed = ordered(site, "self_test", status=1)
    # Allowed now; the mains have not been good for five minutes (S8).
    assert allowed["reason"] != "not_allowed", allowed
    assert gateway.stderr.count("rack-1: Smart-UPS") == 1


def test_an_outage_that_goes_on_when_the_gateway_ends_is_kept_for_the_next_one(site: Site) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    gateway = run(site, unit)
    control(unit, "mains", "off")
    site.wait_for("rack-1", ["on_battery"], gateway)
    assert gateway.terminate() == 0
    with closing(sqlite3.connect(site.outbox)) as file:
        assert file.execute("SELECT unit, open FROM outage").fetchall() == [("rack-1", 1)]


def test_gateway_status_shows_units_link_and_outbox_while_it_runs_and_says_so_when_it_does_not(site: Site) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    gateway = run(site, unit)
    seen = json.loads(ridethrough("gateway", "status", "--config", site.config, "--json").stdout)
    assert (seen["gateway"], seen["cloud"]["connected"]) == (NAME, True)
    (shown,) = seen["units"]
    assert (shown["name"], shown["identity"]["serial"]) == ("rack-1", "AS0000000001")
    assert seen["host"]["resident_bytes"] > 0
    assert gateway.terminate() == 0
    done = ridethrough("gateway", "status", "--config", site.config, status=1)
    assert "no gateway runs there" in done.stderr


def test_the_status_page_is_served_when_it_is_asked_for_and_not_before(site: Site) -> None:
    unit = site.unit()
    url = f"modbus+tcp://{unit.address('modbus-tcp')}?{QUICK}"
    site.config.write_text(site.config.read_text() + '\nstatus_page: "127.0.0.1:0"\n')
    gateway = site.start("gateway", "run", "--config", site.config, f"--unit=rack-1={url}", ready=["gateway", "page"])
    gateway.logged("answers")
    with urllib.request.urlopen(f"http://{gateway.addresses['page']}/status.json", timeout=10) as answer:
        assert json.load(answer)["units"][0]["name"] == "rack-1"


def test_a_certificate_is_looked_at_and_its_days_are_said(site: Site) -> None:
    site.broker()
    site.ingest()
    unit = site.unit()
    run(site, unit)

    def days_left() -> float | None:
        seen = json.loads(ridethrough("gateway", "status", "--config", site.config, "--json").stdout)
        days: float | None = seen.get("certificate_days_left")
        return days

    eventually(lambda: (days_left() or 0) > 80, "the certificate looked at")
