"""The flood rule on one change: what of it is told, what is left out, and who is told that. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloud_bridge.alerts import flood
from cloud_bridge.alerts.deciding import Place, decided, notice, quiet_end, told
from cloud_bridge.alerts.inhibition import Held
from cloud_bridge.alerts.matching import Case
from cloud_bridge.alerts.model import What, digest
from cloud_bridge.alerts.notice import About
from cloud_bridge.alerts.standing import Decision, Mute
from cloud_bridge.alerts.wording import duration_text
from drivers.ups import Severity


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Routed's fields of the same names."""

    decisions: tuple[Decision, ...]
    counted: int | None = None
    mute: Mute | None = None


def by_the_flood_rule(places: Sequence[Place], case: Case, *, counted_before: bool) -> Judged:
    """`counted_before`: another channel was told of the same step. An escalation is a later reader of a step that was
    counted: it counts for nothing."""
    device = flood.counts(case)
    if device is None or not places:
        return Judged(decisions=tuple(told(place, case) for place in places))
    if mute := flood.muted(device, case.standing, case.now):
        return _muted(mute, places, case, begins=False)
    new = not counted_before and case.change.what is not What.ESCALATED
    if new and flood.counted(device, case.standing, case.now) >= case.standing.terms.flood_more_than:
        return _muted(flood.begun(device, case), places, case, begins=True)
    return Judged(decisions=tuple(told(place, case, device) for place in places), counted=device if new else None)


def _muted(mute: Mute, places: Sequence[Place], case: Case, *, begins: bool) -> Judged:
    """A notice in the place of the step that began it, to all who would have got that; later to a channel at the first
    step that it loses."""
    decisions: list[Decision] = []
    lost: dict[int, int | None] = {}
    noticed = set(mute.noticed)
    for place in places:
        decision = _while_muted(place, mute, case)
        decisions.append(decision)
        is_lost = decision.notification is None
        if is_lost and _is_new(place, case):
            lost[place.channel] = place.recipient.policy
        if (is_lost or begins) and place.channel not in noticed:
            noticed.add(place.channel)
            decisions.append(_notice(place, mute, case))
    after = msgspec.structs.replace(flood.left_out(mute, lost) if lost else mute, noticed=tuple(sorted(noticed)))
    changed = after != case.standing.mutes.get(mute.device)
    return Judged(decisions=tuple(decisions), mute=after if changed else None)


def _while_muted(place: Place, mute: Mute, case: Case) -> Decision:
    """Criticals break through; the end of what was told before is owed, and leaves with the next digest."""
    if flood.breaks_through(place.severity, case.standing.terms):
        return told(place, case, mute.device, "; a critical breaks through the mute")
    label = place.recipient.label
    if case.change.what is What.RESOLVED:
        reason = f"{label}: the end of what was told goes with the next digest while notifications are off"
        group = flood.group_of_digest(mute.device, place.channel)
        due = max(place.due_at, flood.owed_at(mute))
        due = quiet_end(place.recipient, place.severity, due) or due
        owed = msgspec.structs.replace(place, due_at=due, group=group, why=Held("muted", reason))
        return told(owed, case, mute.device)
    return decided(case, place.recipient.policy, place.channel, Held("muted", f"{label}: {_off(mute, case)}"))


def _off(mute: Mute, case: Case) -> str:
    terms = case.standing.terms
    limit = f"more than {terms.flood_more_than} within {terms.flood_window_s / 60:g} min"
    left = duration_text((mute.until - case.now) / 1000)
    return f"notifications of {case.matter.label} are off for another {left}, since there were {limit}"


def _is_new(place: Place, case: Case) -> bool:
    """Whether the channel is not known yet to have lost this step."""
    known = case.standing.withheld.get((case.alert.id, place.channel), -1)
    return known < case.alert.number and case.change.what is not What.ESCALATED


def _notice(place: Place, mute: Mute, case: Case) -> Decision:
    due = quiet_end(place.recipient, Severity.WARNING, case.now) or case.now
    at = msgspec.structs.replace(place, severity=Severity.WARNING, due_at=due)
    why = Held("mute_told", f"{place.recipient.label}: told, in the place of this, that {_off(mute, case)}")
    id_ = digest("muted", mute.id, str(place.channel))
    return notice(at, case, About.MUTED, id_, why, device=mute.device, until=mute.until)
