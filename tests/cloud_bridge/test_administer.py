"""What an administrator does, as the command line and the API do it: on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import insert

from cloud_bridge.alerts.model import Alert, Change, Kind, Phase, Subject, What, alert_id, unit_of
from cloud_bridge.alerts.standing import Mute
from cloud_bridge.errors import AdministrationError, Ambiguous, InUse, NotThere, Taken, Wrong
from cloud_bridge.folder import Folder
from cloud_bridge.runtime.administer import alerts, people, reach, trying, watch, wishes
from cloud_bridge.runtime.administer.office import Office
from cloud_bridge.runtime.alerts.wake import SOCKET_NAME
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.init import init
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry import alerting, heard, reasons
from cloud_bridge.store.registry.alert_tables import unsubscribed
from cloud_bridge.store.registry.registry import Registry
from config.errors import SettingsError
from config.runtime.files import load
from drivers.ups import Severity

NOW = 1_795_487_455_123
ADA = {"name": "Ada", "email": "ada@example.net", "time_zone": "Europe/Berlin"}


@pytest.fixture
def settings(tmp_path: Path) -> CloudSettings:
    return load(Folder(init(tmp_path / "cloud", "127.0.0.1:0", []).root).settings, CloudSettings)


@pytest.fixture
def office(settings: CloudSettings, registry: Registry) -> Iterator[Office]:
    with Office(settings, registry) as office:
        yield office


@pytest.fixture
def ada(office: Office) -> Office:
    """With an owner, a site and a device there."""
    people.add_owner(office, ADA)
    people.add_site(office, {"owner": "Ada", "name": "Cellar"})
    people.add_device(office, "pi-1/rack-1", {"owner": "Ada", "site": "Cellar"})
    return office


def outage(unit: str = "rack-1", mark: str = "m", phase: Phase = Phase.FIRING) -> Alert:
    subject = unit_of("pi-1", unit)
    return Alert(
        id=alert_id(subject, "outage", mark),
        subject=subject,
        condition="outage",
        mark=mark,
        number=2,
        phase=phase,
        stage="on_battery",
        severity=Severity.WARNING,
        worst=Severity.WARNING,
        onset_at=NOW,
        changed_at=NOW,
        fired_at=NOW,
    )


def keep(office: Office, *found: Alert) -> None:
    with office.registry.writing() as connection:
        alerting.keep_alerts(connection, found)
        changes = [Change(alert=each, what=What.FIRED, at=NOW, reason="on battery for 10 s") for each in found]
        reasons.add_steps(connection, changes, NOW)


def test_s22_a_new_owner_is_told_by_mail_of_what_is_a_warning_or_worse(office: Office) -> None:
    assert people.add_owner(office, ADA).time_zone == "Europe/Berlin"
    (channel,) = wishes.list_channels(office, "ada")
    (policy,) = wishes.list_policies(office, "ada")
    assert (channel.name, channel.kind, channel.target, channel.enabled) == ("mail", "mail", "ada@example.net", True)
    assert (policy.name, policy.channel, policy.least) == ("default", "mail", Severity.WARNING)
    assert (policy.devices, policy.sites, policy.tags, policy.conditions) == ((), (), (), ())


def test_an_owner_that_is_wrong_leaves_nothing_behind(office: Office) -> None:
    with pytest.raises(Wrong):
        people.add_owner(office, ADA | {"time_zone": "Mars"})
    assert people.list_owners(office) == []
    assert wishes.list_channels(office) == []


def test_mail_follows_an_owner_to_a_new_address(ada: Office) -> None:
    people.set_owner(ada, "ada", {"email": "new@example.net"})
    assert wishes.show_channel(ada, "mail").target == "new@example.net"


def test_a_removed_owner_leaves_devices_that_are_nobodys(ada: Office) -> None:
    assert people.remove_owner(ada, "Ada").devices == 1
    (device,) = people.list_devices(ada, "operator")
    assert (device.owner, device.site) == ("", "")
    assert [wishes.list_channels(ada), wishes.list_policies(ada), people.list_sites(ada)] == [[], [], []]


def test_of_several_devices_all_are_assigned_or_none(ada: Office) -> None:
    people.add_device(ada, "pi-1/rack-2", {})
    with pytest.raises(Wrong):
        people.assign_devices(ada, ["pi-1/*"], {"owner": "Ada", "site": "Attic"})
    assert [each.owner for each in people.list_devices(ada)] == ["Ada", ""]
    found = people.assign_devices(ada, ["pi-1/*"], {"owner": "Ada", "site": "Cellar", "tags": ["lab"]})
    assert [(each.unit, each.site, each.tags) for each in found] == [
        ("rack-1", "Cellar", ("lab",)),
        ("rack-2", "Cellar", ("lab",)),
    ]
    assert people.show_site(ada, "Cellar").devices == ("pi-1/rack-1", "pi-1/rack-2")


def test_tags_are_added_and_taken_away_one_by_one(ada: Office) -> None:
    assert people.tag_device(ada, "pi-1/rack-1", ["lab", "old"], []).tags == ("lab", "old")
    assert people.tag_device(ada, "pi-1/rack-1", ["new"], ["old", "never"]).tags == ("lab", "new")


def test_what_something_leads_to_is_not_removed(ada: Office) -> None:
    wishes.add_policy(ada, {"owner": "Ada", "name": "cellar", "channel": "mail", "sites": ["Cellar"]})
    watch.add_rule(ada, {"name": "hot", "reading": "load_pct", "above": 80, "devices": ["pi-1/rack-1"]})
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: wishes.remove_channel(ada, "mail"), "policy Ada/default, policy Ada/cellar"),
        (lambda: people.remove_site(ada, "Cellar"), "policy Ada/cellar"),
        (lambda: people.remove_device(ada, "pi-1/rack-1"), "rule operator/hot"),
    ]
    for call, users in calls:
        with pytest.raises(InUse, match=users):
            call()
    wishes.remove_policy(ada, "cellar")
    watch.remove_rule(ada, "hot")
    people.remove_site(ada, "Cellar")
    people.remove_device(ada, "pi-1/rack-1")
    assert people.list_devices(ada) == []


def test_saving_a_policy_subscribes_its_readers_again(ada: Office) -> None:
    policy = wishes.show_policy(ada, "default")
    with ada.registry.writing() as connection:
        connection.execute(insert(unsubscribed).values(policy=policy.id, address="ada@example.net", at=NOW))
    assert wishes.show_policy(ada, "default").unsubscribed == ("ada@example.net",)
    shown, back = wishes.set_policy(ada, "default", {})
    assert (back, shown.unsubscribed) == (["ada@example.net"], ())
    assert shown.saved_at > policy.saved_at


def test_s24_a_channel_to_this_machine_is_refused_when_it_is_saved(office: Office) -> None:
    hook = {"name": "hook", "kind": "webhook"}
    for target in ("http://127.0.0.1/x", "http://[::1]/x", "http://169.254.169.254/latest", "https://localhost/x"):
        with pytest.raises(Wrong, match="allow_private_targets"):
            wishes.add_channel(office, hook | {"target": target})
    with pytest.raises(Wrong, match="target"):
        wishes.add_channel(office, hook | {"kind": "apprise", "target": "json://example.net/x"})
    assert wishes.list_channels(office) == []
    good = {"name": "hook", "kind": "webhook", "target": "https://hooks.example.net/T0/very-secret"}
    assert wishes.add_channel(office, good).target == "https://hooks.example.net/…"


def test_routes_are_refused_with_line_and_column_and_the_last_ones_stay(office: Office) -> None:
    hook = {"name": "hook", "kind": "webhook", "target": "https://hooks.example.net/x"}
    wishes.add_channel(office, hook)
    good = "name: root\nchannel: hook\n"
    wishes.set_routes(office, good)
    with pytest.raises(SettingsError, match=r"tree\.yaml:2:8"):
        wishes.set_routes(office, "name: root\nleast: loud\n", "tree.yaml")
    with pytest.raises(Wrong, match=r"no channel 'pager'; there are: hook"):
        wishes.set_routes(office, "name: root\nchannel: pager\n", "tree.yaml")
    assert wishes.show_routes(office) == good
    with pytest.raises(InUse, match="the operator's routes"):
        wishes.remove_channel(office, "hook")
    with pytest.raises(InUse, match="the operator's routes"):
        wishes.set_channel(office, "hook", {"name": "other"})
    wishes.remove_routes(office)
    assert wishes.show_routes(office) == ""
    assert wishes.remove_channel(office, "hook").name == "hook"


def test_a_silence_that_ended_is_listed_only_with_all(office: Office) -> None:
    made = watch.add_silence(office, {"for_s": 3600, "by": "me"})
    assert made.in_force
    assert not watch.end_silence(office, made.id).in_force
    assert watch.list_silences(office) == []
    assert [each.id for each in watch.list_silences(office, ended=True)] == [made.id]
    for number in (made.id, 10**6):
        with pytest.raises(NotThere):
            watch.end_silence(office, number)


def test_a_muted_device_is_turned_on_again_and_that_is_a_reason(ada: Office) -> None:
    device = people.show_device(ada, "pi-1/rack-1")
    now = now_ms()
    with ada.registry.writing() as connection:
        heard.keep_mutes(connection, [Mute(device=device.id, id="m", since=now, until=now + 3_600_000, left_out=3)])
        heard.add_counted(connection, [("a", 1, device.id, NOW)])
    keep(ada, outage())
    (mute,) = people.list_mutes(ada)
    assert (mute.device, mute.owner, mute.left_out) == ("pi-1/rack-1", "Ada", 3)
    assert people.show_device(ada, "pi-1/rack-1").muted_until is not None
    assert people.unmute_device(ada, "pi-1/rack-1", "me").muted_until is None
    assert people.list_mutes(ada) == []
    with ada.registry.reading() as connection:
        assert heard.counted_since(connection, 0) == {}
    assert "turned on again by me" in alerts.why(ada, outage().id)[1][-1].reason
    with pytest.raises(NotThere, match="are on"):
        people.unmute_device(ada, "pi-1/rack-1", "me")


def test_a_mute_that_ran_out_is_none(ada: Office) -> None:
    device = people.show_device(ada, "pi-1/rack-1")
    with ada.registry.writing() as connection:
        heard.keep_mutes(connection, [Mute(device=device.id, id="m", since=NOW - 1000, until=now_ms() - 1)])
    assert people.list_mutes(ada) == []
    assert people.show_device(ada, "pi-1/rack-1").muted_until is None


def test_an_alert_goes_by_the_beginning_of_its_id_where_that_is_enough(office: Office) -> None:
    one, other = outage(), replace(outage(mark="n"), id=outage().id[:6] + "0" * 26)
    keep(office, one, other)
    assert alerts.find(office, one.id[:12].upper()) == one
    with pytest.raises(Ambiguous, match="outage of pi-1/rack-1"):
        alerts.find(office, one.id[:6])
    for text in ("", one.id[:3], "%%%%", one.id + "0", "not hex!"):
        with pytest.raises(NotThere):
            alerts.find(office, text)


def test_alerts_are_listed_by_phase_and_device(ada: Office) -> None:
    people.add_device(ada, "pi-1/rack-2", {})
    keep(ada, outage(), outage("rack-2", phase=Phase.PENDING), outage("rack-2", "old", Phase.RESOLVED))
    assert {each.subject.name for each in alerts.list_alerts(ada)} == {"pi-1/rack-1", "pi-1/rack-2"}
    assert [each.phase for each in alerts.list_alerts(ada, device="pi-1/rack-2")] == [Phase.PENDING]
    assert len(alerts.list_alerts(ada, device="pi-1/rack-2", phases=tuple(Phase))) == 2
    with pytest.raises(NotThere):
        alerts.list_alerts(ada, device="pi-9/rack-1")


def test_what_is_asked_of_an_alert_waits_for_the_alerts_role(office: Office) -> None:
    alert = outage()
    keep(office, alert)
    version = office.registry.version()
    alerts.acknowledge(office, alert.id[:8], "me")
    alerts.assign(office, alert.id[:8], "Eve", "me")
    alerts.note(office, alert.id[:8], "the fuse, again", "me")
    assert office.registry.version() == version + 3
    with office.registry.reading() as connection:
        asked = [(each.alert, each.verb, each.text, each.by_name) for each in alerting.all_asked(connection)]
    assert asked == [
        (alert.id, alerting.Verb.ACKNOWLEDGE, "", "me"),
        (alert.id, alerting.Verb.ASSIGN, "Eve", "me"),
        (alert.id, alerting.Verb.NOTE, "the fuse, again", "me"),
    ]


def test_an_alert_that_is_over_takes_a_note_and_nothing_else(office: Office) -> None:
    alert = outage(phase=Phase.RESOLVED)
    keep(office, alert)
    with pytest.raises(Wrong, match="is over"):
        alerts.acknowledge(office, alert.id, "me")
    with pytest.raises(Wrong, match="is over"):
        alerts.assign(office, alert.id, "Eve", "me")
    alerts.note(office, alert.id, "it was the fuse", "me")
    for text in ("", "   ", "a\nb", "n" * 1001):
        with pytest.raises(Wrong):
            alerts.note(office, alert.id, text, "me")


def test_every_change_is_noticed_and_rings_the_alerts_role(office: Office) -> None:
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    bell.bind(str(office.settings.data / SOCKET_NAME))
    version = office.registry.version()
    people.add_owner(office, ADA)
    assert office.registry.version() == version + 1
    assert bell.recv(64)
    people.list_owners(office)
    assert office.registry.version() == version + 1
    with pytest.raises(BlockingIOError):
        bell.recv(64)
    bell.close()


def test_of_two_that_take_a_name_at_the_same_moment_one_is_refused(settings: CloudSettings, place: str | Path) -> None:
    """No database refuses the second: the operator's rows have no owner to compare."""

    def add(number: int) -> bool:
        hook = {"name": "hook", "kind": "webhook", "target": f"https://hooks.example.net/{number}"}
        with Registry(place) as registry, Office(settings, registry) as office:
            try:
                wishes.add_channel(office, hook)
            except Taken:
                return False
            return True

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(add, range(4))) == [False, False, False, True]
    with Registry(place) as registry, Office(settings, registry) as office:
        assert len(wishes.list_channels(office)) == 1


def test_who_would_hear_is_decided_by_the_rules_that_will_decide(ada: Office) -> None:
    hook = {"name": "hook", "kind": "webhook", "target": "https://hooks.example.net/x"}
    wishes.add_channel(ada, hook)
    wishes.set_routes(ada, "name: root\nchannel: hook\nleast: critical\n")
    found = reach.who_hears(ada, "pi-1/rack-1", "outage")
    assert {(each.policy, each.channel, each.told) for each in found} == {
        ("Ada/default", "Ada/mail", True),
        ("", "operator/hook", False),
    }
    worse = reach.who_hears(ada, "pi-1/rack-1", "low_battery")
    assert all(each.told for each in worse)
    assert {each.channel for each in worse} == {"Ada/mail", "operator/hook"}
    watch.add_silence(ada, {"for_s": 600})
    silenced = reach.who_hears(ada, "pi-1/rack-1", "outage")
    assert not any(each.told for each in silenced)
    with pytest.raises(Wrong):
        reach.who_hears(ada, "pi-1/rack-1", "outge")


def test_a_channel_that_is_tried_out_says_why_nothing_was_sent(ada: Office) -> None:
    tried = asyncio.run(trying.try_channel(ada, "mail"))
    assert (tried.sent, tried.channel) == (False, "Ada/mail")
    assert "names no mail server" in tried.why
    with pytest.raises(NotThere):
        asyncio.run(trying.try_channel(ada, "pager"))


def test_what_alerts_are_about_is_named_as_people_know_it(ada: Office) -> None:
    from cloud_bridge.alert_views import label

    names = alerts.directory_of(ada)
    people.assign_devices(ada, ["pi-1/rack-1"], {"name": "the big one"})
    site = people.show_site(ada, "Cellar").id
    assert label(unit_of("pi-1", "rack-1"), names) == "pi-1/rack-1"
    assert label(unit_of("pi-1", "rack-1"), alerts.directory_of(ada)) == "the big one"
    assert label(Subject(Kind.SITE, str(site)), names) == "site Cellar"
    assert label(Subject(Kind.SITE, "999"), names) == "site:999"
    assert label(Subject(Kind.GATEWAY, "pi-1"), names) == "gateway pi-1"
    assert label(Subject(Kind.CLOUD), names) == "the cloud"


def test_s25_what_people_do_about_one_alert_has_an_end(office: Office) -> None:
    alert, other = outage(), outage(mark="n")
    with office.registry.writing() as connection:
        alerting.keep_alerts(connection, [alert, other])
        said = reasons.Reason(id=0, alert="", number=0, at=NOW, code="noted", reason="again", by_name="me")
        reasons.add_reason(connection, [(alert.id, 0)] * (alerts.SAID_AT_MOST - 1), said)
    alerts.note(office, alert.id, "the last one", "me")
    with pytest.raises(AdministrationError, match="the most that is kept"):
        alerts.note(office, alert.id, "one more", "me")
    alerts.note(office, other.id, "the first one", "me")


def test_s25_what_waits_for_the_alerts_role_has_an_end(office: Office) -> None:
    alert, other = outage(), outage(mark="n")
    with office.registry.writing() as connection:
        alerting.keep_alerts(connection, [alert, other])
        for _ in range(alerts.WAITING_AT_MOST):
            alerting.ask(connection, alert.id, alerting.Verb.ACKNOWLEDGE, "", "me", NOW)
    with pytest.raises(AdministrationError, match="does not seem to run"):
        alerts.acknowledge(office, other.id, "me")
