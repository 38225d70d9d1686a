"""When a certificate is renewed, and that an old pair is given up only for one that has worked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.renewal import (
    HALF_LIFE,
    RETRIAL_MOST_S,
    RETRY_MOST_S,
    SPREAD,
    UNANSWERED,
    Outcome,
    Stage,
    Trial,
    Turned,
    Verdict,
    begun,
    due_at,
    failed,
    is_due,
    retrial_s,
    retry_s,
    turned,
    worked,
)

ENDS = datetime(2027, 2, 22, tzinfo=UTC)
LIFE = timedelta(days=90)


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=32))
def test_a_certificate_is_renewed_at_half_its_life_or_days_later_and_always_long_before_its_end(name: str) -> None:
    at = due_at(ENDS, name)
    assert ENDS - LIFE / 2 <= at < ENDS - LIFE / 2 + SPREAD
    assert timedelta(days=30) < ENDS - at
    assert at == due_at(ENDS, name)


def test_a_fleet_that_was_set_up_on_one_day_comes_back_on_many() -> None:
    days = {(due_at(ENDS, f"pi-{number}") - (ENDS - HALF_LIFE)).days for number in range(200)}
    assert days == set(range(SPREAD.days))


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_tries_grow_rarer_and_never_stop(failures: int, chance: float) -> None:
    assert 400 <= retry_s(failures, chance) <= RETRY_MOST_S * 1.25
    assert retry_s(failures, chance) <= retry_s(failures + 1, chance)
    assert 3600 <= retrial_s(failures) <= retrial_s(failures + 1) <= RETRIAL_MOST_S


@pytest.mark.parametrize(
    ("days", "new_days", "away", "believed", "due"),
    [
        (80, None, False, True, False),
        (30, None, False, True, True),
        (-400, None, False, True, True),
        (30, None, False, False, False),
        (-400, None, False, False, False),
        (80, None, True, False, True),
        (30, 80, True, True, False),
        (30, 80, False, True, False),
        (-10, 30, False, True, True),
        (None, None, False, True, False),
        (None, None, True, True, True),
    ],
)
def test_when_a_new_certificate_is_asked_for(
    days: int | None, new_days: int | None, away: bool, believed: bool, due: bool
) -> None:
    """By dates only if the clock can be believed; because the cloud turns us away only if there is none to be tried."""
    now = ENDS - LIFE
    known = Outcome(
        ends_at=None if days is None else now + timedelta(days=days),
        new_ends_at=None if new_days is None else now + timedelta(days=new_days),
    )
    assert is_due(known, away, now if believed else None, "pi") is due


def test_a_network_that_is_down_is_no_refusal_and_a_broker_that_hangs_up_is_the_third_time() -> None:
    down = hung_up = Turned()
    for number in range(1, 10):
        down = turned(down, opened=False, hopeless=False)
        hung_up = turned(hung_up, opened=True, hopeless=False)
        assert not down.away
        assert hung_up.away is (number >= UNANSWERED)
    assert turned(Turned(), opened=False, hopeless=True).away


def test_a_network_that_is_down_hands_over_from_one_pair_to_the_other_and_gives_neither_up() -> None:
    trial = begun(Trial())
    used = []
    for _ in range(4):
        used.append(trial.is_new)
        trial = failed(trial, with_new=trial.is_new)
    assert used == [True, False, True, False]
    assert worked(trial, with_new=True) == (Trial(), Verdict.TAKE)


def test_where_the_old_pair_works_after_the_new_one_did_not_it_goes_on() -> None:
    trial = failed(begun(Trial()), with_new=True)
    trial, verdict = worked(trial, with_new=False)
    assert (trial.stage, trial.refusals, verdict) == (Stage.HELD, 1, Verdict.GO_ON)
    assert worked(trial, with_new=False) == (trial, Verdict.NOTHING), "told once"
    assert failed(trial, with_new=False) is trial, "while it is held, only the old one is used"
    again = begun(trial)
    assert (again.is_new, again.refusals) == (True, 1)


@pytest.mark.parametrize("with_new", [True, False])
def test_without_a_new_pair_nothing_that_happens_means_anything(with_new: bool) -> None:
    assert failed(Trial(), with_new=with_new) == Trial()
    assert worked(Trial(), with_new=with_new) == (Trial(), Verdict.NOTHING)


class Connecting(RuleBasedStateMachine):
    """A gateway with any network and any cloud; connections end or are answered after others began to be wished for."""

    def __init__(self) -> None:
        super().__init__()
        self.trial = Trial()
        self.has_new = False
        self.live: bool | None = None
        self.proved = False

    @precondition(lambda self: not self.has_new)
    @rule()
    def a_new_pair_comes(self) -> None:
        self.has_new, self.proved = True, False
        self.trial = begun(self.trial)

    @precondition(lambda self: self.trial.stage is Stage.HELD)
    @rule()
    def it_is_tried_again(self) -> None:
        self.trial = begun(self.trial)

    @precondition(lambda self: self.live is None)
    @rule()
    def connect(self) -> None:
        self.live = self.trial.is_new

    @precondition(lambda self: self.live is not None)
    @rule()
    def fail(self) -> None:
        assert self.live is not None
        self.trial = failed(self.trial, with_new=self.live)
        self.live = None

    @precondition(lambda self: self.live is not None)
    @rule(then_ends=st.booleans())
    def answer(self, then_ends: bool) -> None:
        assert self.live is not None
        self.proved = self.proved or (self.live and self.has_new)
        self.trial, verdict = worked(self.trial, with_new=self.live)
        if verdict is Verdict.TAKE:
            assert self.proved, "the old pair is given up for one that has worked"
            self.has_new = False
        else:
            assert not (self.live and self.has_new), "one that works is taken"
        self.live = None if then_ends or verdict is Verdict.TAKE else self.live

    @invariant()
    def a_pair_that_is_not_there_is_not_used(self) -> None:
        assert self.has_new or not self.trial.is_new


TestConnecting = Connecting.TestCase
