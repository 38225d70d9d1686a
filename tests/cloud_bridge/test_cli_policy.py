"""`ridethrough cloud channel`, `policy`, `rule`, `silence`, `route`, as a person or a script runs them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from cloud_bridge.errors import InUse, NotThere
from cloud_bridge.runtime.init import init
from config.errors import SettingsError
from tests.cloud_bridge.alerting import mails
from tests.cloud_bridge.asking import Asking

HOOK = "https://hooks.example.net/T0/very-secret secret=0123456789abcdef0123"


@pytest.fixture
def ask(tmp_path: Path) -> Asking:
    return Asking(init(tmp_path / "cloud", "127.0.0.1:0", []).root)


@pytest.fixture
def ada(ask: Asking) -> Asking:
    ask("owner", "add", ".", "Ada", "--mail", "ada@example.net", "--time-zone", "Europe/Berlin")
    ask("device", "add", ".", "pi-1/rack-1", "--owner", "Ada")
    ask("channel", "add", ".", "phone", "--owner", "Ada", "--kind", "apprise", "--target", "ntfys://ntfy.sh/topic")
    return ask


def test_s24_a_target_comes_from_standard_input_and_is_never_shown(ask: Asking) -> None:
    said = ask("channel", "add", ".", "hook", "--kind", "webhook", "--target", "-", given=f"{HOOK}\n").output
    said += ask("channel", "list").output + ask("channel", "show", ".", "hook", "--json").output
    said += ask("channel", "set", ".", "hook", "--per-minute", "5", "--disable").output
    assert "https://hooks.example.net/…" in said
    assert "secret" not in said
    for file in (ask.folder / "data").iterdir():
        assert b"very-secret" not in file.read_bytes()
    (channel,) = ask.lines("channel", "list", ".", "--owner", "operator")
    assert (channel["name"], channel["per_minute"], channel["enabled"]) == ("hook", 5, False)


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [
        pytest.param("webhook", "http://127.0.0.1:8080/x", "loopback", id="a webhook to this machine"),
        pytest.param("webhook", "ftp://example.net/x", "https://", id="a webhook that is none"),
        pytest.param("apprise", "file:///etc/passwd", "target", id="a file"),
        pytest.param("apprise", "json://example.net/x", "no service", id="a service that could be anything"),
        pytest.param("mail", "ada", "ada@example.net", id="a mail address that is none"),
    ],
)
def test_s24_a_target_where_no_notice_may_go_is_refused_when_it_is_saved(
    ask: Asking, kind: str, target: str, said: str
) -> None:
    refused = ask("channel", "add", ".", "x", "--kind", kind, "--target", target, status=2).stderr
    assert "target: " in refused
    assert said in refused
    assert ask.lines("channel", "list") == []


def test_a_channel_that_a_policy_leads_to_is_not_removed(ada: Asking) -> None:
    with pytest.raises(InUse, match="policy Ada/default"):
        ada("channel", "remove", ".", "mail")
    assert ada("channel", "remove", ".", "phone").stdout == "channel phone is removed\n"


def test_a_test_notice_arrives_at_a_real_mail_server(ada: Asking) -> None:
    with mails() as server:
        settings = yaml.safe_load((ada.folder / "cloud.yaml").read_text())
        settings["smtp"] = {
            "host": "127.0.0.1",
            "port": server.box.port,
            "security": "none",
            "sender": "Ridethrough <ups@example.net>",
        }
        (ada.folder / "cloud.yaml").write_text(yaml.safe_dump(settings))
        said = ada("channel", "test", ".", "mail").stdout
        (tried,) = ada.lines("channel", "test", ".", "Ada/mail")
        assert said.startswith("sent by Ada/mail in ")
        assert (tried["sent"], tried["why"]) == (True, "")
        assert server.box.envelopes == [("ups@example.net", ["ada@example.net"])] * 2
        assert "test" in server.subjects[0].lower()


def test_a_test_notice_that_fails_says_why_and_ends_with_1(ada: Asking) -> None:
    said = ada("channel", "test", ".", "mail", status=1)
    assert said.stdout == ""
    assert "not sent by Ada/mail: smtp: cloud.yaml names no mail server" in said.stderr


def test_a_new_key_encrypts_every_target_anew(ada: Asking) -> None:
    before = (ada.folder / "authority" / "channels.key").read_text()
    assert "2 targets are encrypted" in ada("channel", "new-key").stdout
    after = (ada.folder / "authority" / "channels.key").read_text()
    assert after.endswith(before)
    (ada.folder / "authority" / "channels.key").write_text(after.splitlines()[0] + "\n")
    assert ada.lines("channel", "show", ".", "mail")[0]["target"] == "ada@example.net"


def test_after_a_lost_key_what_has_to_be_set_again_is_told(ada: Asking, caplog: pytest.LogCaptureFixture) -> None:
    (ada.folder / "authority" / "channels.key").unlink()
    lost = ada("channel", "new-key", status=1)
    assert "set these again, nobody can read them: Ada/mail, Ada/phone" in lost.stderr
    assert ada.lines("channel", "show", ".", "phone")[0]["target"] == "(can't be decrypted: set it again)"
    ada("channel", "set", ".", "phone", "--target", "ntfys://ntfy.sh/new")
    assert ada.lines("channel", "show", ".", "phone")[0]["target"] == "ntfys:///…"
    assert "a key that is not in" in caplog.text


def test_a_policy_says_who_when_and_of_what(ada: Asking) -> None:
    words = "--least critical --device pi-1/rack-1 --condition outage --condition replace_battery --group 0"
    quiet = "--quiet 22:00-06:30 --quiet-days sat,sun --quiet-breaks-through none --no-resolves"
    escalation = "--escalate-after 15min --escalate-to mail"
    options = [*words.split(), *quiet.split(), *escalation.split()]
    ada("policy", "add", ".", "night", "--owner", "Ada", "--channel", "phone", *options)
    (policy,) = ada.lines("policy", "show", ".", "night")
    assert policy["quiet"] == {"since": "22:00", "until": "06:30", "days": [5, 6], "breaks_through": None}
    assert policy["escalation"] == {"after_s": 900, "channel": "mail"}
    assert (policy["conditions"], policy["devices"]) == (["outage", "replace_battery"], ["pi-1/rack-1"])
    assert (policy["least"], policy["group_s"], policy["resolves"]) == ("critical", 0, False)
    assert "22:00-06:30 on sat, sun; nothing goes at once" in ada("policy", "show", ".", "night").stdout
    plain = "--every-device --every-condition --no-quiet --no-escalation --resolves --disable"
    ada("policy", "set", ".", "night", *plain.split())
    (after,) = ada.lines("policy", "show", ".", "Ada/night")
    assert (after["quiet"], after["escalation"], after["devices"], after["conditions"]) == (None, None, [], [])
    assert (after["least"], after["resolves"], after["enabled"]) == ("critical", True, False)
    assert "every device" in ada("policy", "list").stdout
    shown = ada("policy", "show", ".", "night").stdout
    for field, meant in (("devices", "every device"), ("conditions", "all"), ("quiet", "-")):
        assert re.search(rf"^{field} +{meant}$", shown, re.MULTILINE), field
    assert ada("policy", "remove", ".", "night").stdout == "policy night is removed\n"


def test_lengths_of_time_are_shown_as_options_take_them(ada: Asking) -> None:
    ada("policy", "set", ".", "default", "--escalate-after", "90s", "--escalate-to", "mail", "--group", "5min")
    shown = ada("policy", "show", ".", "default").stdout
    assert re.search(r"^group +5min$", shown, re.MULTILINE)
    assert re.search(r"^escalation +after 90s, channel mail$", shown, re.MULTILINE)
    ada("rule", "add", ".", "hot", "--owner", "Ada", "--reading", "load_pct", "--above", "80", "--for", "5min")
    assert re.search(r"^for +5min$", ada("rule", "show", ".", "hot").stdout, re.MULTILINE)


def test_a_list_of_nothing_says_so_and_has_no_heading(ada: Asking) -> None:
    said = ada("rule", "list")
    assert (said.stdout, said.stderr) == ("", "there are none\n")
    assert ada.lines("rule", "list") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--quiet", "22:00"], "two times as 22:00-06:30", id="quiet from and never until"),
        pytest.param(["--quiet", "25:00-06:30"], "--quiet: expected a time of day", id="quiet from no hour"),
        pytest.param(["--quiet-days", "mon"], "belong to --quiet", id="days without hours"),
        pytest.param(["--quiet", "22:00-06:00", "--quiet-days", "funday"], "mon,tue,wed", id="on no day"),
        pytest.param(["--escalate-to", "mail"], "belong together", id="escalation at no time"),
        pytest.param(["--escalate-after", "5s", "--escalate-to", "mail"], "--escalate-after: expected", id="at once"),
        pytest.param(["--group", "soon"], "90s, 15min, 2h, 7d", id="grouping for no time"),
        pytest.param(["--condition", "outge"], "did you mean 'outage'", id="a condition misspelled"),
        pytest.param(["--device", "pi-9/x"], "--device: no device", id="no device"),
    ],
)
def test_a_policy_that_is_wrong_is_refused_when_it_is_saved(ada: Asking, words: list[str], said: str) -> None:
    refused = ada("policy", "set", ".", "default", *words, status=2).stderr
    assert said in refused
    assert ada.lines("policy", "show", ".", "default")[0]["quiet"] is None


def test_a_rule_is_added_changed_and_removed(ada: Asking) -> None:
    words = "--reading load_pct --above 80 --for 5min --clear 75 --severity critical"
    ada("rule", "add", ".", "hot", "--owner", "Ada", *words.split())
    listed = ada("rule", "list").stdout.splitlines()[1].split()
    assert listed == ["Ada", "hot", "load_pct", "above", "80", "75", "5min", "critical", "every", "device", "yes"]
    ada("rule", "set", ".", "hot", "--below", "10", "--device", "pi-1/rack-1", "--disable")
    (rule,) = ada.lines("rule", "show", ".", "hot")
    assert (rule["above"], rule["below"], rule["clear"], rule["for_s"]) == (None, 10, None, 300)
    assert (rule["devices"], rule["enabled"]) == (["pi-1/rack-1"], False)
    assert "--clear: expected at least 10" in ada("rule", "set", ".", "hot", "--clear", "9", status=2).stderr
    assert ada("rule", "remove", ".", "hot").stdout == "rule hot is removed\n"


def test_a_silence_lasts_and_is_ended(ada: Asking) -> None:
    words = ["--for", "2h", "--device", "pi-1/rack-1", "--condition", "outage", "--why", "new battery", "--by", "me"]
    said = ada("silence", "add", ".", *words, "--maintenance", "--critical").stdout
    assert said.startswith("silence 1 of pi-1/rack-1 lasts until ")
    assert "`cloud silence end 1` ends it before" in said
    (silence,) = ada.lines("silence", "list")
    assert (silence["kind"], silence["critical"], silence["in_force"]) == ("maintenance", True, True)
    assert (silence["devices"], silence["conditions"]) == (["pi-1/rack-1"], ["outage"])
    assert (silence["by"], silence["why"]) == ("me", "new battery")
    assert ada("silence", "end", ".", "1").stdout == "silence 1 is over\n"
    assert ada.lines("silence", "list") == []
    assert ada.lines("silence", "list", ".", "--all")[0]["in_force"] is False
    assert "in force" in ada("silence", "show", ".", "1").stdout
    with pytest.raises(NotThere):
        ada("silence", "end", ".", "1")


def test_a_silence_to_come_begins_when_it_says_in_utc_unless_it_names_a_zone(ask: Asking) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    ask("silence", "add", ".", "--from", f"{tomorrow}T10:00", "--until", f"{tomorrow}T12:30+02:00")
    (silence,) = ask.lines("silence", "list")
    assert silence["starts_at"] == f"{tomorrow}T10:00:00Z"
    assert silence["ends_at"] == f"{tomorrow}T10:30:00Z"
    assert silence["in_force"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param([], "--until: expected one of --until and --for: no silence is for ever", id="without an end"),
        pytest.param(["--for", "2h", "--until", "2099-01-01T00:00:00Z"], "one of", id="with two ends"),
        pytest.param(["--until", "2020-01-01"], "still to come", id="that is over"),
        pytest.param(["--until", "later"], "2026-11-24T08:00:00Z", id="until no time"),
        pytest.param(
            ["--for", "367d"],
            "--for: expected a whole number from 60 to 31622400, got 31708800",
            id="for longer than a year",
        ),
    ],
)
def test_a_silence_that_is_wrong_is_refused(ask: Asking, words: list[str], said: str) -> None:
    assert said in ask("silence", "add", ".", *words, status=2).stderr
    assert ask.lines("silence", "list") == []


def test_routes_are_taken_shown_tried_and_removed(ada: Asking, tmp_path: Path) -> None:
    ada("channel", "add", ".", "hook", "--kind", "webhook", "--target", HOOK)
    tree = tmp_path / "routes.yaml"
    tree.write_text(
        "# by night\nname: root\nchannel: hook\nroutes:\n  - {name: ada, match: {owner: Ada}, least: critical}\n"
    )
    ada("route", "set", ".", str(tree))
    assert ada("route", "show").stdout == tree.read_text()
    told = {each["channel"]: each["told"] for each in ada.lines("route", "test", ".", "pi-1/rack-1", "low_battery")}
    assert told == {"Ada/mail": True, "operator/hook": True}
    told = {each["channel"]: each["told"] for each in ada.lines("route", "test", ".", "pi-1/rack-1", "outage")}
    assert told == {"Ada/mail": True, "operator/hook": False}
    assert "(below_least)" in ada("route", "test", ".", "pi-1/rack-1", "outage").stdout
    with pytest.raises(SettingsError, match="<stdin>:2:8"):
        ada("route", "set", ".", "-", given="name: root\nleast: loud\n")
    assert "no channel 'pager'" in ada("route", "set", ".", "-", given="name: r\nchannel: pager\n", status=2).stderr
    ada("route", "remove")
    assert "there are no routes" in ada("route", "show").stderr
