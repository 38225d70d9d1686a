"""Claims about every order, repetition and interruption of what a board is told."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.alerts.board import Board
from cloud_bridge.alerts.conditions import sightings
from cloud_bridge.alerts.model import TOLD, Alert, Change, Phase, Sighting, What
from cloud_bridge.alerts.terms import Terms
from drivers.ups import Severity
from tests.cloud_bridge.alerts.boards import START, event, stored

TERMS = Terms(flap_changes=3, flap_window_s=120)
KINDS = (
    "on_battery",
    "mains_restored",
    "low_battery",
    "low_battery_cleared",
    "output_off",
    "output_on",
    "overload",
    "overload_cleared",
    "self_test_failed",
    "self_test_passed",
    "unit_restarted",
)
UNITS = ("rack-1", "rack-2", "nas")
OVER = {What.RESOLVED, What.DROPPED}


class Step(msgspec.Struct, frozen=True):
    """What a unit tells, so long after the step before; `kind` empty: the gateway's backlog is over."""

    unit: str
    kind: str
    after_ms: int
    history: bool


class Told(msgspec.Struct, frozen=True):
    """A step at its instant. No `what`: the backlog is over."""

    at: int
    what: tuple[Sighting, ...]


steps = st.builds(
    Step,
    st.sampled_from(UNITS),
    st.sampled_from((*KINDS, "")),
    st.one_of(st.just(0), st.integers(0, 8000), st.integers(0, 400_000)),
    st.integers(0, 3).map(lambda chance: chance == 0),
)
stories = st.lists(steps, max_size=40)


def told(story: Sequence[Step]) -> list[Told]:
    at, made = START, []
    for number, step in enumerate(story, start=1):
        at += step.after_ms
        row = event(step.kind, number, at, unit=step.unit, history=step.history, details={"charge_pct": 90})
        made.append(Told(at, tuple(sightings(row)) if step.kind else ()))
    return made


class Run:
    """A board, and what it changed."""

    def __init__(self) -> None:
        self.board = Board(TERMS)
        self.changes: list[Change] = []
        self.kept: dict[str, Alert] = {}

    def goes(self, story: Iterable[Told]) -> Run:
        for one in story:
            self.wakes(one.at)
            self.takes(one)
        return self

    def takes(self, one: Told) -> None:
        for sighting in one.what:
            self.keeps(self.board.take(sighting, one.at))
        if not one.what:
            self.keeps(self.board.backlog_over("pi", one.at))

    def wakes(self, now: int) -> Run:
        while (due := self.board.due_at()) is not None and due <= now:
            self.keeps(self.board.tick(due))
        return self

    def keeps(self, changes: list[Change]) -> None:
        self.changes += changes
        self.kept |= {change.alert.id: change.alert for change in changes}

    def restarts(self) -> None:
        self.board = Board(TERMS, stored(self.kept))

    @property
    def by_name(self) -> dict[tuple[str, int], Change]:
        return {(change.alert.id, change.alert.number): change for change in self.changes}


@given(story=stories)
def test_an_alert_has_one_beginning_and_one_end_and_its_numbers_count_up_by_one(story: list[Step]) -> None:
    run = Run().goes(told(story)).wakes(START + 10**9)
    lives: defaultdict[str, list[Change]] = defaultdict(list)
    for change in run.changes:
        lives[change.alert.id].append(change)
    for life in lives.values():
        assert [change.alert.number for change in life] == list(range(1, len(life) + 1))
        whats = [change.what for change in life]
        assert whats.count(What.FIRED) + whats.count(What.SUMMARY) + whats.count(What.UNSTABLE) >= (
            0 if What.DROPPED in whats or life[-1].alert.phase is Phase.PENDING else 1
        )
        assert whats.count(What.FIRED) <= 1
        assert whats.count(What.RESOLVED) <= 1
        assert not OVER & set(whats[:-1])
        if What.RESOLVED in whats:
            assert {What.FIRED, What.UNSTABLE} & set(whats)
        assert all(change.alert.phase is not Phase.RESOLVED for change in life[:-1])


@given(story=stories)
def test_no_more_than_one_alert_of_a_condition_is_open(story: list[Step]) -> None:
    run = Run()
    for one in told(story):
        run.goes([one])
        keys = Counter((alert.subject, alert.condition) for alert in run.board.alerts.values())
        assert not keys or max(keys.values()) == 1
        assert all(alert.phase is not Phase.RESOLVED for alert in run.board.alerts.values())
        assert dict(run.board.alerts) == {
            alert.id: alert for alert in run.kept.values() if alert.phase is not Phase.RESOLVED
        }


@given(story=stories, data=st.data())
def test_a_repetition_at_any_later_time_changes_nothing(story: list[Step], data: st.DataObject) -> None:
    once = told(story)
    twice: list[Told] = []
    for place, one in enumerate(once):
        twice.append(one)
        old = data.draw(st.integers(0, place))
        if once[old].what:
            twice.append(Told(one.at, once[old].what))
    assert Run().goes(twice).changes == Run().goes(once).changes


@given(story=stories, stops=st.sets(st.integers(0, 39)))
def test_a_restart_at_any_time_changes_nothing(story: list[Step], stops: set[int]) -> None:
    run = Run()
    for place, one in enumerate(told(story)):
        run.goes([one])
        if place in stops:
            run.restarts()
    run.wakes(START + 10**9)
    assert run.changes == Run().goes(told(story)).wakes(START + 10**9).changes


@given(story=stories, ends=st.sets(st.integers(0, 39)))
def test_it_does_not_matter_when_it_is_woken_in_between(story: list[Step], ends: set[int]) -> None:
    """A batch is taken at once, and what became due meanwhile comes after it."""
    late = Run()
    for place, one in enumerate(told(story)):
        late.takes(one)
        if place in ends:
            late.wakes(one.at)
    late.wakes(START + 10**9)
    assert late.by_name == Run().goes(told(story)).wakes(START + 10**9).by_name


@given(story=stories, order=st.permutations(UNITS))
def test_the_order_between_units_does_not_matter(story: list[Step], order: list[str]) -> None:
    units = [
        [one for one, step in zip(told(story), story, strict=True) if step.unit == unit and step.kind] for unit in order
    ]
    together, apart = Run(), Run()
    together.goes(one for one, step in zip(told(story), story, strict=True) if step.kind)
    for unit in units:
        for one in unit:
            apart.takes(one)
    assert apart.wakes(START + 10**9).by_name == together.wakes(START + 10**9).by_name


@given(story=stories)
def test_a_live_critical_is_told_the_moment_it_is_taken(story: list[Step]) -> None:
    run = Run()
    worst_told: dict[str, Severity] = {}
    for one, step in zip(told(story), story, strict=True):
        run.goes([one])
        for change in run.changes:
            if change.what in TOLD:
                worst_told[change.alert.id] = change.alert.worst
        if step.kind in ("low_battery", "output_off", "overload") and not step.history:
            [alert] = [a for a in run.board.alerts.values() if a.subject == one.what[0].subject
                       and a.condition == one.what[0].condition]  # fmt: skip
            assert alert.phase is Phase.FIRING
            assert worst_told[alert.id] is Severity.CRITICAL


backlogs = st.lists(st.sampled_from(KINDS), max_size=20)


@given(kinds=backlogs)
def test_s17_a_backlog_gives_a_firing_of_what_is_so_and_a_summary_of_what_was(kinds: list[str]) -> None:
    run = Run().goes(told([Step("rack-1", kind, 0, history=True) for kind in kinds]))
    assert not [change for change in run.changes if change.what in TOLD]
    run.keeps(run.board.backlog_over("pi", START))
    fired = {change.alert.condition for change in run.changes if change.what is What.FIRED}
    summed = {
        change.alert.condition: change.alert.details.get("times", 1)
        for change in run.changes
        if change.what is What.SUMMARY
    }
    assert (fired, summed) == _by_counting(kinds)
    assert len([change for change in run.changes if change.what in TOLD]) == len(fired) + len(summed)


def _by_counting(kinds: list[str]) -> tuple[set[str], dict[str, int]]:
    """Which conditions are on at the end, and how often each was over before."""
    on: defaultdict[str, set[str]] = defaultdict(set)
    times: Counter[str] = Counter()
    over = {
        "mains_restored": ("outage", {"on_battery", "low_battery"}),
        "low_battery_cleared": ("outage", {"low_battery"}),
        "output_on": ("outage", {"output_off"}),
        "overload_cleared": ("overload", {"overload"}),
        "self_test_passed": ("self_test_failed", {"self_test_failed"}),
    }
    for kind in kinds:
        if kind in over:
            condition, stages = over[kind]
            was = bool(on[condition])
            on[condition] -= stages
            times[condition] += was and not on[condition]
        if kind in ("self_test_passed", "unit_restarted"):
            times[kind] += 1
        elif kind not in over:
            on["outage" if kind in ("on_battery", "low_battery", "output_off") else kind].add(kind)
    return {condition for condition, stages in on.items() if stages}, {name: n for name, n in times.items() if n}
