"""The flood rule step by step: counting, the notice, digests, turning on again."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from cloud_bridge.alerts.flood import brought_forward, digests, due_at
from cloud_bridge.alerts.model import Change, What
from cloud_bridge.alerts.notice import About, Notification
from cloud_bridge.alerts.routing import route
from cloud_bridge.alerts.standing import Mute, Standing
from tests.cloud_bridge.alerts.neighbourhood import (
    ANN_DEFAULT,
    CRITICAL,
    DAY,
    HOUR,
    INFO,
    MINUTE,
    NOW,
    RACK_1,
    SECOND,
    after,
    alert,
    anns,
    channel,
    counted,
    fired,
    given,
    muted,
    over,
    policy,
    quiet,
    told,
    unsubscribed,
)


def later(change: Change, at: int) -> Change:
    return msgspec.structs.replace(change, at=at)


def fan(number: int) -> Change:
    """The n-th fan fault of rack-1, each an alert of its own."""
    return fired("rack-1", "fan_fault", mark=str(number))


def storm(standing: Standing, times: int, at: int = NOW, every: int = MINUTE) -> tuple[Standing, list[Notification]]:
    """So many fan faults of rack-1, one after the other."""
    made: list[Notification] = []
    for number in range(times):
        now = at + number * every
        change = later(fan(at + number), now)
        routed = route(change, standing, now)
        made += [each.notification for each in routed.decisions if each.notification]
        standing = after(standing, change, routed, now)
    return standing, made


def test_six_notifications_in_half_an_hour_are_sent_and_the_seventh_is_the_notice() -> None:
    _, made = storm(given(), 20)
    assert [each.about for each in made] == [About.ALERT] * 6 + [About.MUTED]
    assert made[-1].until == NOW + 6 * MINUTE + 7 * DAY
    assert made[-1].device == RACK_1


def test_seven_that_are_spread_over_more_than_half_an_hour_mute_nothing() -> None:
    _, made = storm(given(), 40, every=5 * MINUTE)
    assert {each.about for each in made} == {About.ALERT}
    assert len(made) == 40


def test_events_are_withheld_with_their_reason_and_counted_as_left_out() -> None:
    standing, _ = storm(given(), 7)
    change = later(fan(99), NOW + HOUR)
    (decision,) = route(change, standing, NOW + HOUR).decisions
    assert decision.code == "muted"
    assert "off for another 6 days 23 h, since there were more than 6 within 30 min" in decision.reason
    assert standing.mutes[RACK_1].left_out == 1


def test_the_count_is_of_the_device_whatever_the_number_of_its_channels() -> None:
    standing = given(policy("ann-phone"), policy("noc", owner=None, id=8))
    standing, made = storm(standing, 6)
    assert len(made) == 18
    assert len(standing.counted[RACK_1]) == 6
    assert not standing.mutes


def test_ends_count_as_any_other_notification() -> None:
    standing = given(counted(RACK_1, 5), told(alert("rack-1"), "ann-mail"))
    routed = route(over("rack-1"), standing, NOW)
    assert routed.counted == RACK_1
    assert [each.code for each in route(fan(1), after(standing, over("rack-1"), routed, NOW), NOW).decisions] == [
        "muted",
        "mute_told",
    ]


def test_a_critical_counts_but_is_sent() -> None:
    change = fired("rack-1", "overload", CRITICAL)
    routed = route(change, given(counted(RACK_1, 5)), NOW)
    assert routed.counted == RACK_1
    again = route(fan(1), after(given(counted(RACK_1, 5)), change, routed, NOW), NOW)
    assert again.mute is not None


def test_nothing_counts_while_it_is_muted() -> None:
    assert route(fired("rack-1", "overload", CRITICAL), given(muted(RACK_1)), NOW).counted is None


@pytest.mark.parametrize("condition", ["gateway_lost", "certificate_near_end", "unit_accepted"])
def test_s22_account_claim_certificate_and_gateway_lost_notices_lie_outside_the_flood_rule(condition: str) -> None:
    standing = given(counted(RACK_1, 6), anns(least=INFO))
    for of in ("rack-1", "pi-1"):
        routed = route(fired(of, condition), standing, NOW)
        assert [each.code for each in routed.decisions] == ["at_once"]
        assert routed.counted is None
        assert routed.mute is None


def test_the_mute_is_the_same_however_often_it_is_worked_out() -> None:
    standing = given(counted(RACK_1, 6))
    assert route(fan(1), standing, NOW) == route(fan(1), standing, NOW)
    assert route(fan(1), standing, NOW).mute != route(fan(2), standing, NOW).mute


def test_the_notice_waits_for_the_end_of_quiet_hours() -> None:
    standing = given(anns(quiet=quiet("12:00", "14:00")), counted(RACK_1, 6))
    (notice,) = [each.notification for each in route(fan(1), standing, NOW).decisions if each.notification]
    assert notice.about is About.MUTED
    assert notice.due_at == NOW + HOUR


def test_a_digest_a_day_says_how_much_was_left_out_to_each_who_lost_it() -> None:
    standing, _ = storm(given(policy("ann-phone", conditions=("replace_battery",))), 10)
    begun = NOW + 6 * MINUTE
    lost = fired("rack-1", "replace_battery")
    standing = after(standing, lost, route(lost, standing, begun + HOUR), begun + HOUR)
    assert due_at(standing) == begun + DAY
    assert digests(standing, begun + DAY - 1) == []
    (due,) = digests(standing, begun + DAY)
    assert [(each.channel, each.policy, each.left_out) for each in due.notifications] == [
        (1, ANN_DEFAULT, 5),
        (2, 7, 1),
    ]
    assert {each.about for each in due.notifications} == {About.DIGEST}
    assert due.mute is not None
    assert (due.mute.left_out, due.mute.lost, due.mute.digest_at) == (0, (), begun + 2 * DAY)


def test_a_digest_waits_for_the_end_of_quiet_hours_and_for_nobody_who_has_unsubscribed() -> None:
    standing, _ = storm(given(anns(quiet=quiet("12:00", "14:00"))), 8)
    at = NOW + DAY + 10 * MINUTE
    assert [each.due_at for each in digests(standing, at)[0].notifications] == [NOW + DAY + HOUR]
    for left in (unsubscribed("ann@example.net"), channel("ann-mail", enabled=False)):
        assert digests(left(standing), at)[0].notifications == ()


def test_a_day_without_anything_left_out_has_no_digest() -> None:
    (due,) = digests(given(muted(RACK_1, since=NOW - DAY)), NOW)
    assert due.notifications == ()
    assert due.mute is not None
    assert due.mute.digest_at == NOW + DAY


def test_digests_that_a_stopped_service_missed_are_one() -> None:
    standing, _ = storm(given(), 8)
    (due,) = digests(standing, NOW + 3 * DAY + HOUR)
    assert [each.left_out for each in due.notifications] == [2]
    assert due.mute is not None
    assert due.mute.digest_at == NOW + 6 * MINUTE + 4 * DAY


def test_the_last_digest_ends_the_mute() -> None:
    standing, _ = storm(given(), 8)
    (due,) = digests(standing, NOW + 6 * MINUTE + 7 * DAY)
    assert due.mute is None
    assert [each.about for each in due.notifications] == [About.DIGEST]


def test_a_digest_is_the_same_notification_however_late_it_is_worked_out() -> None:
    standing, _ = storm(given(), 8)
    first, second = (digests(standing, NOW + 2 * DAY + later)[0].notifications[0].id for later in (0, HOUR))
    assert first == second


def test_a_mute_that_was_ended_before_its_time_has_its_last_digest_and_counts_from_zero() -> None:
    standing, _ = storm(given(), 9)
    at = NOW + HOUR
    ended = msgspec.structs.replace(standing.mutes[RACK_1], until=at)
    standing = msgspec.structs.replace(standing, mutes={RACK_1: ended})
    _, made = storm(standing, 7, at=at + SECOND)
    assert [each.about for each in made] == [About.ALERT] * 6 + [About.MUTED]
    (due,) = digests(standing, at)
    assert due.mute is None
    assert [each.left_out for each in due.notifications] == [3]


def test_without_its_mute_and_its_count_a_device_tells_again() -> None:
    """As the link in the notice, or `device unmute`, leaves it."""
    standing = msgspec.structs.replace(storm(given(), 9)[0], mutes={}, counted={})
    _, made = storm(standing, 7, at=NOW + HOUR)
    assert [each.about for each in made] == [About.ALERT] * 6 + [About.MUTED]


def test_what_was_owed_with_the_digest_leaves_when_notifications_are_on_again() -> None:
    standing = given(muted(RACK_1), told(alert("rack-1"), "ann-mail"), told(alert("rack-2"), "ann-mail"))
    owed, other = (
        [each.notification for each in route(over(of), standing, NOW).decisions if each.notification][0]
        for of in ("rack-1", "rack-2")
    )
    assert brought_forward([owed, other], RACK_1, NOW + MINUTE) == [msgspec.structs.replace(owed, due_at=NOW + MINUTE)]


def test_a_mute_is_told_once_to_each_channel() -> None:
    standing = given(muted(RACK_1, noticed=()))
    notices = 0
    for number in range(3):
        routed = route(fan(number), standing, NOW)
        notices += sum(each.code == "mute_told" for each in routed.decisions)
        standing = after(standing, fan(number), routed, NOW)
    assert notices == 1
    assert standing.mutes[RACK_1].left_out == 3


def test_half_an_hour_is_half_open() -> None:
    for age, is_seventh in ((30 * MINUTE, False), (30 * MINUTE - 1, True)):
        standing = msgspec.structs.replace(given(), counted={RACK_1: (NOW - age, *range(NOW - 5, NOW))})
        codes = [each.code for each in route(fan(1), standing, NOW).decisions]
        assert ("mute_told" in codes) == is_seventh


def test_growth_beyond_the_mute_is_told_as_critical_and_its_end_too() -> None:
    standing = given(muted(RACK_1))
    grown = fired("rack-1", severity=CRITICAL, number=3)
    grown = msgspec.structs.replace(grown, what=What.GREW)
    standing = after(standing, grown, route(grown, standing, NOW), NOW)
    (end,) = route(over("rack-1"), standing, NOW + MINUTE).decisions
    assert (end.code, end.notification is not None) == ("at_once", True)


def test_a_mute_is_kept_as_json() -> None:
    mute = storm(given(), 9)[0].mutes[RACK_1]
    assert msgspec.json.decode(msgspec.json.encode(mute), type=Mute) == mute
    assert mute.since == ms(12, 6)
    assert [(each.channel, each.count) for each in mute.lost] == [(1, 3)]


def ms(hour: int, minute: int) -> int:
    return int(datetime(2026, 11, 24, hour, minute, tzinfo=UTC).timestamp()) * 1000
