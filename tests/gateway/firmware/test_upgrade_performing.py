"""An upgrade from the command to enter to its end, each transition as a sentence (gateway-ota.md A5)."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.ups import Flag
from drivers.ups import State as Power
from gateway.firmware import events
from gateway.firmware.effects import (
    Probe,
    ReadIdentity,
    Release,
    SendImage,
)
from gateway.firmware.events import Found
from gateway.firmware.holding import PATIENCE
from gateway.firmware.performing import OLD_FOR_S
from gateway.firmware.states import BEYOND, State
from gateway.wire.firmware import Recover
from tests.gateway.firmware import upgrading
from tests.gateway.firmware.upgrade_desk import BOOT_MS, at, recovering
from tests.gateway.firmware.upgrading import FALLBACK_SHA, NEW, OLD, SHA, stamp


def test_a_unit_that_refuses_to_enter_is_left_as_it_is() -> None:
    desk = at(State.ENTERING)
    assert desk.tell(events.EnterRefused(now=desk.now, reason="on_battery")) is State.DEFERRED
    assert desk.job.hindrances[0].value == "on_battery"
    assert desk.asked(Release)


def test_s1_a_command_without_an_answer_is_never_repeated_but_looked_into() -> None:
    desk = at(State.ENTERING)
    assert desk.tell(events.EnterUnanswered(now=desk.now)) is State.ENTERING
    assert desk.effects == (Probe(),)
    assert desk.finds(Found.BOOT_LOADER) is State.RECOVERING
    assert desk.finds(Found.BOOT_LOADER) is State.TRANSFERRING
    assert desk.asked(SendImage)


def test_a_unit_that_did_not_enter_is_believed_after_ten_seconds_and_needs_a_new_go() -> None:
    desk = at(State.ENTERING)
    desk.tell(events.EnterUnanswered(now=desk.now))
    assert desk.finds(Found.ANSWERS, OLD) is State.ENTERING
    desk.ms += round(OLD_FOR_S * 1000) - 1
    assert desk.finds(Found.ANSWERS, OLD) is State.ENTERING
    desk.ms += 1
    assert desk.finds(Found.ANSWERS, OLD) is State.WAITING
    assert desk.job.asked is None


def test_a_silence_between_makes_the_ten_seconds_begin_anew() -> None:
    desk = at(State.ENTERING)
    desk.finds(Found.ANSWERS, OLD)
    desk.ms += round(OLD_FOR_S * 1000)
    desk.finds(Found.SILENCE)
    assert desk.finds(Found.ANSWERS, OLD) is State.ENTERING


@pytest.mark.parametrize("begin", [lambda: at(State.ENTERING), recovering])
def test_a_unit_that_is_silent_for_three_times_its_start_needs_hands(begin: Any) -> None:
    desk = begin()
    desk.ms += PATIENCE * BOOT_MS - 1
    assert desk.finds(Found.SILENCE) in BEYOND
    desk.ms += 1
    assert desk.finds(Found.SILENCE) is State.NEEDS_HANDS
    assert desk.transition.cause == "silent"
    assert desk.asked(Release)


def test_without_mains_a_silent_unit_is_waited_for() -> None:
    desk = recovering()
    desk.ms += PATIENCE * BOOT_MS
    assert desk.finds(Found.SILENCE, mains=False) is State.RECOVERING
    desk.ms += PATIENCE * BOOT_MS - 1
    assert desk.finds(Found.SILENCE) is State.RECOVERING


def test_a_boot_loader_without_mains_is_not_fed() -> None:
    desk = recovering()
    assert desk.finds(Found.BOOT_LOADER, mains=False) is State.RECOVERING
    assert desk.effects == ()
    assert desk.finds(Found.BOOT_LOADER, mains=None) is State.TRANSFERRING


@pytest.mark.parametrize("who", [{"serial": "AS2"}, {"product_id": 7}])
def test_invariant_2_another_unit_behind_the_boot_loader_gets_nothing(who: dict[str, Any]) -> None:
    desk = recovering()
    assert desk.finds(Found.BOOT_LOADER, OLD, **who) is State.NEEDS_HANDS
    assert desk.transition.cause == "another_unit"


def test_a_broken_transfer_begins_at_block_1_so_often_then_the_fallback_then_hands() -> None:
    desk = at(State.TRANSFERRING, with_fallback=True)
    sent = []
    for _ in range(5):
        sent += [effect.sha256 for effect in desk.effects if isinstance(effect, SendImage)]
        if desk.job.state is not State.TRANSFERRING:
            break
        desk.tell(events.Sending(now=desk.now, blocks=5))
        desk.tell(events.TransferFailed(now=desk.now, reason="line", blocks=4))
        assert desk.transition.evidence["blocks"] == 5
        desk.finds(Found.BOOT_LOADER)
    assert sent == [SHA, SHA, FALLBACK_SHA, FALLBACK_SHA]
    assert desk.job.state is State.NEEDS_HANDS
    assert desk.transition.cause == "tries_spent"


def test_without_a_fallback_a_person_is_needed_when_the_tries_are_spent() -> None:
    desk = recovering(recover=Recover(same_image=0))
    assert desk.finds(Found.BOOT_LOADER) is State.NEEDS_HANDS
    assert desk.transition.cause == "tries_spent"


def test_a_unit_that_answers_without_saying_who_it_is_is_as_good_as_silent() -> None:
    desk = recovering()
    assert desk.finds(Found.ANSWERS) is State.RECOVERING
    assert desk.finds(Found.ANSWERS, OLD, serial=None) is State.RECOVERING
    assert desk.job.old_since_ms is None
    desk.ms += PATIENCE * BOOT_MS
    assert desk.finds(Found.ANSWERS) is State.NEEDS_HANDS


def test_a_question_that_nothing_ever_answers_does_not_go_on_for_ever() -> None:
    desk = recovering()
    assert desk.tick((PATIENCE + 1) * BOOT_MS / 1000 - 0.001) is State.RECOVERING
    assert desk.tick(5) is State.NEEDS_HANDS
    assert desk.transition.cause == "silent"


def test_a_transfer_that_never_ends_is_ended() -> None:
    desk = at(State.TRANSFERRING)
    limit_s = desk.job.facts.transfer.max_s + desk.job.facts.transfer.quiet_s
    assert desk.tick(limit_s) is State.TRANSFERRING
    assert desk.tick(0.001) is State.RECOVERING
    assert desk.asked(Probe)


@pytest.mark.parametrize(
    ("found", "version", "cause"),
    [
        (Found.BOOT_LOADER, None, "boot_loader"),
        (Found.ANSWERS, OLD, "old_version_answers"),
        (Found.SILENCE, None, "silent"),
    ],
)
def test_a_start_that_took_too_long_is_looked_into(found: Found, version: str | None, cause: str) -> None:
    desk = at(State.REBOOTING)
    desk.ms += BOOT_MS - 1
    assert desk.finds(found, version) is State.REBOOTING
    desk.ms += 1
    assert desk.finds(found, version) is State.RECOVERING
    assert desk.transition.cause == cause


def test_a_sign_of_life_is_followed_by_a_question() -> None:
    desk = at(State.REBOOTING)
    assert desk.tell(events.Booted(now=desk.now)) is State.REBOOTING
    assert desk.effects == (Probe(),)
    desk.tick(4.9)
    assert not desk.asked(Probe)
    desk.tick(0.1)
    assert desk.asked(Probe)


def test_a_version_nobody_sent_needs_hands() -> None:
    desk = at(State.REBOOTING)
    assert desk.finds(Found.ANSWERS, "15.9") is State.NEEDS_HANDS
    assert desk.transition.evidence == {"version": "15.9"}


def test_a_unit_that_keeps_its_old_version_is_tried_so_often_and_then_needs_hands() -> None:
    desk = recovering(recover=Recover(same_image=0))
    desk.finds(Found.ANSWERS, OLD)
    desk.ms += round(OLD_FOR_S * 1000)
    assert desk.finds(Found.ANSWERS, OLD) is State.NEEDS_HANDS
    assert desk.transition.cause == "still_old_version"
    again = recovering(recover=Recover(same_image=1))
    again.finds(Found.ANSWERS, OLD)
    again.ms += round(OLD_FOR_S * 1000)
    assert again.finds(Found.ANSWERS, OLD) is State.WAITING


def test_invariant_16_the_version_is_read_twice_over_the_time_it_has_to_settle() -> None:
    desk = at(State.SETTLING)
    asked_before = upgrading.readings(stamp(desk.ms - 100), NEW)
    desk.ms += 500
    desk.reads(seen=asked_before)
    counted = desk.job.polls
    assert counted == ()
    assert desk.reads(NEW) is State.SETTLING
    assert desk.reads(NEW) is State.SETTLING
    assert len(desk.job.polls) == 1
    desk.ms += 19_999
    assert desk.reads(NEW) is State.SETTLING
    desk.ms += 1
    assert desk.reads(NEW) is State.COMMITTED


def test_invariant_16_a_unit_that_reads_wrong_between_begins_anew() -> None:
    desk = at(State.SETTLING)
    desk.reads(NEW)
    desk.ms += 10_000
    desk.reads(NEW, flags=frozenset({Flag.FIRMWARE_MISMATCH}))
    desk.ms += 10_000
    assert desk.reads(NEW) is State.SETTLING
    desk.ms += 20_000
    assert desk.reads(NEW, state=Power.ON_BATTERY) is State.COMMITTED


@pytest.mark.parametrize(
    ("shown", "doubt"),
    [
        ({"state": Power.OFF}, "state off"),
        ({"state": None}, "state unknown"),
        ({"flags": frozenset({Flag.INVERTER})}, "inverter"),
    ],
)
def test_a_unit_that_is_never_well_afterwards_needs_hands(shown: dict[str, Any], doubt: str) -> None:
    desk = at(State.SETTLING)
    desk.reads(NEW, **shown)
    assert desk.tick(120) is State.SETTLING
    assert desk.tick(0.001) is State.NEEDS_HANDS
    assert desk.transition.cause == "not_sane"
    assert desk.transition.evidence == {"doubt": doubt}


def test_a_unit_that_falls_silent_afterwards_is_looked_into() -> None:
    desk = at(State.SETTLING)
    assert desk.tick(120) is State.SETTLING
    assert desk.asked(ReadIdentity)
    assert desk.tick(0.001) is State.RECOVERING


@pytest.mark.parametrize(
    ("version", "state"), [(OLD, State.RECOVERING), ("15.9", State.NEEDS_HANDS), (NEW, State.SETTLING)]
)
def test_invariant_16_another_version_is_never_committed(version: str, state: State) -> None:
    assert at(State.SETTLING).reads(version) is state


def test_the_fallback_is_committed_under_its_own_name_and_counter() -> None:
    desk = recovering(with_fallback=True)
    assert desk.finds(Found.ANSWERS, "15.3") is State.SETTLING
    desk.reads("15.3")
    desk.ms += 20_000
    assert desk.reads("15.3") is State.COMMITTED
    assert desk.transition.cause == "fallback"
