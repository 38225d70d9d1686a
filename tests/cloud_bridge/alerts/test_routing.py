"""What holds for every story that an alert's steps can tell: the flood rule, ends, criticals, repeats."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st

from cloud_bridge.alerts.flood import digests
from cloud_bridge.alerts.model import TOLD, Alert, Change, Phase, What, alert_id, digest
from cloud_bridge.alerts.notice import About, Notification
from cloud_bridge.alerts.routing import route
from cloud_bridge.alerts.standing import LATER, Decision, Routed, Standing
from cloud_bridge.alerts.terms import Quiet
from drivers.ups import Severity
from tests.cloud_bridge.alerts.neighbourhood import (
    CRITICAL,
    DAY,
    INFO,
    MINUTE,
    NOW,
    SECOND,
    WARNING,
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
    silence,
    step,
    subject,
    terms,
    told,
    unsubscribed,
)

ABOUT = [
    *[(unit, condition) for unit in ("rack-1", "rack-2") for condition in ("outage", "fan_fault", "overload")],
    ("cellar", "site_outage"),
    ("pi-1", "gateway_lost"),
    ("rack-1", "communication_lost"),
]
STEPS = ("begin", "grow", "end")


@dataclass
class Story:
    """A story told step by step; each step is routed `times` times over."""

    standing: Standing
    times: int = 1
    now: int = NOW
    onsets: Counter[tuple[str, str]] = field(default_factory=Counter)
    routed: list[tuple[Change, Standing, Routed]] = field(default_factory=list)
    digested: list[Notification] = field(default_factory=list)

    def tell(self, wait: int, which: int, what: str, severity: Severity) -> None:
        self.pass_by(wait)
        of, condition = ABOUT[which % len(ABOUT)]
        open_ones = [
            each for each in self.standing.alerts.values() if (each.subject, each.condition) == (subject(of), condition)
        ]
        if what == "begin" and not open_ones:
            self.onsets[of, condition] += 1
            begun = alert(of, condition, severity, mark=str(self.onsets[of, condition]), fired_at=self.now)
            self.take(begun, What.FIRED)
        elif what == "grow" and open_ones:
            grown = max(open_ones[0].severity, severity, key=list(Severity).index)
            self.take(changed(open_ones[0], severity=grown, worst=grown), What.GREW)
        elif what == "end" and open_ones:
            self.take(changed(open_ones[0], phase=Phase.RESOLVED, resolved_at=self.now), What.RESOLVED)

    def pass_by(self, wait: int) -> None:
        """Time passes, and digests leave."""
        self.now += wait
        for due in digests(self.standing, self.now):
            self.digested += due.notifications
            mutes = {device: mute for device, mute in self.standing.mutes.items() if device != due.device}
            if due.mute is not None:
                mutes[due.device] = due.mute
            self.standing = msgspec.structs.replace(self.standing, mutes=mutes)

    def take(self, of: Alert, what: What) -> None:
        change = Change(alert=of, what=what, at=self.now, reason="it is so")
        for _ in range(self.times):
            before = self.standing
            routed = route(change, before, self.now)
            self.routed.append((change, before, routed))
            self.standing = after(before, change, routed, self.now)

    def end_all(self) -> None:
        for open_one in list(self.standing.alerts.values()):
            self.take(changed(open_one, phase=Phase.RESOLVED, resolved_at=self.now), What.RESOLVED)

    def made(self) -> list[tuple[Change, Notification]]:
        """Every notification once, in the order of making."""
        found: dict[str, tuple[Change, Notification]] = {}
        for change, _, routed in self.routed:
            for each in routed.decisions:
                if each.notification is not None:
                    found.setdefault(each.notification.id, (change, each.notification))
        return list(found.values())


def changed(one: Alert, **fields: object) -> Alert:
    return msgspec.structs.replace(one, number=one.number + 1, **fields)


severities = st.sampled_from([INFO, WARNING, WARNING, CRITICAL])
steps = st.lists(
    st.tuples(
        st.sampled_from([0, SECOND, 20 * SECOND, 4 * MINUTE, 20 * MINUTE, DAY]),
        st.integers(0, len(ABOUT) - 1),
        st.sampled_from(STEPS),
        severities,
    ),
    max_size=40,
)
silences = st.builds(
    silence,
    owner=st.sampled_from([None, 1, 2]),
    since=st.sampled_from([NOW, NOW + 10 * MINUTE]),
    until=st.sampled_from([NOW + 20 * MINUTE, NOW + 2 * DAY]),
    conditions=st.sampled_from([(), ("outage",), ("overload", "fan_fault")]),
    critical=st.booleans(),
)
circumstances = st.lists(
    st.one_of(
        silences,
        st.builds(
            anns,
            quiet=st.sampled_from(
                [None, Quiet(since="13:05", until="07:00"), Quiet(since="12:00", until="13:30", breaks_through=None)]
            ),
        ),
        st.builds(anns, group_s=st.sampled_from([0, 60, 300])),
        st.builds(anns, enabled=st.booleans()),
        st.builds(anns, least=severities),
        st.builds(policy, st.just("ann-phone"), least=severities),
        st.builds(policy, st.just("noc"), owner=st.none(), id=st.just(8), least=severities),
        st.just(unsubscribed("ann@example.net")),
        st.just(planned("pi-1/rack-1", "outage", "overload")),
        st.builds(terms, mute_critical=st.booleans()),
    ),
    max_size=4,
)


def story(circumstances: list[Given], told_steps: list[tuple[int, int, str, Severity]], times: int = 1) -> Story:
    one = Story(given(*circumstances), times)
    for each in told_steps:
        one.tell(*each)
    return one


# Three stories in four are too quiet for the flood rule: a gust of one unit's comes in between.
gusts = st.lists(
    st.tuples(st.sampled_from([0, SECOND, MINUTE]), st.integers(0, 2), st.sampled_from(["begin", "end"]), severities),
    min_size=15,
    max_size=40,
)


@given_any(circumstances, st.one_of(steps, gusts))
@settings(max_examples=150, deadline=None)
def test_never_more_of_a_device_than_the_rule_allows_criticals_aside(
    circumstances: list[Given], told_steps: list[tuple[int, int, str, Severity]]
) -> None:
    one = story(circumstances, told_steps)
    told_at: defaultdict[int, set[tuple[int, tuple[str, int]]]] = defaultdict(set)
    notices: Counter[tuple[int, int]] = Counter()
    owed: Counter[tuple[int, int, int]] = Counter()
    for _, made in one.made():
        if made.device is None:
            continue
        if made.about is About.MUTED:
            notices[made.channel, made.until or 0] += 1
        elif "muted=" in made.group:
            owed[made.device, made.channel, made.due_at] += 1
        elif made.severity is not CRITICAL:
            told_at[made.device].add((made.created_at, made.alerts[0]))
    for instants in told_at.values():
        ordered = sorted(at for at, _ in instants)
        assert all(last - first >= 30 * MINUTE for first, last in zip(ordered, ordered[6:], strict=False))
    assert all(times == 1 for times in notices.values())
    digest_times = {
        (device, channel): [at for d, c, at in owed if (d, c) == (device, channel)] for device, channel, _ in owed
    }
    assert all(
        b - a >= DAY for times in digest_times.values() for a, b in zip(sorted(times), sorted(times)[1:], strict=False)
    )


@given_any(circumstances, st.one_of(steps, gusts))
@settings(max_examples=150, deadline=None)
def test_s22_a_resolve_follows_each_firing_that_was_sent_to_the_same_channel(
    circumstances: list[Given], told_steps: list[tuple[int, int, str, Severity]]
) -> None:
    one = story(circumstances, told_steps)
    one.end_all()
    begun: dict[tuple[str, int], int] = {}
    ended: dict[tuple[str, int], int] = {}
    for change, made in one.made():
        if made.about in (About.ALERT, About.REACHLESS):
            key = (change.alert.id, made.channel)
            if change.what is What.RESOLVED:
                ended[key] = made.due_at
            else:
                begun[key] = min(made.due_at, begun.get(key, made.due_at))
    assert begun.keys() == ended.keys()
    assert all(ended[key] >= at for key, at in begun.items())


def silence_names(standing: Standing, change: Change) -> bool:
    names = {change.alert.condition, change.alert.stage}
    return any(each.critical or names & set(each.conditions) for each in standing.directory.silences.values())


def incident_was_critical(standing: Standing, channel: int | None) -> bool:
    incidents = {"site_outage", "site_dark", "gateway_lost"}
    return any(
        each.condition in incidents
        and channel is not None
        and (heard := standing.told.get((each.id, channel))) is not None
        and heard.worst is CRITICAL
        for each in standing.alerts.values()
    )


def may_withhold(decision: Decision, change: Change, standing: Standing) -> bool:
    match decision.code:
        case "silenced" | "maintenance":
            return silence_names(standing, change)
        case "covered":
            return incident_was_critical(standing, decision.channel)
        case "muted":
            return standing.terms.mute_critical
    return decision.code not in LATER


@given_any(circumstances, st.one_of(steps, gusts))
@settings(max_examples=150, deadline=None)
def test_no_critical_is_withheld_but_by_what_names_it_a_critical_incident_or_mute_critical(
    circumstances: list[Given], told_steps: list[tuple[int, int, str, Severity]]
) -> None:
    for change, standing, routed in story(circumstances, told_steps).routed:
        if change.alert.severity is not CRITICAL or change.what is What.RESOLVED:
            continue
        for decision in routed.decisions:
            if decision.notification is None:
                assert may_withhold(decision, change, standing), decision
        assert routed.decisions, "a critical is told, or it is said why not"


@given_any(circumstances, st.one_of(steps, gusts), st.integers(2, 3))
@settings(max_examples=100, deadline=None)
def test_a_step_that_is_read_again_changes_nothing(
    circumstances: list[Given], told_steps: list[tuple[int, int, str, Severity]], times: int
) -> None:
    once, often = story(circumstances, told_steps), story(circumstances, told_steps, times)
    assert often.standing == once.standing
    assert often.made() == once.made()
    assert often.digested == once.digested


@given_any(st.data())
@settings(max_examples=100, deadline=None)
def test_units_do_not_stand_in_each_others_way(data: st.DataObject) -> None:
    """In whatever order the steps of two units are read, the same is told of them; only when may differ."""
    first = [fired("rack-1", mark=str(number)) for number in range(data.draw(st.integers(0, 9)))]
    second = [fired("nas", mark=str(number)) for number in range(data.draw(st.integers(0, 9)))]
    order = data.draw(st.permutations([0] * len(first) + [1] * len(second)))
    queues = (iter(first), iter(second))
    mixed = route_all([next(queues[which]) for which in order])
    assert mixed == route_all([*first, *second])


def route_all(changes: list[Change]) -> set[str]:
    standing, made = given(), set[str]()
    for change in changes:
        routed = route(change, standing, NOW)
        made |= {each.notification.id for each in routed.decisions if each.notification}
        standing = after(standing, change, routed, NOW)
    return made


def test_a_notification_bears_the_identity_of_its_step_and_channel() -> None:
    change = fired("rack-1")
    (decision,) = route(change, given(), NOW).decisions
    assert decision.notification is not None
    assert decision.notification.id == digest("notification", change.alert.id, "2", "1")
    assert decision.notification.alerts == ((change.alert.id, 2),)
    (later,) = route(change, given(), NOW + MINUTE).decisions
    assert later.notification is not None
    assert later.notification.id == decision.notification.id


@pytest.mark.parametrize("what", sorted(set(What) - TOLD))
def test_other_steps_are_told_to_nobody(what: What) -> None:
    assert route(step(what, "rack-1"), given(told(alert("rack-1"), "ann-mail")), NOW) == Routed()


def test_s22_a_new_devices_default_policy_tells_the_owner_of_warnings_and_above() -> None:
    """That the policy is made with the owner is the registry's; this is that it is enough."""
    for severity, is_told in ((INFO, False), (WARNING, True), (CRITICAL, True)):
        routed = route(fired("shed-ups", "fan_fault", severity), given(), NOW)
        assert [each.notification is not None for each in routed.decisions] == [is_told]


def test_s22_if_nobody_is_left_to_receive_a_critical_the_owner_is_told_once() -> None:
    standing = given(anns(enabled=False))
    change = fired("rack-1", "overload", CRITICAL)
    routed = route(change, standing, NOW)
    (made,) = [each.notification for each in routed.decisions if each.notification]
    assert (made.about, made.channel, made.policy, made.severity) == (About.REACHLESS, 1, None, CRITICAL)
    standing = after(standing, change, routed, NOW)
    grown = step(What.GREW, "rack-1", "overload", CRITICAL, number=3)
    assert not [each for each in route(grown, standing, NOW).decisions if each.notification]
    (end,) = route(over("rack-1", "overload"), standing, NOW).decisions
    assert end.notification is not None


def test_reasons_name_what_there_is_to_name() -> None:
    muted_until = given(muted(0), silence(by="Ann", why="new battery"))
    (decision,) = route(fired("rack-1"), muted_until, NOW).decisions
    assert decision.reason == "silence 1 by Ann (new battery) holds for another 60 min"
    (below,) = route(fired("rack-1", "fan_fault", INFO), given(), NOW).decisions
    assert below.reason == "policy default of Ann asks for warning and above; this is informational"
    site = alert("cellar", "site_outage")
    (covered,) = route(fired("rack-1"), given(is_open(site), told(site, "ann-mail")), NOW).decisions
    assert covered.reason == "site_outage of cellar was told to this channel, and lists it"


def test_alert_ids_are_of_subject_condition_and_onset() -> None:
    assert fired("rack-1", mark="7").alert.id == alert_id(subject("rack-1"), "outage", "7")
