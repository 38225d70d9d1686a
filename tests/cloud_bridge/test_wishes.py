"""Channels, policies, rules, silences and routes in the registry, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import insert, select, update

from cloud_bridge.alerts.model import Alert, Phase, unit_of
from cloud_bridge.alerts.notice import About, Notification, State
from cloud_bridge.alerts.standing import Told
from cloud_bridge.alerts.terms import (
    Channel,
    Escalation,
    Owner,
    Policy,
    Quiet,
    Route,
    Rule,
    Scope,
    Silence,
)
from cloud_bridge.runtime.vault import Vault, new_key
from cloud_bridge.store.registry import alerting, directory, heard, values, wishes
from cloud_bridge.store.registry.alert_tables import channels as channel_table
from cloud_bridge.store.registry.alert_tables import policies as policy_table
from cloud_bridge.store.registry.alert_tables import routes, unsubscribed
from cloud_bridge.store.registry.registry import Registry
from drivers.ups import Severity

NOW = 1_795_487_455_123
DAY = 86_400_000
SECRET = "https://hooks.example.net/T0/very-secret"
TOLD = Told(worst=Severity.WARNING, number=2, at=NOW)
FIRING = Alert(
    id="e" * 32,
    subject=unit_of("pi-1", "rack-1"),
    condition="outage",
    mark="m",
    number=2,
    phase=Phase.FIRING,
    stage="on_battery",
    severity=Severity.WARNING,
    worst=Severity.WARNING,
    onset_at=NOW,
    changed_at=NOW,
)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    new_key(tmp_path / "channels.key")
    return Vault(tmp_path / "channels.key")


def hook(registry: Registry, vault: Vault, name: str = "hook", owner: int | None = None) -> Channel:
    channel = Channel(id=0, owner=owner, name=name, kind="webhook", target=SECRET, per_minute=7, enabled=False)
    with registry.writing() as connection:
        return wishes.add_channel(connection, channel, vault.seal(SECRET))


def waiting(channel: Channel, number: str) -> Notification:
    return Notification(
        id=number * 32,
        channel=channel.id,
        policy=None,
        device=None,
        about=About.ALERT,
        severity=Severity.WARNING,
        alerts=(),
        group="",
        created_at=NOW,
        due_at=NOW,
    )


def test_a_channel_is_read_as_it_was_saved(registry: Registry, vault: Vault) -> None:
    made = hook(registry, vault)
    after = replace(made, target="ada@example.net", kind="mail", enabled=True)
    with registry.writing() as connection:
        assert wishes.channels(connection, vault.open) == [made]
        wishes.save_channel(connection, after, vault.seal(after.target))
    with registry.reading() as connection:
        assert wishes.channels(connection, vault.open) == [after]


def test_s24_no_byte_of_a_target_is_in_the_registry(registry: Registry, vault: Vault) -> None:
    hook(registry, vault)
    with registry.reading() as connection:
        row = connection.execute(select(channel_table)).one()
    assert not any("very-secret" in str(value) or b"very-secret" in bytes(str(value), "utf-8") for value in row)
    path = Path(registry.place)
    if path.is_file():
        for file in path.parent.glob(f"{path.name}*"):
            assert b"very-secret" not in file.read_bytes()


def test_a_target_that_cannot_be_decrypted_stops_no_other_channel(
    registry: Registry, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    lost, fine = hook(registry, vault, "lost"), hook(registry, vault, "fine")
    with registry.writing() as connection:
        connection.execute(update(channel_table).where(channel_table.c.id == lost.id).values(target=b"rubbish"))
    with registry.reading() as connection:
        loaded = directory.load(connection, vault.open)
    assert loaded.channels == {lost.id: replace(lost, target=""), fine.id: fine}
    assert f"channel {lost.id}: " in caplog.text


def test_what_waits_for_a_channel_that_is_removed_never_leaves(registry: Registry, vault: Vault) -> None:
    gone, stays = hook(registry, vault, "gone"), hook(registry, vault, "stays")
    with registry.writing() as connection:
        alerting.add_notifications(connection, [waiting(gone, "a"), waiting(stays, "b")])
        alerting.keep_alerts(connection, [FIRING])
        heard.keep_told(connection, {(FIRING.id, each.id): TOLD for each in (gone, stays)})
        wishes.remove_channel(connection, gone)
        assert list(heard.told_of_open(connection)) == [(FIRING.id, stays.id)]
        assert [each.channel for each in alerting.waiting(connection)] == [stays.id]
        assert alerting.find_notifications(connection, ["a" * 32])[0].state is State.WITHDRAWN
        assert [each.id for each in wishes.channels(connection, vault.open)] == [stays.id]


def test_a_policy_is_read_as_it_was_added(registry: Registry, vault: Vault) -> None:
    channel = hook(registry, vault)
    policy = Policy(
        id=0,
        owner=None,
        name="night",
        channel=channel.id,
        least=Severity.CRITICAL,
        scope=Scope(devices=(3, 4), sites=(5,), tags=("lab",)),
        conditions=("outage",),
        quiet=Quiet(since="22:00", until="06:30", days=(0, 6), breaks_through=None),
        escalation=Escalation(after_s=900, channel=channel.id),
        resolves=False,
        group_s=0,
        enabled=False,
        saved_at=NOW,
    )
    with registry.writing() as connection:
        made = wishes.add_policy(connection, policy)
        assert wishes.policies(connection) == [replace(policy, id=made.id)]


def test_saving_a_policy_subscribes_again_whoever_had_left_it_and_nobody_else(registry: Registry, vault: Vault) -> None:
    channel = hook(registry, vault)
    with registry.writing() as connection:
        one, other = (
            wishes.add_policy(connection, Policy(id=0, owner=None, name=name, channel=channel.id)) for name in "ab"
        )
        rows = [(one.id, "b@x.net"), (one.id, "a@x.net"), (other.id, "a@x.net")]
        for policy, address in rows:
            connection.execute(insert(unsubscribed).values(policy=policy, address=address, at=NOW))
        assert wishes.unsubscribers(connection) == {one.id: ["a@x.net", "b@x.net"], other.id: ["a@x.net"]}
        assert wishes.save_policy(connection, replace(one, saved_at=NOW)) == ["a@x.net", "b@x.net"]
        assert wishes.unsubscribers(connection) == {other.id: ["a@x.net"]}
        assert wishes.save_policy(connection, one) == []


def test_rules_and_silences_are_read_as_they_were_added(registry: Registry) -> None:
    rule = Rule(id=0, owner=None, name="hot", reading="load_pct", above=False, limit=20.5, clear=None, for_s=0)
    silence = Silence(
        id=0, owner=None, starts_at=NOW, ends_at=NOW + DAY, kind="maintenance", by="me", why="new battery"
    )
    with registry.writing() as connection:
        made = values.added(connection, rule), wishes.add_silence(connection, silence, NOW)
        assert wishes.rules(connection) == [made[0]] == [replace(rule, id=made[0].id)]
        assert wishes.all_silences(connection) == [made[1]] == [replace(silence, id=made[1].id)]


@pytest.mark.parametrize(
    ("starts_at", "expected"),
    [
        pytest.param(NOW - DAY, NOW - DAY, id="one in force ends now"),
        pytest.param(NOW + DAY, NOW, id="one to come never begins"),
    ],
)
def test_a_silence_that_is_ended(registry: Registry, starts_at: int, expected: int) -> None:
    silence = Silence(id=0, owner=None, starts_at=starts_at, ends_at=NOW + 2 * DAY)
    with registry.writing() as connection:
        made = wishes.add_silence(connection, silence, NOW)
        wishes.end_silence(connection, made, NOW)
        assert wishes.all_silences(connection) == [replace(made, starts_at=expected, ends_at=NOW)]


def test_silences_that_ended_long_ago_are_forgotten(registry: Registry) -> None:
    def ended(ago: int) -> Silence:
        return Silence(id=0, owner=None, starts_at=NOW - ago - DAY, ends_at=NOW - ago)

    with registry.writing() as connection:
        wishes.add_silence(connection, ended(91 * DAY), NOW)
        wishes.add_silence(connection, ended(89 * DAY), NOW)
        wishes.add_silence(connection, ended(0), NOW)
        assert [each.ends_at for each in wishes.all_silences(connection)] == [NOW - 89 * DAY, NOW]


def test_the_newest_routes_count_and_the_last_few_are_kept(registry: Registry, vault: Vault) -> None:
    with registry.writing() as connection:
        assert wishes.newest_routes(connection) == ""
        assert directory.load(connection, vault.open).routes is None
        for number in range(wishes.ROUTES_KEPT + 5):
            wishes.save_routes(connection, f"name: tree {number}\n", NOW + number)
        last = wishes.ROUTES_KEPT + 4
        assert wishes.newest_routes(connection) == f"name: tree {last}\n"
        assert len(connection.execute(select(routes)).all()) == wishes.ROUTES_KEPT
        assert directory.load(connection, vault.open).routes == Route(name=f"tree {last}")


def test_routes_that_cannot_be_read_stop_nothing_else(
    registry: Registry, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    channel = hook(registry, vault)
    with registry.writing() as connection:
        wishes.save_routes(connection, "name: [", NOW)
        loaded = directory.load(connection, vault.open)
    assert loaded.routes is None
    assert list(loaded.channels) == [channel.id]
    assert "routes are left out" in caplog.text


def test_one_bad_policy_never_stops_another(registry: Registry, vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    channel = hook(registry, vault)
    with registry.writing() as connection:
        bad, good = (
            wishes.add_policy(connection, Policy(id=0, owner=None, name=name, channel=channel.id)) for name in "ab"
        )
        wrong = '{"least": "loud"}'
        connection.execute(update(policy_table).where(policy_table.c.id == bad.id).values(body=wrong))
        assert directory.load(connection, vault.open).policies == {good.id: good}
    assert f"policies {bad.id} can't be read" in caplog.text


def test_with_an_owner_goes_all_that_was_theirs(registry: Registry, vault: Vault) -> None:
    with registry.writing() as connection:
        ada = values.added(connection, Owner(id=0, name="Ada", email="ada@example.net", created_at=NOW))
    theirs, mine = hook(registry, vault, owner=ada.id), hook(registry, vault)
    with registry.writing() as connection:
        wishes.add_policy(connection, Policy(id=0, owner=ada.id, name="p", channel=theirs.id))
        values.added(connection, Rule(id=0, owner=ada.id, name="r", reading="load_pct", above=True, limit=1))
        wishes.add_silence(connection, Silence(id=0, owner=ada.id, starts_at=NOW, ends_at=NOW + DAY), NOW)
        values.removed(connection, ada)
        loaded = directory.load(connection, vault.open)
    assert list(loaded.channels) == [mine.id]
    assert (loaded.policies, loaded.rules, loaded.silences) == ({}, {}, {})
