"""An upgrade until the unit is told to enter, each transition as a sentence (gateway-ota.md A5)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from drivers.ups import State as Power
from gateway.firmware import events, lease
from gateway.firmware.deferring import AGAIN_AT_MOST_S
from gateway.firmware.effects import (
    AskForGo,
    Download,
    Enter,
    HoldDownload,
    Lock,
    ReadUnit,
    Release,
)
from gateway.firmware.job import changed
from gateway.firmware.preparing import ARMED_S
from gateway.firmware.states import State
from gateway.wire.firmware import GO_S
from tests.gateway.firmware import upgrading
from tests.gateway.firmware.upgrade_desk import Desk, at, reserves
from tests.gateway.firmware.upgrading import CHALLENGE, FALLBACK_SHA, HOUR_MS, OLD, SHA, stamp


def test_the_command_to_enter_may_be_written_within_a_second_of_the_reading_only() -> None:
    desk = at(State.ARMED)
    reserves(desk)
    seen = upgrading.readings(desk.now)
    desk.ms += 400
    assert desk.reads(seen=seen) is State.ENTERING
    (enter,) = [effect for effect in desk.effects if isinstance(effect, Enter)]
    assert enter.by_ms == desk.now.mono - 400 + 1000
    assert desk.transition.evidence["read_ms_ago"] == 400
    assert desk.transition.evidence["state"] == "online"


def test_the_command_to_enter_may_not_outlive_the_go() -> None:
    desk = at(State.ARMED)
    reserves(desk)
    assert desk.job.asked is not None
    ends = desk.job.asked.since.mono + GO_S * 1000
    desk.job = changed(desk.job, since=stamp(ends - desk.now.mono + desk.ms - 300))
    desk.ms += ends - desk.now.mono - 300
    desk.reads()
    assert [effect.by_ms for effect in desk.effects if isinstance(effect, Enter)] == [ends]


def test_an_order_for_another_unit_is_rejected_before_a_byte_is_asked_for() -> None:
    desk = Desk(upgrading.job())
    assert desk.tell(events.Offered(now=desk.now)) is State.OFFERED
    assert desk.asked(ReadUnit)
    seen = msgspec.structs.replace(upgrading.readings(desk.now), identity=upgrading.identity(serial="AS2"))
    assert desk.reads(seen=seen) is State.REJECTED
    assert not desk.asked(Download)
    assert [each.reason for each in desk.transition.hindrances] == ["serial_wrong"]


@pytest.mark.parametrize("who", [None, upgrading.identity(serial=None), upgrading.identity(firmware=None)])
def test_a_unit_that_does_not_say_who_it_is_is_asked_again(who: Any) -> None:
    desk = Desk(upgrading.job())
    desk.tick()
    assert desk.reads(seen=msgspec.structs.replace(upgrading.readings(desk.now), identity=who)) is State.OFFERED
    desk.tick(59)
    assert not desk.asked(ReadUnit)
    desk.tick(1)
    assert desk.asked(ReadUnit)


def test_what_is_only_not_now_does_not_keep_an_image_from_being_fetched() -> None:
    desk = Desk(upgrading.job())
    assert desk.reads(state=Power.ON_BATTERY) is State.DOWNLOADING
    assert desk.asked(Download)
    assert (desk.job.hardware_id, desk.job.from_version) == ("1026", OLD)


@pytest.mark.parametrize(("counter", "images"), [(41, 2), (40, 1)])
def test_a_fallback_with_a_lower_counter_is_left_out(counter: int, images: int) -> None:
    desk = Desk(upgrading.job(with_fallback=True))
    desk.job = changed(desk.job, images=(desk.job.images[0], upgrading.fallback(counter)))
    desk.reads(seen=msgspec.structs.replace(upgrading.readings(desk.now), counter=41))
    assert len(desk.job.images) == images


def test_only_an_image_with_the_signed_digest_is_taken() -> None:
    desk = at(State.DOWNLOADING)
    assert desk.tell(events.Verified(now=desk.now, sha256="f" * 64)) is State.DOWNLOADING
    assert desk.tell(events.Verified(now=desk.now, sha256=SHA)) is State.VERIFIED


def test_the_fallback_is_fetched_too_before_anything_begins() -> None:
    desk = at(State.DOWNLOADING, with_fallback=True)
    assert desk.tell(events.Verified(now=desk.now, sha256=SHA)) is State.DOWNLOADING
    assert [each.sha256 for each in desk.effects if isinstance(each, Download)] == [FALLBACK_SHA]
    assert desk.tell(events.Verified(now=desk.now, sha256=FALLBACK_SHA)) is State.VERIFIED


def test_a_download_pauses_and_goes_on_and_a_spent_budget_ends_it() -> None:
    desk = at(State.DOWNLOADING)
    assert desk.tell(events.Paused(now=desk.now, reason="no_room", value=1, threshold=2)) is State.PAUSED
    assert desk.tick(59) is State.PAUSED
    assert desk.tick(1) is State.DOWNLOADING
    assert desk.tell(events.BudgetSpent(now=desk.now, reason="bytes_used_up", value=3, threshold=3)) is State.FAILED_DL
    assert desk.effects[1] == HoldDownload(forget=True)


def test_nothing_is_asked_for_before_the_window_begins() -> None:
    desk = at(State.WAITING, order_changes={"begin_at": upgrading.NOW_MS + HOUR_MS})
    desk.tick(60)
    assert desk.effects == ()
    assert desk.reads() is State.WAITING
    assert desk.effects == ()
    desk.tick(3600 - desk.ms / 1000 - 0.001)
    assert not desk.asked(ReadUnit)
    desk.tick(0.001)
    assert desk.asked(ReadUnit)


def test_a_go_is_not_asked_for_in_vain() -> None:
    desk = at(State.WAITING)
    assert desk.reads(charge_pct=10.0) is State.DEFERRED
    assert not desk.asked(AskForGo)


def test_invariant_7_a_go_is_asked_for_again_when_the_challenge_is_too_old() -> None:
    desk = at(State.WAITING)
    desk.reads()
    desk.tell(events.GoAsked(now=desk.now, challenge=CHALLENGE))
    desk.ms += GO_S * 1000
    desk.reads()
    assert not desk.asked(AskForGo)
    desk.ms += 1
    desk.reads()
    assert desk.asked(AskForGo)


def test_a_go_that_was_just_asked_for_is_not_asked_for_again() -> None:
    desk = at(State.WAITING)
    desk.reads()
    desk.tell(events.GoAsked(now=desk.now, challenge=CHALLENGE))
    desk.reads()
    assert not desk.asked(AskForGo)


@pytest.mark.parametrize(
    "wrong",
    [
        {"challenge": "d" * 32},
        {"order": "2" * 32},
        {"gateway": "pi-2"},
        {"serial": "AS2"},
        {"target": "1026/other.bin"},
        {"sha256": "f" * 64},
    ],
)
def test_invariant_6_a_go_for_anything_else_is_none(wrong: dict[str, str]) -> None:
    desk = at(State.WAITING)
    desk.reads()
    desk.tell(events.GoAsked(now=desk.now, challenge=CHALLENGE))
    assert desk.tell(events.GoReceived(now=desk.now, go=upgrading.go(**wrong))) is State.WAITING
    assert desk.tell(events.GoReceived(now=desk.now, go=upgrading.go())) is State.PRECHECK


@pytest.mark.parametrize(
    ("lease_s", "age_ms", "good"), [(60, 60_000, True), (60, 60_001, False), (300, 300_001, False)]
)
def test_invariant_7_a_go_is_good_for_its_lease_from_the_challenge(lease_s: int, age_ms: int, good: bool) -> None:
    desk = at(State.WAITING)
    desk.reads()
    desk.tell(events.GoAsked(now=desk.now, challenge=CHALLENGE))
    desk.ms += age_ms
    state = desk.tell(events.GoReceived(now=desk.now, go=upgrading.go(lease_s=lease_s)))
    assert state is (State.PRECHECK if good else State.WAITING)


@pytest.mark.parametrize("state", [State.PRECHECK, State.ARMED])
def test_invariant_7_a_go_that_lapses_leads_back_to_waiting(state: State) -> None:
    desk = at(state)
    desk.ms = GO_S * 1000 + 2000
    assert desk.tick() is State.WAITING
    assert desk.transition.cause == "go_lapsed"
    assert desk.job.asked is None


def test_three_good_readings_over_a_minute_lead_to_armed_and_no_fewer() -> None:
    desk = at(State.PRECHECK)
    for seconds, expected in ((0, State.PRECHECK), (30, State.PRECHECK), (29.9, State.PRECHECK), (0.1, State.ARMED)):
        desk.ms += round(seconds * 1000)
        assert desk.reads() is expected
    assert desk.asked(Lock)


@pytest.mark.parametrize("state", [State.PRECHECK, State.ARMED, State.WAITING])
def test_a_unit_on_battery_is_deferred_with_the_reason(state: State) -> None:
    desk = at(state)
    assert desk.reads(state=Power.ON_BATTERY) is State.DEFERRED
    first = desk.job.hindrances[0]
    assert (first.reason, first.value, first.threshold) == ("not_on_mains", "on_battery", "online and good")
    assert desk.job.retry_at == desk.now.at + 60_000
    assert desk.asked(Release) is (state is State.ARMED)


def test_delays_double_up_to_an_hour_and_the_same_reasons_are_told_once() -> None:
    desk = at(State.WAITING)
    desk.reads(charge_pct=10.0)
    rev = desk.job.rev
    for delay_s in (60, 120, 240, 480, 960, 1920, AGAIN_AT_MOST_S, AGAIN_AT_MOST_S):
        assert desk.job.retry_at == desk.now.at + round(delay_s * 1000)
        desk.tick(delay_s - 1)
        assert not desk.asked(ReadUnit)
        desk.tick(1)
        assert desk.asked(ReadUnit)
        assert desk.reads(charge_pct=11.0) is State.DEFERRED
    assert desk.job.rev == rev
    desk.tick(AGAIN_AT_MOST_S)
    assert desk.reads(state=Power.ON_BATTERY) is State.DEFERRED
    assert desk.job.rev == rev + 1


def test_a_deferred_unit_that_is_well_again_needs_a_go_like_any_other() -> None:
    desk = at(State.WAITING)
    desk.reads(charge_pct=10.0)
    assert desk.reads() is State.DEFERRED
    desk.tick(60)
    assert desk.reads() is State.WAITING
    assert desk.job.asked is None
    assert desk.job.hindrances == ()


def test_what_is_reserved_by_another_is_waited_for() -> None:
    desk = at(State.ARMED)
    assert desk.tell(events.NotLocked(now=desk.now, key="unit rack-1", holder="f" * 32)) is State.DEFERRED
    assert desk.job.hindrances[0].reason == "reserved"


def test_an_image_that_rotted_is_fetched_again() -> None:
    desk = at(State.ARMED)
    desk.tell(events.Locked(now=desk.now))
    assert desk.tell(events.ImageDamaged(now=desk.now, sha256=SHA)) is State.DOWNLOADING
    assert desk.asked(Download)
    assert desk.asked(Release)


def test_nobody_enters_what_is_not_reserved_and_hashed_again() -> None:
    desk = at(State.ARMED, with_fallback=True)
    assert desk.reads() is State.ARMED
    desk.tell(events.Locked(now=desk.now))
    assert desk.reads() is State.ARMED
    desk.tell(events.Verified(now=desk.now, sha256=SHA))
    assert desk.reads() is State.ARMED
    desk.tell(events.Verified(now=desk.now, sha256=FALLBACK_SHA))
    assert desk.reads() is State.ENTERING


def test_an_image_that_was_hashed_before_it_was_reserved_is_hashed_again() -> None:
    desk = at(State.ARMED)
    desk.tell(events.Verified(now=desk.now, sha256=SHA))
    assert desk.job.checked == 0
    reserves(desk)
    desk.tell(events.Verified(now=desk.now, sha256=SHA))
    assert desk.job.checked == 1


def test_nothing_stays_reserved_unused() -> None:
    desk = at(State.ARMED)
    assert desk.tick(ARMED_S - 30) is State.ARMED
    desk.job = changed(desk.job, since=desk.now)
    assert desk.tick(ARMED_S) is State.ARMED
    assert desk.tick(0.001) is State.DEFERRED
    assert desk.job.hindrances[0].reason == "not_ready_in_time"


def test_a_go_of_another_boot_or_none_is_not_fresh() -> None:
    desk = at(State.PRECHECK)
    assert lease.lapsed(desk.job, desk.now) is None
    other = lease.lapsed(desk.job, stamp(desk.ms, boot="b2"))
    assert other is not None
    assert (other.reason, other.value) == ("go_lapsed", "of another boot")
    late = lease.lapsed(desk.job, stamp(GO_S * 1000 + desk.ms + 1))
    assert late is not None
    assert late.threshold == GO_S
    assert late.value == GO_S + (desk.ms + 1 - _asked_ms(desk)) / 1000
    assert desk.job.asked is not None
    ungranted = msgspec.structs.replace(desk.job.asked, lease_s=None)
    for asked in (None, ungranted):
        without = changed(desk.job, asked=asked)
        missing = lease.lapsed(without, desk.now)
        assert missing is not None
        assert missing.reason == "go_missing"
        assert lease.ends_ms(without) == 0


def _asked_ms(desk: Desk) -> int:
    assert desk.job.asked is not None
    return desk.job.asked.since.mono - upgrading.MONO_MS
