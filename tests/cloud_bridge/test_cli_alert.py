"""`ridethrough cloud alert`, `why`, as a person or a script runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cloud_bridge.alerts.model import Alert, Change, Phase, What, alert_id, unit_of
from cloud_bridge.alerts.standing import Decision, Verdict
from cloud_bridge.errors import NotThere
from cloud_bridge.folder import Folder
from cloud_bridge.runtime.init import init
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import alerting, reasons
from cloud_bridge.store.registry.registry import Registry
from config.runtime.files import load
from drivers.ups import CATALOGUE, Severity
from tests.cloud_bridge.asking import HOSTILE, Asking

NOW = 1_795_487_455_123
AT = "2026-11-24T02:30:55.123Z"
RACK = unit_of("pi-1", "rack-1")
FIRING = Alert(
    id=alert_id(RACK, "outage", "m"),
    subject=RACK,
    condition="outage",
    mark="m",
    number=2,
    phase=Phase.FIRING,
    stage="low_battery",
    severity=Severity.CRITICAL,
    worst=Severity.CRITICAL,
    onset_at=NOW,
    changed_at=NOW,
    fired_at=NOW,
    details={"charge_pct": 12.5},
)
OVER = replace(FIRING, id="f" * 32, phase=Phase.RESOLVED, resolved_at=NOW, stage="mains_restored")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    folder = init(tmp_path / "cloud", "127.0.0.1:0", [])
    return Registry(load(Folder(folder.root).settings, CloudSettings).registry_at)


@pytest.fixture
def ask(tmp_path: Path, registry: Registry) -> Asking:
    asking = Asking(tmp_path / "cloud")
    asking("owner", "add", ".", "Ada", "--mail", "ada@example.net")
    asking("device", "add", ".", "pi-1/rack-1", "--owner", "Ada")
    asking("device", "assign", ".", "pi-1/rack-1", "--name", "big one")
    sent = Decision(
        alert=FIRING.id,
        number=2,
        policy=1,
        channel=1,
        verdict=Verdict.SENT,
        code="at_once",
        reason="policy default of Ada: sent at once",
    )
    with registry.writing() as connection:
        alerting.keep_alerts(connection, [FIRING, OVER])
        fired = Change(alert=FIRING, what=What.FIRED, at=NOW, reason="on battery for 10 s")
        gone = replace(sent, policy=99, channel=98, verdict=Verdict.WITHHELD, code="silenced", reason=HOSTILE)
        reasons.add_steps(connection, [fired, sent, gone], NOW)
    return asking


def test_open_alerts_are_listed_and_all_when_asked(ask: Asking) -> None:
    (line,) = ask.lines("alert", "list")
    assert line["id"] == FIRING.id
    assert line["subject"] == {"kind": "unit", "name": "pi-1/rack-1", "label": "big one"}
    assert (line["severity"], line["phase"], line["stage"]) == ("critical", "firing", "low_battery")
    assert (line["onset_at"], line["resolved_at"], line["details"]) == (AT, None, {"charge_pct": 12.5})
    assert len(ask.lines("alert", "list", ".", "--all")) == 2
    assert len(ask.lines("alert", "list", ".", "--all", "--limit", "1")) == 1
    assert len(ask.lines("alert", "list", ".", "--device", "big one")) == 1
    with pytest.raises(NotThere):
        ask("alert", "list", ".", "--device", "pi-9/x")
    cells = ask("alert", "list").stdout.splitlines()[1].split()
    assert cells == [FIRING.id[:8], "critical", AT, "outage", "big", "one", "low_battery", "firing"]


def test_where_there_are_no_alerts_it_says_so(ask: Asking, registry: Registry) -> None:
    with registry.writing() as connection:
        alerting.keep_alerts(connection, [replace(FIRING, phase=Phase.RESOLVED, resolved_at=NOW)])
    said = ask("alert", "list")
    assert (said.stdout, said.stderr) == ("", "no alert is open: `--all` lists those that are over too\n")
    assert ask.lines("alert", "list") == []
    ask("device", "add", ".", "pi-1/rack-2", "--owner", "Ada")
    assert ask("alert", "list", ".", "--all", "--device", "pi-1/rack-2").stderr == "there are no alerts\n"


def test_an_alert_says_what_it_means_and_what_to_do(ask: Asking) -> None:
    shown = ask("alert", "show", ".", FIRING.id[:8]).stdout
    assert CATALOGUE["low_battery"].meaning in shown
    assert CATALOGUE["low_battery"].do_this in shown
    assert "battery charge  12.5 %" in shown
    assert "12.5" in shown
    assert ask.lines("alert", "show", ".", FIRING.id[:8])[0]["id"] == FIRING.id


def test_why_tells_every_reason_in_order_with_time_policy_and_channel(ask: Asking) -> None:
    said = ask("why", ".", FIRING.id[:8]).stdout.splitlines()
    assert said[0] == "outage of big one, firing"
    assert said[1] == f"{AT}  fired             on battery for 10 s"
    assert said[2] == (f"{AT}  at_once           policy default of Ada: sent at once  (policy default, channel mail)")
    assert said[3].startswith(f"{AT}  silenced          ")
    assert said[3].endswith("(policy #99, channel #98)")
    lines = ask.lines("why", ".", FIRING.id)
    assert [line["code"] for line in lines] == ["fired", "at_once", "silenced"]
    assert (lines[1]["policy"], lines[1]["channel"], lines[1]["at"]) == ("default", "mail", AT)


def test_s6_a_hostile_reason_steers_no_terminal(ask: Asking) -> None:
    said = ask("why", ".", FIRING.id).stdout
    assert len(said.splitlines()) == 4
    assert not {"\x1b", "\r", "\u202e"} & set(said)
    assert "\\x1b[31m[red]c[/red][link=http://x]" in said


def test_what_people_say_to_an_alert_waits_for_the_alerts_role(ask: Asking, registry: Registry) -> None:
    short = FIRING.id[:8]
    assert ask("alert", "ack", ".", short, "--by", "ada").stdout == f"{short} is acknowledged by ada\n"
    assert ask("alert", "assign", ".", short, "Eve", "--by", "ada").stdout == f"{short} is assigned to Eve\n"
    assert ask("alert", "note", ".", short, "the fuse", "--by", "ada").stdout == f"{short} has the note\n"
    with registry.reading() as connection:
        asked = [(each.alert, each.verb.value, each.text, each.by_name) for each in alerting.all_asked(connection)]
    assert asked == [
        (FIRING.id, "acknowledge", "", "ada"),
        (FIRING.id, "assign", "Eve", "ada"),
        (FIRING.id, "note", "the fuse", "ada"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["ack", ".", OVER.id], "is over: only a note", id="an acknowledgement of what is over"),
        pytest.param(["note", ".", FIRING.id, ""], "expected a note", id="an empty note"),
        pytest.param(["note", ".", FIRING.id, "a\x1b[2Jb"], "printable characters", id="a note that clears the screen"),
        pytest.param(["assign", ".", FIRING.id, "E\nve"], "printable characters", id="somebody with a line end"),
    ],
)
def test_what_cannot_be_said_is_a_mistake_of_usage(ask: Asking, words: list[str], said: str) -> None:
    assert said in ask("alert", *words, status=2).stderr


@pytest.mark.parametrize("text", ["", "abc", "zzzz", "0000"])
def test_an_id_that_is_none_is_told(ask: Asking, text: str) -> None:
    for words in (["why", ".", text], ["alert", "show", ".", text], ["alert", "ack", ".", text]):
        with pytest.raises(NotThere, match="first digits"):
            ask(*words)
