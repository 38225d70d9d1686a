"""What people ask of owners, devices, channels, policies, rules and silences, as the registry will have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cloud_bridge.administration import people, rules, wishes
from cloud_bridge.administration.names import (
    address,
    find_channel,
    find_device,
    find_devices,
    find_policy,
    owner_id,
)
from cloud_bridge.administration.showing import channel_shown, masked, policy_shown, silence_shown
from cloud_bridge.administration.users import moved_channels, users_of_channel, users_of_device, users_of_site
from cloud_bridge.alerts.terms import Escalation, Policy, Quiet, Scope
from cloud_bridge.errors import Ambiguous, Mistake, NotThere, Wrong
from drivers.ups import Severity
from tests.cloud_bridge.registered import ADA, BOB, DIRECTORY, HOOK, HOUR, NOW, POLICY, RULE, Fields, anywhere


def nowhere(_kind: str, _target: str) -> Mistake:
    return Mistake("target", "not there")


def test_a_new_owners_policy_is_their_mail_warning_and_above_and_every_device() -> None:
    """S22."""
    eve = replace(DIRECTORY.owners[ADA], id=9)
    channel = replace(people.first_channel(eve), id=5)
    policy = people.first_policy(eve, channel, NOW)
    assert (channel.kind, channel.target, channel.owner) == ("mail", "ada@example.net", 9)
    assert (policy.owner, policy.channel, policy.least, policy.scope) == (9, 5, Severity.WARNING, Scope())
    assert (policy.conditions, policy.quiet, policy.enabled, policy.resolves) == ((), None, True, True)


def test_a_device_that_changes_its_owner_leaves_site_and_tags_behind() -> None:
    before = DIRECTORY.devices[1]
    after = people.device(DIRECTORY, before, {"owner": "Bob"})
    assert (after.owner, after.site, after.tags, after.name) == (BOB, None, (), "big")
    moved = people.device(DIRECTORY, before, {"owner": "Bob", "site": "Cellar", "tags": ["b", "a", "b"]})
    assert (moved.owner, moved.site, moved.tags) == (BOB, 2, ("a", "b"))
    freed = people.device(DIRECTORY, before, {"owner": "operator"})
    assert (freed.owner, freed.site) == (None, None)


def test_what_is_not_named_of_a_device_stays() -> None:
    before = replace(DIRECTORY.devices[1], battery_due_on=date(2027, 1, 31), test_every_days=14)
    assert people.device(DIRECTORY, before, {}) == before
    assert people.device(DIRECTORY, before, {"battery_due_on": None}).battery_due_on is None


def test_a_unit_has_one_owner_by_its_serial_number() -> None:
    with pytest.raises(Wrong, match=r"AS1 is Ada's already, as pi-1/rack-1"):
        people.device(DIRECTORY, DIRECTORY.devices[3], {"owner": "Bob"})
    assert people.device(DIRECTORY, DIRECTORY.devices[3], {"owner": "Ada"}).owner == ADA


@pytest.mark.parametrize("name", ["", "pi-1", "pi-1/", "/rack-1", "Pi-1/rack-1", "pi-1/a b", "bridge/rack-1", "a/b/c"])
def test_a_device_that_no_gateway_could_speak_of_is_not_added(name: str) -> None:
    with pytest.raises(Wrong, match="as in pi-1/rack-1"):
        people.new_device(DIRECTORY, name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("pi-1/rack-2", 2, id="by gateway and unit"),
        pytest.param("AS2", 2, id="by serial number"),
        pytest.param("pi-2/rack-1", 3, id="by gateway and unit, though its serial number is another's too"),
    ],
)
def test_a_device_is_found(name: str, expected: int) -> None:
    assert find_device(DIRECTORY, name).id == expected


def test_a_name_goes_for_a_device_only_where_no_other_has_it() -> None:
    alone = replace(DIRECTORY, devices={1: DIRECTORY.devices[1]})
    assert find_device(alone, "BIG").id == 1
    for name in ("big", "AS1"):
        with pytest.raises(Ambiguous, match="say which"):
            find_device(DIRECTORY, name)
    for name in ("", "rack-3", "pi-1/rack-9"):
        with pytest.raises(NotThere):
            find_device(DIRECTORY, name)


def test_a_unit_s_name_goes_for_a_device_only_where_one_gateway_has_it_and_no_other_is_called_so() -> None:
    with pytest.raises(Ambiguous, match="pi-1/rack-1, pi-2/rack-1"):
        find_device(DIRECTORY, "rack-1")
    first, second = DIRECTORY.devices[1], DIRECTORY.devices[2]
    assert find_device(replace(DIRECTORY, devices={1: first, 2: second}), "rack-2").id == 2
    assert find_device(replace(DIRECTORY, devices={1: replace(first, name="rack-2"), 2: second}), "rack-2").id == 1


def test_stars_stand_for_every_device_that_fits() -> None:
    assert [each.id for each in find_devices(DIRECTORY, ["pi-1/*", "pi-1/rack-1", "AS2"])] == [1, 2]
    assert [each.id for each in find_devices(DIRECTORY, ["*/rack-?"])] == [1, 2, 3, 4]
    with pytest.raises(NotThere):
        find_devices(DIRECTORY, ["pi-1/*", "pi-9/*"])


def test_what_an_owner_has_is_found_by_its_name_where_that_is_enough() -> None:
    assert find_channel(DIRECTORY, "phone").id == 4
    assert find_channel(DIRECTORY, "bob/mail").id == 2
    assert find_channel(DIRECTORY, "operator/hook").id == 3
    assert find_policy(DIRECTORY, "Ada/default").id == 1
    with pytest.raises(Ambiguous, match="Ada/mail, Bob/mail"):
        find_channel(DIRECTORY, "mail")
    for name in ("Eve/mail", "operator/mail", "pager"):
        with pytest.raises(NotThere):
            find_channel(DIRECTORY, name)
    assert (owner_id(DIRECTORY, ""), owner_id(DIRECTORY, "operator"), owner_id(DIRECTORY, "ADA")) == (None, None, ADA)
    assert address(DIRECTORY, DIRECTORY.channels[3]) == "operator/hook"


@pytest.mark.parametrize("fields", [{}, {"least": "informational"}, {"devices": [], "sites": [], "tags": []}])
def test_what_is_not_named_of_a_policy_stays(fields: Fields) -> None:
    before = DIRECTORY.policies[2]
    after = wishes.policy(DIRECTORY, fields, NOW + 1, before)
    expected = replace(before, saved_at=NOW + 1)
    if "least" in fields:
        expected = replace(expected, least=Severity.INFORMATIONAL)
    if "devices" in fields:
        expected = replace(expected, scope=Scope())
    assert after == expected


def test_a_policy_whose_devices_are_gone_does_not_become_one_for_every_device() -> None:
    gone = replace(DIRECTORY, devices={2: DIRECTORY.devices[2]}, sites={})
    before = DIRECTORY.policies[2]
    assert wishes.policy_form(gone, before).devices == ("#1",)
    assert wishes.policy_form(gone, before).sites == ("#1",)
    with pytest.raises(Wrong) as refused:
        wishes.policy(gone, {"least": "warning"}, NOW, before)
    assert refused.value.mistakes[0].place == "devices[0]"


def test_nothing_changes_its_owner() -> None:
    calls: list[Callable[[], object]] = [
        lambda: wishes.policy(DIRECTORY, {"owner": "Bob"}, NOW, DIRECTORY.policies[1]),
        lambda: wishes.channel(DIRECTORY, {"owner": ""}, anywhere, DIRECTORY.channels[1]),
        lambda: rules.rule(DIRECTORY, {"owner": "Bob"}, DIRECTORY.rules[1]),
        lambda: people.site(DIRECTORY, {"owner": "Bob"}, DIRECTORY.sites[1]),
    ]
    for call in calls:
        with pytest.raises(Wrong, match="for the other owner"):
            call()


def test_the_operator_names_any_device_and_any_site() -> None:
    fields = {"owner": "", "channel": "hook", "devices": ["AS2", "pi-2/*"], "sites": ["Bob/Cellar"]}
    assert wishes.policy(DIRECTORY, POLICY | fields, NOW).scope == Scope(devices=(2, 3, 4), sites=(2,))


@pytest.mark.parametrize("name", ["outage", "on_battery", "low_battery", "replace_battery", "outlet_group_off:2"])
def test_a_condition_a_stage_and_one_of_several_can_be_named(name: str) -> None:
    assert wishes.policy(DIRECTORY, POLICY | {"conditions": [name]}, NOW).conditions == (name,)


def test_a_target_that_the_channel_refuses_is_refused_when_it_is_saved() -> None:
    with pytest.raises(Wrong, match="target: not there"):
        wishes.channel(DIRECTORY, HOOK, nowhere)


def test_a_channel_is_changed_without_its_target_being_said_again() -> None:
    before = DIRECTORY.channels[3]
    assert wishes.channel(DIRECTORY, {"per_minute": 5}, anywhere, before) == replace(before, per_minute=5)


def test_a_rule_that_is_turned_round_loses_its_other_limit() -> None:
    before = DIRECTORY.rules[1]
    after = rules.rule(DIRECTORY, {"below": 10}, before)
    assert (after.above, after.limit, after.clear) == (False, 10, None)
    higher = rules.rule(DIRECTORY, {"above": 45}, before)
    assert (higher.above, higher.limit, higher.clear) == (True, 45, 38)
    assert rules.rule(DIRECTORY, {}, before) == before
    assert rules.rule(DIRECTORY, RULE | {"above": 0}).limit == 0
    assert not rules.rule(DIRECTORY, RULE | {"above": None, "below": 0}).above


def test_a_silence_begins_now_or_when_it_says() -> None:
    now = rules.silence(DIRECTORY, {"for_s": 3600, "conditions": ["outage"], "critical": True}, NOW)
    assert (now.starts_at, now.ends_at, now.conditions, now.critical) == (NOW, NOW + HOUR, ("outage",), True)
    at = datetime.fromtimestamp(NOW / 1000, UTC) + timedelta(hours=2)
    later = rules.silence(DIRECTORY, {"starts_at": at, "ends_at": at + timedelta(hours=1), "kind": "maintenance"}, NOW)
    assert (later.starts_at, later.ends_at, later.kind) == (NOW + 2 * HOUR, NOW + 3 * HOUR, "maintenance")
    assert not silence_shown(DIRECTORY, later, NOW).in_force
    assert silence_shown(DIRECTORY, now, NOW).in_force


@pytest.mark.parametrize(
    ("kind", "target", "expected"),
    [
        pytest.param("mail", "ada@example.net", "ada@example.net", id="a mail address is shown"),
        pytest.param("webhook", "https://h.example.net/T0/s secret=abc", "https://h.example.net/…", id="the host"),
        pytest.param("webhook", "https://u:p@h.example.net:444/", "https://h.example.net/…", id="no user, no port"),
        pytest.param("apprise", "tgram://123456:token/chat", "tgram:///…", id="of Apprise's the scheme alone"),
        pytest.param("apprise", "slack://a/b/c?x=y", "slack:///…", id="Apprise puts tokens where hosts are"),
        pytest.param("webhook", "https://[", "…", id="of what is no URL nothing"),
        pytest.param("webhook", "", "(can't be decrypted: set it again)", id="what is lost says so"),
    ],
)  # fmt: skip
def test_s24_a_target_is_shown_without_its_secrets(kind: str, target: str, expected: str) -> None:
    assert masked(kind, target) == expected


def test_s24_nothing_that_is_shown_of_a_channel_has_its_secret() -> None:
    shown = msgspec.json.encode([channel_shown(DIRECTORY, each) for each in DIRECTORY.channels.values()])
    assert b"secret" not in shown
    assert b"token" not in shown


def test_what_leads_to_something_is_told() -> None:
    assert users_of_channel(DIRECTORY, DIRECTORY.channels[1]) == ["policy Ada/default", "policy Ada/night"]
    assert users_of_channel(DIRECTORY, DIRECTORY.channels[4]) == ["policy Ada/night"]
    assert users_of_channel(DIRECTORY, DIRECTORY.channels[3]) == ["the operator's routes"]
    assert users_of_channel(DIRECTORY, DIRECTORY.channels[2]) == []
    assert users_of_site(DIRECTORY, DIRECTORY.sites[1], NOW) == ["policy Ada/night", "silence 1"]
    assert users_of_site(DIRECTORY, DIRECTORY.sites[1], NOW + 2 * HOUR) == ["policy Ada/night"]
    assert users_of_device(DIRECTORY, DIRECTORY.devices[1], NOW) == ["policy Ada/night"]
    assert users_of_device(DIRECTORY, DIRECTORY.devices[2], NOW) == []


def test_mail_channels_follow_their_owners_address() -> None:
    before = DIRECTORY.owners[ADA]
    assert moved_channels(DIRECTORY, before, replace(before, name="A")) == []
    moved = moved_channels(DIRECTORY, before, replace(before, email="new@example.net"))
    assert moved == [replace(DIRECTORY.channels[1], target="new@example.net")]


def _policies() -> st.SearchStrategy[Policy]:
    times = st.sampled_from(["00:00", "06:30", "22:00"])
    quiets = st.builds(
        Quiet,
        since=times,
        until=st.just("23:59"),
        days=st.lists(st.integers(0, 6), min_size=1, max_size=7).map(tuple),
        breaks_through=st.none() | st.sampled_from(Severity),
    )
    ids = st.just(()) | st.just((1,))
    return st.builds(
        Policy,
        id=st.just(2),
        owner=st.just(ADA),
        name=st.sampled_from(["night", "p 1"]),
        channel=st.sampled_from([1, 4]),
        least=st.sampled_from(Severity),
        scope=st.builds(Scope, devices=ids, sites=ids, tags=st.just(()) | st.just(("a", "b"))),
        conditions=st.just(()) | st.just(("outage",)),
        quiet=st.none() | quiets,
        escalation=st.none() | st.builds(Escalation, after_s=st.integers(60, 9999), channel=st.sampled_from([1, 4])),
        resolves=st.booleans(),
        group_s=st.integers(0, 86400),
        enabled=st.booleans(),
        saved_at=st.just(NOW),
    )


@given(_policies())
def test_a_policy_written_down_and_read_again_is_the_same(policy: Policy) -> None:
    shown: Mapping[str, object] = msgspec.to_builtins(policy_shown(DIRECTORY, policy, ()))
    fields = {name: value for name, value in shown.items() if name not in ("id", "saved_at", "unsubscribed")}
    assert wishes.policy(DIRECTORY, fields, NOW, DIRECTORY.policies[2]) == policy


def test_checks_of_targets_are_told_kind_and_target() -> None:
    asked: list[tuple[str, str]] = []

    def check(kind: str, target: str) -> Mistake | None:
        asked.append((kind, target))
        return None

    wishes.channel(DIRECTORY, HOOK, check)
    assert asked == [("webhook", "https://hooks.example.net/x")]
