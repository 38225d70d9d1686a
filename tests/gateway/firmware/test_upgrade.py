"""What holds in every state of an upgrade: intent before act, cancel, halt, new process, end (gateway-ota.md A5)."""

from __future__ import annotations

import msgspec
import pytest

from gateway.firmware import events
from gateway.firmware.effects import (
    AskForGo,
    Download,
    Effect,
    Enter,
    HoldDownload,
    Lock,
    Probe,
    RaiseCounter,
    ReadIdentity,
    ReadUnit,
    Record,
    Release,
    Report,
    SendImage,
)
from gateway.firmware.job import REVISIONS, changed, new
from gateway.firmware.states import BEYOND, PREPARING, TERMINAL, State
from gateway.firmware.upgrade import recover, step
from gateway.wire.messages import Clock
from tests.gateway.firmware import upgrading
from tests.gateway.firmware.upgrade_desk import Desk, at
from tests.gateway.firmware.upgrading import FALLBACK_SHA, HOUR_MS, NEW, SHA, stamp


def test_the_way_of_an_upgrade_to_which_nothing_happens() -> None:
    desk = at(State.COMMITTED)
    assert desk.transition.rev == desk.job.rev == 10
    assert desk.effects == (
        Record(desk.transition),
        RaiseCounter(hardware_id="1026", counter=41),
        Release(job=desk.job.id, keys=("serial AS1", "port /dev/ttyS0", "unit rack-1")),
        Report(desk.transition),
    )
    assert desk.transition.evidence == {"version": NEW, "readings": 2, "over_s": 20.0}


@pytest.mark.parametrize("state", sorted(set(State) - TERMINAL - {State.PAUSED, State.RECOVERING, State.DEFERRED}))
def test_what_acts_on_the_unit_stands_behind_the_record_of_its_intent(state: State) -> None:
    desk = at(state)
    for effect in desk.effects:
        if isinstance(effect, (Enter, SendImage)):
            assert isinstance(desk.effects[0], Record)
            assert desk.transition.after is state


@pytest.mark.parametrize("state", sorted(PREPARING - {State.PAUSED, State.DEFERRED}))
def test_invariant_14_a_cancel_before_entering_ends_it(state: State) -> None:
    desk = at(state)
    assert desk.tell(events.Cancelled(now=desk.now, by="Ann")) is State.CANCELLED
    assert desk.asked(HoldDownload) is (state is State.DOWNLOADING)
    assert desk.asked(Release) is (state is State.ARMED)


@pytest.mark.parametrize("state", sorted(BEYOND - {State.RECOVERING}))
def test_invariant_15_a_cancel_after_entering_is_recorded_once_and_not_obeyed(state: State) -> None:
    desk = at(state)
    before = desk.job
    assert desk.tell(events.Cancelled(now=desk.now, by="Ann")) is state
    assert desk.transition.cause == "cancel_not_obeyed"
    assert desk.job == changed(before, rev=before.rev + 1, cancel_asked=True)
    desk.tell(events.Cancelled(now=desk.now, by="Ann"))
    assert desk.effects == ()
    desk.tell(events.Halted(now=desk.now, by="Ann"))
    assert desk.transition.cause == "halt_not_obeyed"


def test_invariant_15_a_cancel_is_obeyed_as_soon_as_the_unit_is_found_as_it_was() -> None:
    desk = at(State.ENTERING)
    desk.tell(events.Cancelled(now=desk.now, by="Ann"))
    desk.tell(events.EnterRefused(now=desk.now, reason="busy"))
    assert desk.tick(1) is State.CANCELLED


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (State.DOWNLOADING, State.PAUSED),
        (State.WAITING, State.WAITING),
        (State.PRECHECK, State.WAITING),
        (State.ARMED, State.WAITING),
    ],
)
def test_a_halt_stops_what_has_not_begun(state: State, after: State) -> None:
    desk = at(state)
    assert desk.tell(events.Halted(now=desk.now, by="Ann")) is after
    assert desk.job.halted
    desk.ms += HOUR_MS
    assert desk.tick() is after
    assert desk.effects == ()
    desk.tell(events.Resumed(now=desk.now, by="Ann"))
    assert desk.asked(Download) or desk.asked(ReadUnit)


@pytest.mark.parametrize("state", [State.OFFERED, State.DOWNLOADING, State.WAITING, State.PRECHECK, State.ARMED])
def test_an_order_ends_with_its_window_by_a_trusted_clock_only(state: State) -> None:
    desk = at(state)
    desk.skew_ms = 48 * HOUR_MS - desk.ms
    unsure = msgspec.structs.replace(desk.now, clock=Clock.UNSYNCHRONISED.value)
    assert step(desk.job, events.Tick(now=unsure))[0].state is not State.CANCELLED
    assert step(desk.job, events.Tick(now=msgspec.structs.replace(desk.now, at=desk.now.at - 1)))[0].open
    assert desk.tick() is State.CANCELLED
    assert desk.transition.cause == "order_expired"


@pytest.mark.parametrize(
    ("state", "after", "asks"),
    [
        (State.OFFERED, State.OFFERED, None),
        (State.DOWNLOADING, State.DOWNLOADING, Download),
        (State.VERIFIED, State.VERIFIED, None),
        (State.WAITING, State.WAITING, None),
        (State.PRECHECK, State.WAITING, None),
        (State.ARMED, State.WAITING, None),
        (State.ENTERING, State.ENTERING, Lock),
        (State.TRANSFERRING, State.RECOVERING, Lock),
        (State.REBOOTING, State.REBOOTING, Lock),
        (State.SETTLING, State.SETTLING, Lock),
        (State.COMMITTED, State.COMMITTED, None),
    ],
)
def test_invariant_11_a_new_process_goes_on_as_the_table_says_and_twice_is_once(
    state: State, after: State, asks: type[Effect] | None
) -> None:
    desk = at(state)
    now = stamp(5, boot="b2")
    once, effects = recover(desk.job, now)
    assert once.state is after
    assert [effect for effect in effects if isinstance(effect, (Enter, SendImage, AskForGo))] == []
    assert asks is None or any(isinstance(effect, asks) for effect in effects)
    assert recover(once, now)[0] == once
    assert not once.locked
    assert once.asked is None


@pytest.mark.parametrize(
    ("state", "asks"), [(State.ENTERING, Probe), (State.REBOOTING, Probe), (State.SETTLING, ReadIdentity)]
)
def test_a_new_process_asks_the_unit_once_it_has_the_port(state: State, asks: type[Effect]) -> None:
    desk = at(state)
    desk.tell(events.Recovered(now=desk.now))
    desk.tell(events.NotLocked(now=desk.now, key="port", holder="f" * 32))
    desk.tick(5)
    assert desk.asked(Lock)
    desk.tell(events.Locked(now=desk.now))
    assert desk.asked(asks)


def test_a_new_process_in_the_same_boot_keeps_the_delay_of_what_was_deferred_and_another_boot_does_not() -> None:
    desk = at(State.WAITING)
    desk.reads(charge_pct=10.0)
    desk.tell(events.Recovered(now=desk.now))
    desk.tick(59)
    assert not desk.asked(ReadUnit)
    assert any(isinstance(each, ReadUnit) for each in step(desk.job, events.Tick(now=stamp(boot="b2")))[1])
    desk.tick(1)
    assert desk.asked(ReadUnit)


def test_a_new_process_looks_at_both_images_again() -> None:
    desk = at(State.DOWNLOADING, with_fallback=True)
    desk.tell(events.Verified(now=desk.now, sha256=SHA))
    desk.tell(events.Recovered(now=desk.now))
    assert [each.sha256 for each in desk.effects if isinstance(each, Download)] == [SHA]
    assert desk.tell(events.Verified(now=desk.now, sha256=SHA)) is State.DOWNLOADING
    assert [each.sha256 for each in desk.effects if isinstance(each, Download)] == [FALLBACK_SHA]


def test_a_new_process_does_not_wait_for_what_the_one_before_asked() -> None:
    desk = at(State.WAITING)
    desk.tick()
    desk.tell(events.Recovered(now=desk.now))
    desk.tick()
    assert desk.asked(ReadUnit)


def test_invariant_10_a_job_that_goes_round_in_circles_needs_hands() -> None:
    desk = at(State.WAITING)
    desk.job = changed(desk.job, rev=REVISIONS)
    assert desk.reads(charge_pct=10.0) is State.NEEDS_HANDS
    assert desk.transition.cause == "loop"
    assert desk.transition.evidence == {"wanted": "deferred"}
    one_left = at(State.WAITING)
    one_left.job = changed(one_left.job, rev=REVISIONS - 1)
    assert one_left.reads(charge_pct=10.0) is State.DEFERRED


def test_what_ends_a_job_is_told_as_it_is_even_then() -> None:
    desk = at(State.SETTLING)
    desk.job = changed(desk.job, rev=REVISIONS)
    desk.reads(NEW)
    desk.ms += 20_000
    assert desk.reads(NEW) is State.COMMITTED


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_an_end_is_never_left(state: State) -> None:
    desk = Desk(changed(upgrading.job(), state=state, rev=3))
    for event in (
        events.Tick(now=desk.now),
        events.Cancelled(now=desk.now),
        events.Recovered(now=desk.now),
        events.Entered(now=desk.now),
        events.Verified(now=desk.now, sha256=SHA),
    ):
        assert step(desk.job, event) == (desk.job, ())


def test_a_job_is_made_of_what_its_order_names_only() -> None:
    made = upgrading.job(with_fallback=True)
    other_path = msgspec.structs.replace(made.images[0], target="1026/other.bin")
    other_bytes = msgspec.structs.replace(upgrading.fallback(), target=made.order.target)
    for wrong in (other_path, other_bytes):
        with pytest.raises(ValueError, match="the order names"):
            new(made.order, (wrong,), stamp(), port="p", turn="t")
    with pytest.raises(ValueError, match="the fallback of"):
        new(made.order, made.images[:1], stamp(), port="p", turn="t")


def test_a_note_does_not_break_a_transfer_that_is_near_its_last_transition() -> None:
    desk = at(State.TRANSFERRING)
    desk.job = changed(desk.job, rev=REVISIONS - 1)
    desk.tell(events.Halted(now=desk.now, by="Ann"))
    assert desk.job.rev == REVISIONS
    assert desk.tell(events.Cancelled(now=desk.now, by="Ann")) is State.TRANSFERRING
    assert desk.job.rev == REVISIONS
    assert desk.job.cancel_asked
