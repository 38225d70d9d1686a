"""Alerts in the registry, on either database."""

from __future__ import annotations

import msgspec
import pytest

from cloud_bridge.alerts.model import Alert, Change, Phase, What, alert_id, unit_of
from cloud_bridge.alerts.notice import About, Notification, State
from cloud_bridge.alerts.settling import Outcome
from cloud_bridge.alerts.standing import LATER, Decision, Mute, Told, Verdict
from cloud_bridge.alerts.terms import Device
from cloud_bridge.greeting import has_passed
from cloud_bridge.rows import GatewayRow, StreamRow
from cloud_bridge.store.registry import alerting, heard, outcomes, people, reasons, untold
from cloud_bridge.store.registry.alerting import Verb
from cloud_bridge.store.registry.registry import Registry
from drivers.ups import Severity
from gateway.wire.messages import Lane
from tests.cloud_bridge.words import OTHER_STREAM, STREAM, hello

NOW = 1_795_487_455_000
UNIT = unit_of("pi-a", "rack-1")


def alert(
    mark: str, phase: Phase = Phase.FIRING, condition: str = "fan_fault", at: int = NOW, number: int = 1
) -> Alert:
    return Alert(
        id=alert_id(UNIT, condition, mark),
        subject=UNIT,
        condition=condition,
        mark=mark,
        number=number,
        phase=phase,
        stage=condition,
        severity=Severity.WARNING,
        worst=Severity.WARNING,
        onset_at=at,
        changed_at=at,
        details={"charge_pct": 98.5, "cause": "line"},
    )


def notification(id_: str, of: Alert, **changes: object) -> Notification:
    made = Notification(
        id=id_,
        channel=1,
        policy=1,
        device=None,
        about=About.ALERT,
        severity=of.severity,
        alerts=((of.id, of.number),),
        group="g",
        created_at=NOW,
        due_at=NOW,
    )
    return msgspec.structs.replace(made, **changes)


def decision(of: Alert, code: str, made: Notification | None = None, channel: int = 1) -> Decision:
    verdict = Verdict.SENT if made else Verdict.WITHHELD
    return Decision(
        alert=of.id,
        number=of.number,
        policy=1,
        channel=channel,
        verdict=verdict,
        code=code,
        reason="why",
        notification=made,
    )


def outcome_of(one: Alert, *decisions: Decision, what: What = What.FIRED) -> Outcome:
    outcome = Outcome(alerts={one.id: one}, steps=[Change(alert=one, what=what, at=NOW, reason="it is so"), *decisions])
    outcome.notifications = {each.notification.id: each.notification for each in decisions if each.notification}
    return outcome


def keep(registry: Registry, outcome: Outcome) -> list[Notification]:
    with registry.writing() as connection:
        return outcomes.keep(connection, outcome, NOW)


def test_an_alert_comes_back_as_it_was_and_the_newest_of_each_condition_is_the_open_one(registry: Registry) -> None:
    old, newer = alert("1", Phase.RESOLVED, at=NOW - 5), alert("2", Phase.FIRING, at=NOW - 9)
    other = [alert("3", Phase.RESOLVED, "charger_fault", NOW - 7), alert("4", Phase.RESOLVED, "charger_fault", NOW - 3)]
    for one in (old, newer, *other):
        keep(registry, outcome_of(one))
    with registry.reading() as connection:
        assert {one.mark: one for one in alerting.newest_alerts(connection)} == {"2": newer, "4": other[1]}
        assert alerting.find_alert(connection, old.id) == old
        assert [one.mark for one in alerting.listed(connection, phases=[Phase.RESOLVED])] == ["4", "1", "3"]
        assert alerting.like(connection, old.id[:12]) == [old]


def test_the_newest_alert_is_the_one_that_changed_last_by_our_clock_whatever_the_gateway_s_says(
    registry: Registry,
) -> None:
    """S17. A clock that was a day ahead made the first; the second came after it was set."""
    first = msgspec.structs.replace(alert("1", Phase.RESOLVED), onset_at=NOW + 86_400_000)
    second = msgspec.structs.replace(alert("2", Phase.RESOLVED), onset_at=NOW + 1, changed_at=NOW + 1)
    with registry.writing() as connection:
        alerting.keep_alerts(connection, [second, first])
    with registry.reading() as connection:
        assert alerting.newest_alerts(connection) == [second]


def test_a_channel_whose_notices_were_given_up_never_heard_of_the_alert(registry: Registry) -> None:
    """No incident covers others for it, and no end follows what it was not told."""
    begun, grown = alert("1"), alert("1", number=2)
    other = alert("2", condition="overload")
    sent = notification("n1", begun, state=State.SENT, sent_at=NOW)
    failed = notification("n2", grown, severity=Severity.CRITICAL, state=State.FAILED)
    lost = notification("n3", other, state=State.FAILED)
    told = Told(worst=Severity.CRITICAL, number=2, at=NOW)
    with registry.writing() as connection:
        alerting.keep_alerts(connection, [grown, other])
        alerting.add_notifications(connection, [sent, failed, lost])
        heard.keep_told(connection, {(begun.id, 1): told, (other.id, 1): told, (other.id, 2): told})
        untold.renew_told(connection, [failed, lost])
    with registry.reading() as connection:
        assert heard.told_of_open(connection) == {
            (begun.id, 1): Told(worst=Severity.WARNING, number=1, at=NOW),
            (other.id, 2): told,
        }


def test_a_notification_that_is_there_is_not_made_again_whatever_became_of_it(registry: Registry) -> None:
    one = alert("1")
    made = notification("n1", one)
    assert keep(registry, outcome_of(one, decision(one, "at_once", made))) == [made]
    done = msgspec.structs.replace(made, state=State.SENT, sent_at=NOW + 1)
    with registry.writing() as connection:
        alerting.keep_notifications(connection, [done])
    assert keep(registry, outcome_of(one, decision(one, "at_once", made))) == []
    with registry.reading() as connection:
        assert alerting.find_notifications(connection, ["n1"]) == [done]
        assert alerting.waiting(connection) == []
        assert alerting.grouped(connection, NOW) == {"g": NOW}


def test_everything_that_was_decided_can_be_read_in_order(registry: Registry) -> None:
    one = alert("1")
    keep(
        registry, outcome_of(one, decision(one, "at_once", notification("n1", one)), decision(one, "silenced", None, 2))
    )
    with registry.reading() as connection:
        assert [(line.code, line.channel) for line in reasons.why(connection, one.id)] == [
            ("fired", None),
            ("at_once", 1),
            ("silenced", 2),
        ]
        ((step,),) = reasons.steps_of(connection, [(one.id, 1), (one.id, 9)]).values()
    assert (step.stage, step.severity, step.reason) == ("fan_fault", Severity.WARNING, "it is so")


def test_what_was_withheld_and_escalated_is_known_again_after_a_restart(registry: Registry) -> None:
    one, over = alert("1"), alert("2", Phase.RESOLVED, "charger_fault")
    keep(registry, outcome_of(one, decision(one, "covered", None, 2), decision(one, "below_least", None, 3)))
    keep(registry, outcome_of(over, decision(over, "muted", None, 2)))
    escalated = Change(alert=one, what=What.ESCALATED, at=NOW, reason="nobody", by="policy:7")
    keep(registry, Outcome(steps=[escalated]))
    with registry.reading() as connection:
        assert heard.withheld_of_open(connection, LATER) == {(one.id, 2): 1}
        assert heard.escalated(connection) == {(one.id, "policy:7")}


def test_who_heard_of_an_open_alert_is_known_again_after_a_restart(registry: Registry) -> None:
    one, over = alert("1"), alert("2", Phase.RESOLVED, "charger_fault")
    told = {(each.id, 1): Told(worst=Severity.CRITICAL, number=3, at=NOW) for each in (one, over)}
    keep(registry, Outcome(alerts={each.id: each for each in (one, over)}, told=told))
    with registry.reading() as connection:
        assert heard.told_of_open(connection) == {(one.id, 1): told[one.id, 1]}


def test_s23_a_mute_that_a_link_ended_does_not_come_back_with_what_was_decided_meanwhile(registry: Registry) -> None:
    with registry.writing() as connection:
        device = people.add_device(connection, Device(id=0, gateway="pi-a", unit="rack-1")).id
    mute = Mute(device=device, id="m1", since=NOW, until=NOW + 1000)
    keep(registry, Outcome(mutes={device: mute}, begun={"m1"}, counted=[("a", 1, device, NOW), ("a", 2, device, NOW)]))
    more = msgspec.structs.replace(mute, left_out=1)
    keep(registry, Outcome(mutes={device: more}))
    with registry.reading() as connection:
        assert heard.all_mutes(connection) == {device: more}
        assert heard.counted_since(connection, NOW) == {device: (NOW, NOW)}
    with registry.writing() as connection:
        heard.end_mutes(connection, device)
    keep(registry, Outcome(mutes={device: msgspec.structs.replace(more, left_out=2)}))
    with registry.reading() as connection:
        assert heard.all_mutes(connection) == {}
        assert heard.counted_since(connection, NOW) == {}


def test_what_people_ask_for_waits_in_order_until_it_is_done(registry: Registry) -> None:
    one = alert("1")
    keep(registry, outcome_of(one))
    with registry.writing() as connection:
        alerting.ask(connection, one.id, Verb.ACKNOWLEDGE, "", "ada", NOW)
        alerting.ask(connection, one.id, Verb.NOTE, "x" * 5000, "ada", NOW)
        asked = alerting.all_asked(connection)
        assert [(each.verb, len(each.text)) for each in asked] == [(Verb.ACKNOWLEDGE, 0), (Verb.NOTE, 1000)]
        alerting.done(connection, [asked[0].id])
        assert alerting.all_asked(connection) == asked[1:]


def test_a_reader_s_position_is_kept(registry: Registry) -> None:
    with registry.writing() as connection:
        assert alerting.position(connection, "alerts") == 0
        for value in (5, 2**56):
            alerting.keep_position(connection, "alerts", value)
        assert alerting.position(connection, "alerts") == 2**56


@pytest.mark.parametrize(
    ("next_", "through", "stream", "passed"),
    [
        pytest.param(5, 4, STREAM, True, id="all that was in the outbox is stored"),
        pytest.param(5, 9, STREAM, True, id="more is stored than was in it"),
        pytest.param(5, 3, STREAM, False, id="one record is lacking"),
        pytest.param(5, 9, OTHER_STREAM, False, id="another stream says nothing"),
        pytest.param(1, 0, STREAM, True, id="nothing was in it"),
    ],
)
def test_s17_a_backlog_is_over_once(next_: int, through: int, stream: str, passed: bool) -> None:
    said = hello("c1", next_)
    row = GatewayRow(
        name="pi-a",
        first_seen_at=NOW,
        last_seen_at=NOW,
        offline_at=None,
        offline_why=None,
        hello=said,
        waiting={},
        letters=0,
        letters_dropped=0,
        streams=(StreamRow(lane=Lane.EVENTS, stream=stream, through=through),),
    )
    assert has_passed(row) is passed
    assert has_passed(msgspec.structs.replace(row, hello=None))
