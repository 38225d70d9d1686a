"""Who is told of a change of an alert, when, and why, or why not. Pure. Instants are UTC milliseconds.

In this order: wishes (policies and the operator's tree), what withholds it for a while, one notice a channel, the flood
rule, and where nobody is left to hear of a critical, the owner (S22). docs/alerts.md tells it to people.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud_bridge.alerts import reach
from cloud_bridge.alerts.deciding import Place, decided, place_of
from cloud_bridge.alerts.inhibition import Held, held
from cloud_bridge.alerts.matching import Case, matter_of
from cloud_bridge.alerts.model import TOLD, Change, What
from cloud_bridge.alerts.muting import Judged, by_the_flood_rule
from cloud_bridge.alerts.notice import TELLING, Notification
from cloud_bridge.alerts.ranks import worst_of
from cloud_bridge.alerts.recipients import Recipient, declined, recipients
from cloud_bridge.alerts.standing import LATER, Decision, Routed, Standing, Told
from drivers.ups import Severity


def route(change: Change, standing: Standing, now: int) -> Routed:
    """What becomes of one change. Asked again once `standing` has its results, it tells nobody twice."""
    if change.what not in TOLD:
        return Routed()
    case = Case(change, matter_of(change.alert.subject, standing.directory), standing, now)
    wishes = [reach.by_account(each, case) for each in recipients(case)]
    before = [each for each in wishes if _heard(each, case)]
    decisions, places, wanting = _sorted_out([each for each in wishes if each not in before], case)
    best, doubles = _one_a_channel(places, case)
    judged = by_the_flood_rule(best, case, counted_before=bool(before))
    decisions += [*doubles, *judged.decisions]
    decisions += reach.reachless(case, {*wanting, *(each.channel for each in before if each.channel is not None)})
    return _routed(decisions or ([] if before else [_of_nobody(case)]), judged, case)


def _heard(recipient: Recipient, case: Case) -> bool:
    """Whether its channel was told of this very step, or a later one."""
    if recipient.channel is None or case.change.what is What.ESCALATED:
        return False
    heard = case.standing.told.get((case.alert.id, recipient.channel))
    return heard is not None and heard.number >= case.alert.number


def _sorted_out(wishes: Sequence[Recipient], case: Case) -> tuple[list[Decision], list[Place], set[int]]:
    """Who is not told; who is; by which channels it is wanted, told or withheld."""
    decisions: list[Decision] = []
    places: list[Place] = []
    wanting: set[int] = set()
    for wish in wishes:
        severity = _severity_for(wish, case)
        why = declined(wish, case, severity)
        if why is None and wish.channel is not None:
            wanting.add(wish.channel)
            why = None if case.change.what is What.RESOLVED else held(case, wish.owner, wish.channel, severity)
            if why is None:
                places.append(place_of(wish, wish.channel, severity, case))
        if why is not None:
            decisions.append(decided(case, wish.policy, wish.channel, why))
    return decisions, places, wanting


def _severity_for(wish: Recipient, case: Case) -> Severity:
    """Of an end: as grave as what the channel heard of it."""
    heard = case.standing.told.get((case.alert.id, wish.channel)) if wish.channel is not None else None
    return heard.worst if heard and case.change.what is What.RESOLVED else case.severity


def _one_a_channel(places: Sequence[Place], case: Case) -> tuple[list[Place], list[Decision]]:
    """Of wishes that lead to one channel the earliest; and that the others are served by it."""
    best: dict[int, Place] = {}
    for place in sorted(places, key=lambda each: each.due_at):
        best.setdefault(place.channel, place)
    doubles = []
    for place in places:
        first = best[place.channel].recipient
        if place.recipient is not first:
            why = Held("same_channel", f"{place.recipient.label}: the same channel hears of it by {first.label}")
            doubles.append(decided(case, place.recipient.policy, place.channel, why))
    return list(best.values()), doubles


def _of_nobody(case: Case) -> Decision:
    if case.change.what is What.RESOLVED:
        return decided(case, None, None, Held("not_told_before", "nobody was told that it began"))
    return decided(case, None, None, Held("no_policy", f"no policy and no route is for {case.matter.label}"))


def _routed(decisions: Sequence[Decision], judged: Judged, case: Case) -> Routed:
    made = [each.notification for each in decisions if each.notification is not None]
    telling = {each.channel: _told(each, case) for each in made if each.about in TELLING}
    late = {
        each.channel: case.alert.number
        for each in decisions
        if each.notification is None and each.code in LATER and each.channel is not None
    }
    return Routed(
        decisions=tuple(decisions),
        counted=judged.counted,
        mute=judged.mute,
        told=telling,
        withheld={} if case.change.what is What.ESCALATED else {c: n for c, n in late.items() if c not in telling},
        grouped={each.group: max(each.due_at, case.standing.grouped.get(each.group, 0)) for each in made if each.group},
    )


def _told(made: Notification, case: Case) -> Told:
    before = case.standing.told.get((case.alert.id, made.channel))
    if before is None:
        return Told(worst=made.severity, number=case.alert.number, at=made.due_at)
    worst = worst_of((before.worst, made.severity))
    return Told(worst=worst, number=max(before.number, case.alert.number), at=min(before.at, made.due_at))
