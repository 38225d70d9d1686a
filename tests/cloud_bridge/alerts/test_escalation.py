"""Escalation: who is told when nobody acknowledges, and when; and what is told once nothing withholds it any more."""

from __future__ import annotations

import msgspec
import pytest

from cloud_bridge.alerts import escalation, resumption
from cloud_bridge.alerts.escalation import escalations
from cloud_bridge.alerts.model import Phase, What
from cloud_bridge.alerts.notice import Notification
from cloud_bridge.alerts.resumption import resumed
from cloud_bridge.alerts.routing import route
from cloud_bridge.alerts.standing import Standing
from cloud_bridge.alerts.terms import Escalation, Scope
from tests.cloud_bridge.alerts.neighbourhood import (
    ANN_DEFAULT,
    CRITICAL,
    DAY,
    HOUR,
    MINUTE,
    NAS,
    NOW,
    RACK_1,
    Given,
    after,
    alert,
    anns,
    fired,
    given,
    is_open,
    muted,
    over,
    planned,
    policy,
    routes,
    silence,
    told,
)

OUTAGE = alert("rack-1")
BY = f"policy:{ANN_DEFAULT}"
WAITS: tuple[Given, ...] = (
    anns(escalation=Escalation(after_s=600, channel=2)),
    is_open(OUTAGE),
    told(OUTAGE, "ann-mail", at=NOW),
)


def notices(standing: Standing, change: object, now: int) -> list[Notification]:
    assert isinstance(change, type(fired("rack-1")))
    return [each.notification for each in route(change, standing, now).decisions if each.notification]


def test_nobody_is_told_before_the_time_is_over() -> None:
    standing = given(*WAITS)
    assert escalation.due_at(standing) == NOW + 10 * MINUTE
    assert escalations(standing, NOW + 10 * MINUTE - 1) == []


def test_then_the_second_channel_is_told_once() -> None:
    standing, now = given(*WAITS), NOW + 10 * MINUTE
    (change,) = escalations(standing, now)
    assert (change.what, change.by, change.at) == (What.ESCALATED, BY, now)
    assert change.reason == "nobody acknowledged within 10 min of the notice by policy default"
    routed = route(change, standing, now)
    assert [each.channel for each in routed.decisions] == [2]
    standing = after(standing, change, routed, now)
    assert escalations(standing, now + DAY) == []
    assert escalation.due_at(standing) is None
    assert [each.channel for each in notices(standing, over("rack-1"), now)] == [1, 2]


def test_an_escalation_that_is_worked_out_late_is_the_same_notification() -> None:
    standing = given(*WAITS)
    early, late = (
        notices(standing, escalations(standing, now)[0], now)[0].id for now in (NOW + 10 * MINUTE, NOW + HOUR)
    )
    assert early == late


NO_ESCALATION = [
    ("what was acknowledged", is_open(msgspec.structs.replace(OUTAGE, acknowledged_at=NOW, acknowledged_by="Ann"))),
    ("what does not fire yet", is_open(msgspec.structs.replace(OUTAGE, phase=Phase.PENDING))),
    ("what the first channel was not told", lambda standing: msgspec.structs.replace(standing, told={})),
    ("by a policy that is switched off", anns(enabled=False, escalation=Escalation(after_s=600, channel=2))),
    ("by a policy for other devices", anns(scope=Scope(devices=(NAS,)), escalation=Escalation(after_s=600, channel=2))),
    ("by a policy that escalates nothing", anns(escalation=None)),
]


@pytest.mark.parametrize("but", [row[1] for row in NO_ESCALATION], ids=[row[0] for row in NO_ESCALATION])
def test_nothing_is_escalated_of(but: Given) -> None:
    assert escalations(but(given(*WAITS)), NOW + DAY) == []


def test_two_policies_escalate_each_by_itself() -> None:
    second = policy("ann-mail", escalation=Escalation(after_s=60, channel=2))
    changes = escalations(given(*WAITS, second), NOW + DAY)
    assert sorted(change.by for change in changes) == [BY, "policy:7"]


def test_leaves_of_the_tree_escalate_with_what_they_inherited() -> None:
    tree = routes(
        "{channel: noc, escalate_after_s: 120, escalate_to: noc-pager, routes: [{name: lab, match: {tag: lab}}]}"
    )
    standing = given(tree, is_open(OUTAGE), told(OUTAGE, "noc", at=NOW))
    (change,) = escalations(standing, NOW + 2 * MINUTE)
    assert change.by == "route:root/lab"
    assert [each.channel for each in notices(standing, change, NOW + 2 * MINUTE)] == [5]


def test_a_notice_that_waits_for_the_morning_is_not_escalated_before_it_leaves() -> None:
    standing = given(*WAITS, told(OUTAGE, "ann-mail", at=NOW + 8 * HOUR))
    assert escalation.due_at(standing) == NOW + 8 * HOUR + 10 * MINUTE


def withheld(*changes: Given) -> Standing:
    """Of rack-1's outage, as it is routed under those circumstances."""
    standing = given(*changes)
    change = fired("rack-1")
    routed = route(change, standing, NOW)
    assert not any(each.notification for each in routed.decisions)
    return after(standing, change, routed, NOW)


HOLDS = [
    ("a silence", (silence(until=NOW + HOUR),), NOW + HOUR),
    ("maintenance", (silence(until=NOW + HOUR, kind="maintenance"),), NOW + HOUR),
    ("a planned test", (planned("pi-1/rack-1", "outage", until=NOW + MINUTE),), NOW + MINUTE),
    ("a mute", (muted(RACK_1, since=NOW - 6 * DAY),), NOW + DAY),
]


@pytest.mark.parametrize(("holds", "until"), [row[1:] for row in HOLDS], ids=[row[0] for row in HOLDS])
def test_what_is_still_so_when_it_is_over_is_told(holds: tuple[Given, ...], until: int) -> None:
    standing = withheld(*holds)
    assert resumption.due_at(standing, NOW) == until
    assert resumed(standing, until - 1) == []
    (change,) = resumed(standing, until)
    assert [each.channel for each in notices(standing, change, until)] == [1]
    standing = after(standing, change, route(change, standing, until), until)
    assert resumed(standing, until) == []
    assert resumption.due_at(standing, until) is None
    assert [each.channel for each in notices(standing, over("rack-1"), until)] == [1]


@pytest.mark.parametrize(
    ("unstable", "said"),
    [
        pytest.param(False, "low battery: it began 1 h 30 min ago and is still so.", id="what lasts"),
        pytest.param(True, "on battery, coming and going: it began 1 h 30 min ago", id="what comes and goes"),
    ],
)
def test_what_is_told_late_says_what_happened_and_since_when(unstable: bool, said: str) -> None:
    began = NOW - 30 * MINUTE
    standing = withheld(silence(until=NOW + HOUR))
    one = msgspec.structs.replace(
        OUTAGE, stage="low_battery", peak="on_battery", unstable=unstable, since=began, onset_at=began
    )
    (change,) = resumed(msgspec.structs.replace(standing, alerts={one.id: one}), NOW + HOUR)
    assert change.reason.startswith(said)


def test_what_an_incident_covered_is_told_when_that_is_over() -> None:
    site = alert("cellar", "site_outage")
    standing = withheld(is_open(site), told(site, "ann-mail"))
    assert resumed(standing, NOW) == []
    alone = msgspec.structs.replace(standing, alerts={OUTAGE.id: OUTAGE})
    assert [change.alert.id for change in resumed(alone, NOW)] == [OUTAGE.id]


def test_what_ended_meanwhile_is_not() -> None:
    standing = withheld(silence(until=NOW + HOUR))
    for but in (
        msgspec.structs.replace(OUTAGE, ends_at=NOW + MINUTE),
        msgspec.structs.replace(OUTAGE, phase=Phase.PENDING),
    ):
        assert resumed(is_open(but)(standing), NOW + HOUR) == []
    assert resumed(msgspec.structs.replace(standing, alerts={}), NOW + HOUR) == []
    (end,) = route(over("rack-1"), standing, NOW + HOUR).decisions
    assert end.code == "not_told_before"


def test_a_critical_of_a_muted_unit_and_what_is_of_no_unit_are_told_after_a_silence_too() -> None:
    hour = silence(until=NOW + HOUR, critical=True)
    standing = given(hour, muted(RACK_1))
    for change in (fired("rack-1", severity=CRITICAL), fired("pi-1", "gateway_lost"), fired("pi-1/new")):
        standing = after(standing, change, route(change, standing, NOW), NOW)
    assert resumed(standing, NOW + MINUTE) == []
    again = {change.alert.subject.name for change in resumed(standing, NOW + HOUR)}
    assert again == {"pi-1/rack-1", "pi-1"}


def test_a_unit_that_stays_muted_is_not_told_when_a_silence_ends() -> None:
    standing = given(silence(until=NOW + HOUR), muted(RACK_1))
    standing = after(standing, fired("rack-1"), route(fired("rack-1"), standing, NOW), NOW)
    assert resumed(standing, NOW + HOUR) == []
