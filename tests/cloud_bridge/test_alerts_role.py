"""The alerts role as a process, on real files and a real mail server."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_bridge.alerts.model import Phase
from cloud_bridge.alerts.notice import Notification, State
from cloud_bridge.links import asked_to_turn_on
from cloud_bridge.runtime.alerts.session import UNKNOWN_TYPES
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.link_key import load_link_key
from cloud_bridge.store.database import open_writer
from cloud_bridge.store.registry import heard, leaving, reasons
from cloud_bridge.store.registry.alerting import Verb
from cloud_bridge.store.registry.reasons import Reason
from cloud_bridge.store.telemetry import Telemetry
from drivers.ups import CATALOGUE
from tests.cloud_bridge.alerting import OWNER_ADDRESS, G, House, Mails, mails, text_of
from tests.cloud_bridge.conftest import new_database
from tests.cloud_bridge.talker import eventually
from tests.conftest import Start


@pytest.fixture
def post() -> Iterator[Mails]:
    with mails() as post:
        yield post


@pytest.fixture
def house(tmp_path: Path, post: Mails) -> Iterator[House]:
    made = House(tmp_path / "cloud", post.box.port)
    yield made
    made.close()


def test_an_outage_is_one_mail_at_its_beginning_and_one_at_its_end(house: House, post: Mails, start: Start) -> None:
    role = house.role(start)
    house.tells("on_battery", runtime_s=1200, charge_pct=98.0)
    assert post.wait(1) == ["[warning] pi-a/rack-1: on battery"]
    house.tells("mains_restored")
    assert post.wait(2)[1].startswith("[over] pi-a/rack-1")
    first, second = post.all
    assert OWNER_ADDRESS in str(first["To"])
    assert first["References"] == second["References"]
    eventually(lambda: {one.state for one in house.notifications()} == {State.SENT}, "not recorded as sent")
    assert [alert.phase for alert in house.alerts()] == [Phase.RESOLVED]
    assert role.terminate() == 0
    assert '"level": "error"' not in role.stderr


def test_an_outage_is_told_with_what_the_battery_has_left_and_its_end_without(
    house: House, post: Mails, start: Start
) -> None:
    house.role(start)
    house.reports(charge_pct=97.5, runtime_s=1530, load_pct=None)
    house.tells("on_battery", cause="low_input_voltage")
    house.tells("fan_fault")
    post.wait(2)
    house.tells("mains_restored")
    post.wait(3)
    told = {str(mail["Subject"]): text_of(mail) for mail in post.all}
    begun = told["[warning] pi-a/rack-1: on battery"]
    for shown in ("low input voltage", "97.5 %", "25 min 30 s"):
        assert shown in begun
    assert "Load" not in begun, "it reports none"
    for other in told.keys() - {"[warning] pi-a/rack-1: on battery"}:
        assert "97.5 %" not in told[other], other


def test_what_comes_before_the_role_runs_is_told_when_it_does(house: House, post: Mails, start: Start) -> None:
    house.tells("overload")
    house.role(start)
    assert post.wait(1) == ["[critical] pi-a/rack-1: overload"]


def test_a_lost_ring_costs_a_second(house: House, post: Mails, start: Start) -> None:
    house.role(start)
    house.tells("overload", poke=False)
    post.wait(1, within_s=10)


def test_killed_at_any_moment_no_critical_is_lost_and_a_repeat_bears_the_same_name(
    tmp_path: Path, post: Mails, start: Start
) -> None:
    chance, units = random.Random(7), [f"u-{number}" for number in range(60)]
    house = House(tmp_path / "cloud", post.box.port, units=units)
    for begin in range(0, 60, 10):
        role, letters, alerts = house.role(start), len(post.box.letters), len(house.alerts())
        for unit in units[begin : begin + 10]:
            house.tells("overload", unit=unit)
        wanted = chance.randrange(1, 10)
        if begin % 20:
            post.wait(letters + 1)
        else:
            eventually(lambda: len(house.alerts()) >= alerts + wanted, "no alerts")  # noqa: B023  (called here)
        role.kill()
    house.role(start)
    eventually(lambda: all_sent(house, 60), "not all of it was sent")
    said = " ".join(post.subjects + [text_of(mail) for mail in post.all])
    assert [unit for unit in units if f"pi-a/{unit}:" not in said] == []
    assert len(house.alerts()) == len(house.notifications()) == 60
    names = Counter(str(mail["Message-ID"]) for mail in post.all)
    assert len(names) + 6 >= len(post.all)
    house.close()


def test_a_registry_restored_from_before_tells_again_under_the_same_names_and_loses_nothing(
    house: House, post: Mails, start: Start
) -> None:
    before = role_once(house, start, house.root / "data" / "registry.sqlite3")
    role = house.role(start)
    house.tells("overload")
    house.tells("fan_fault")
    post.wait(2)
    role.terminate()
    put_back(before, house.root / "data" / "registry.sqlite3")
    house.role(start)
    post.wait(3)
    eventually(lambda: all_sent(house, 2), "not all of it was sent")
    assert {str(mail["Message-ID"]) for mail in post.all[:2]} == {str(mail["Message-ID"]) for mail in post.all[2:]}


def test_a_telemetry_database_restored_from_before_tells_nothing_twice_and_what_is_new(
    house: House, post: Mails, start: Start
) -> None:
    role = house.role(start)
    house.tells("overload", "fan_fault")
    post.wait(2)
    role.terminate()
    before = copied(house.database)
    role = house.role(start)
    house.tells("overload_cleared", "charger_fault")
    post.wait(4)
    role.terminate()
    house.telemetry.close()
    put_back(before, house.database)
    house.telemetry = Telemetry(open_writer(house.database), now_ms)
    house.numbers[G] = 2
    role = house.role(start)
    role.logged("was restored")
    house.tells("overload_cleared", "charger_fault", "site_wiring_fault")
    post.wait(5)
    role.terminate()
    subjects = post.subjects
    assert len(subjects) == 5, subjects
    assert "site wiring fault" in subjects[-1]
    assert {alert.condition: alert.phase for alert in house.alerts()} == {
        "overload": Phase.RESOLVED,
        "fan_fault": Phase.FIRING,
        "charger_fault": Phase.FIRING,
        "site_wiring_fault": Phase.FIRING,
    }


def test_a_mail_server_that_fails_gets_it_later_once(house: House, post: Mails, start: Start) -> None:
    post.box.data[:] = ["451 later", "451 later"]
    role = house.role(start)
    house.tells("overload")
    role.logged("451 later")
    house.tells("fan_fault")
    post.wait(1, within_s=40)
    eventually(lambda: all_sent(house, 2), "not all of it was sent", within_s=40)
    attempts = {min(conditions(house, one)): one.attempts for one in house.notifications()}
    assert attempts["overload"] == 3
    codes = [line.code for line in why(house, "overload")]
    assert codes.count("not_sent") == codes.count("sent") == 1


def test_a_channel_that_is_given_up_is_an_alert_to_another_one(house: House, post: Mails, start: Start) -> None:
    other = house.add_channel("phone", "phone@example.net")
    post.box.rcpt[:] = ["550 no such user"]
    house.role(start)
    house.tells("overload")
    eventually(lambda: any("channel failing" in subject for subject in post.subjects), f"not told: {post.subjects}")
    states = {one.channel: one.state for one in house.notifications() if "overload" in conditions(house, one)}
    # Which of the two gets the one refusal is the faster one's luck.
    (failed,) = (channel for channel, state in states.items() if state is State.FAILED)
    (working,) = {house.channel.id, other.id} - {failed}
    assert states == {failed: State.FAILED, working: State.SENT}
    (overload,) = (alert.id for alert in house.alerts() if alert.condition == "overload")
    eventually(lambda: channels_told(house, overload) == {working}, "who never heard of it counts as told")
    house.tells("overload_cleared")
    eventually(lambda: "[over] pi-a/rack-1: overload cleared" in post.subjects, f"not told: {post.subjects}")
    ends = [one.channel for one in house.notifications() if overload in {alert for alert, _ in one.alerts}]
    assert sorted(ends) == sorted([failed, working, working])
    house.tells("fan_fault")
    eventually(lambda: len(house.alerts(phases=[Phase.RESOLVED])) == 2, "it did not end")


def channels_told(house: House, alert: str) -> set[int]:
    with house.registry() as registry, registry.reading() as connection:
        return {channel for told, channel in heard.told_of_open(connection) if told == alert}


def test_s22_what_was_over_in_time_while_nobody_looked_is_told_to_nobody(
    tmp_path: Path, post: Mails, start: Start
) -> None:
    """Holds are judged by when ingest received it; the queue is read a minute late."""
    house = House(tmp_path / "late", post.box.port, units=("rack-1", "rack-2"), on_battery_hold_s=10, end_hold_s=5)
    now = now_ms()
    house.tells("on_battery", received_at=now - 60_000)
    house.tells("mains_restored", received_at=now - 52_000)
    house.tells("on_battery", unit="rack-2", received_at=now - 50_000)
    house.tells("mains_restored", unit="rack-2", received_at=now - 30_000)
    house.role(start)
    assert post.wait(2) == ["[warning] pi-a/rack-2: on battery", "[over] pi-a/rack-2: mains restored"]
    assert {alert.phase for alert in house.alerts()} == {Phase.RESOLVED}
    (blip,) = (alert for alert in house.alerts() if alert.subject.name == "pi-a/rack-1")
    with house.registry() as registry, registry.reading() as connection:
        assert [step.code for step in reasons.why(connection, blip.id)] == ["opened", "dropped"]
    house.close()


def test_what_comes_and_goes_is_told_with_what_that_means(house: House, post: Mails, start: Start) -> None:
    house.role(start)
    for count, kind in enumerate(["on_battery", "mains_restored"] * 2 + ["on_battery"], start=1):
        house.tells(kind)
        post.wait(count)
    assert post.subjects[4] == "[warning, unstable] pi-a/rack-1: on battery"
    assert CATALOGUE["unit_unstable"].meaning in text_of(post.all[4])
    assert CATALOGUE["unit_unstable"].do_this in text_of(post.all[4])


def test_s17_a_condition_still_true_at_the_end_of_a_backlog_alerts_at_once_and_one_that_ended_gives_one_summary(
    house: House, post: Mails, start: Start
) -> None:
    house.role(start)
    house.says_hello(next_=5)
    house.tells("fan_fault", "fan_fault_cleared", "overload")
    eventually(lambda: len(house.alerts()) == 2, "the backlog was not read")
    assert post.subjects == []
    house.tells("gateway_started")
    subjects = post.wait(2)
    assert {subject.partition(":")[2] for subject in subjects} == {" fan fault", " overload"}
    assert sum("over by now" in subject for subject in subjects) == 1, subjects
    house.tells("charger_fault")
    post.wait(3)


def test_who_acknowledges_assigns_or_notes_is_heard_at_once_and_after_its_end_only_noted(
    house: House, post: Mails, start: Start
) -> None:
    house.role(start)
    house.tells("overload")
    post.wait(1)
    (alert,) = house.alerts()
    house.asks(alert.id, Verb.ACKNOWLEDGE)
    house.asks(alert.id, Verb.ASSIGN, "grace")
    eventually(lambda: house.alerts()[0].assigned_to == "grace", "not assigned")
    assert house.alerts()[0].acknowledged_by == "ada"
    house.tells("overload_cleared")
    post.wait(2)
    house.asks(alert.id, Verb.NOTE, "was the heater")
    eventually(lambda: any("was the heater" in line.reason for line in why(house, "overload")), "not noted")


def test_a_row_that_nothing_can_be_made_of_stops_no_other(house: House, post: Mails, start: Start) -> None:
    house.tells("overload", "fan_fault", "charger_fault", poke=False)
    with sqlite3.connect(house.database) as db:
        db.execute("UPDATE events SET details = '[' WHERE type = 'fan_fault'")
    db.close()
    role = house.role(start)
    post.wait(2)
    assert "row 2 of the alert queue is passed over" in role.stderr
    house.tells("battery_fault")
    post.wait(3)


def test_types_that_the_catalogue_does_not_have_are_alerts_up_to_a_limit_and_never_keep_others_from_it(
    house: House, post: Mails, start: Start
) -> None:
    house.role(start)
    house.tells(*(f"made_up_{number}" for number in range(UNKNOWN_TYPES + 50)), "overload")
    post.wait(1)
    found = [alert.condition for alert in house.alerts()]
    assert len(found) == len(set(found)) == UNKNOWN_TYPES + 1
    assert "overload" in found


def test_a_second_alerts_role_on_one_folder_is_refused(house: House, start: Start) -> None:
    house.role(start)
    second = start("cloud", "run", "--dir", house.root, "--only", "alerts")
    assert second.ended() == 1
    assert "another alerts role runs" in second.stderr


def test_the_role_waits_for_a_database_that_ingest_has_not_made_yet(house: House, post: Mails, start: Start) -> None:
    house.telemetry.close()
    for file in house.database.parent.glob("telemetry.db*"):
        file.unlink()
    role = house.role(start)
    house.telemetry = Telemetry(open_writer(house.database), now_ms)
    house.tells("overload")
    post.wait(1)
    assert '"level": "error"' not in role.stderr


@pytest.mark.peer
def test_a_registry_on_postgresql_does_as_well(tmp_path: Path, post: Mails, postgresql: str, start: Start) -> None:
    house = House(tmp_path / "cloud", post.box.port, registry=new_database(postgresql))
    house.role(start)
    house.tells("on_battery", "low_battery")
    post.wait(1)
    house.tells("mains_restored", "fan_fault")
    eventually(lambda: all_sent(house, 4), "not all of it was sent")
    house.close()


def all_sent(house: House, count: int) -> bool:
    found = house.notifications()
    return len(found) >= count and all(one.state is State.SENT for one in found)


def conditions(house: House, one: Notification) -> set[str]:
    alerts = {alert.id: alert.condition for alert in house.alerts()}
    return {alerts[alert] for alert, _ in one.alerts}


def why(house: House, condition: str) -> list[Reason]:
    (alert,) = [alert for alert in house.alerts() if alert.condition == condition]
    with house.registry() as registry, registry.reading() as connection:
        return reasons.why(connection, alert.id)


def role_once(house: House, start: Start, kept: Path) -> Path:
    """A copy of what the role leaves when nothing was told yet."""
    role = house.role(start)
    role.terminate()
    return copied(kept)


def copied(path: Path) -> Path:
    """As a backup makes it."""
    copy = path.with_suffix(".backup")
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    return copy


def put_back(backup: Path, path: Path) -> None:
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    backup.rename(path)


def test_what_is_too_often_is_muted_with_a_link_and_turned_on_again_it_is_told(
    house: House, post: Mails, start: Start
) -> None:
    house.change(public_url="https://ups.example.net")
    house.role(start)
    house.tells("fan_fault", "charger_fault", "site_wiring_fault", "avr_relay_fault", "ui_button_fault")
    house.tells("battery_fault", "battery_near_end_of_life", "battery_life_exceeded", "overload")
    eventually(lambda: all_sent(house, 8), "not all of it was sent")
    (muted,) = [mail for mail in post.all if mail["Subject"].startswith("Notifications of pi-a/rack-1 are off")]
    (link,) = [word for word in text_of(muted).split() if "/turn-on/" in word]
    assert "Critical ones still come." in text_of(muted)
    assert not [subject for subject in post.subjects if "battery life exceeded" in subject]
    assert [subject for subject in post.subjects if "overload" in subject], "a critical breaks through"
    mute = asked_to_turn_on(load_link_key(house.settings.link_key), link.rpartition("/")[2]).mute
    with house.registry() as registry, registry.writing(noticed=True) as connection:
        assert leaving.turn_on(connection, mute, now_ms(), "by a link")
    house.tells("replace_battery")
    eventually(lambda: any("replace battery" in subject for subject in post.subjects), "still off")


def test_s22_where_a_mute_is_of_criticals_too_its_notice_says_so_and_none_comes(
    tmp_path: Path, post: Mails, start: Start
) -> None:
    house = House(tmp_path / "strict", post.box.port, mute_critical=True, flood_more_than=1)
    role = house.role(start)
    house.tells("fan_fault", "charger_fault", "overload")
    eventually(lambda: all_sent(house, 2), "not all of it was sent")
    assert role.terminate() == 0
    (muted,) = [mail for mail in post.all if mail["Subject"].startswith("Notifications of pi-a/rack-1 are off")]
    assert "Critical ones are held back too." in text_of(muted)
    assert not [subject for subject in post.subjects if "overload" in subject]
    house.close()


def test_who_unsubscribed_gets_nothing_that_still_waits(house: House, post: Mails, start: Start) -> None:
    post.box.data[:] = ["451 later"]
    role = house.role(start)
    house.tells("fan_fault")
    role.logged("451 later")
    with house.registry() as registry, registry.writing(noticed=True) as connection:
        policy = leaving.find_policy(connection, house.policy.id)
        assert policy
        leaving.unsubscribe(connection, OWNER_ADDRESS, policy, house.channel.id, now_ms())
    eventually(lambda: [one.state for one in house.notifications()] == [State.WITHDRAWN], "not withdrawn")
    assert post.subjects == []
    assert "unsubscribed" in why(house, "fan_fault")[-1].reason


def test_a_registry_that_is_away_is_waited_for_and_told_once(house: House, post: Mails, start: Start) -> None:
    role = house.role(start)
    locker = sqlite3.connect(house.root / "data" / "registry.sqlite3", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    house.tells("overload")
    role.logged("alerts wait until it can be used", within_s=30)
    assert post.subjects == []
    locker.execute("ROLLBACK")
    locker.close()
    post.wait(1)
    role.logged("alerts are made again")
    assert role.stderr.count("alerts wait until it can be used") == 1
