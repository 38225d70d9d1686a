"""Decisions and the notifications in them. Pure. Instants are UTC milliseconds."""

from __future__ import annotations

import msgspec

from cloud_bridge.alerts.grouping import group_of, slot
from cloud_bridge.alerts.inhibition import Held
from cloud_bridge.alerts.matching import CRITICAL, Case, at_least
from cloud_bridge.alerts.model import What, digest
from cloud_bridge.alerts.notice import About, Notification
from cloud_bridge.alerts.quiet import quiet_until, zone_of
from cloud_bridge.alerts.recipients import Recipient
from cloud_bridge.alerts.standing import Decision, Verdict
from drivers.ups import Severity


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that is to be told, by which wish, how grave, and when."""

    recipient: Recipient
    channel: int
    severity: Severity
    group: str
    due_at: int
    why: Held


def place_of(recipient: Recipient, channel: int, severity: Severity, case: Case) -> Place:
    """When the channel is told: by its group, never before it heard of the beginning, and by its quiet hours."""
    over, escalated = case.change.what is What.RESOLVED, case.change.what is What.ESCALATED
    when = slot(
        group_of(case, channel, recipient.group_by),
        recipient.group_s,
        case.standing.grouped,
        case.now,
        over=over,
        at_once=severity is CRITICAL or escalated or not recipient.group_s,
    )
    told = case.standing.told.get((case.alert.id, channel))
    due = max(when.due_at, told.at) if over and told else when.due_at
    why = Held("at_once", f"{recipient.label}: at once")
    if due > case.now:
        why = Held("grouped", f"{recipient.label}: in {_up(due - case.now, 1000)} s, with the rest of its group")
    if until := quiet_end(recipient, severity, due):
        due, why = until, Held("quiet_hours", f"{recipient.label}: {_quiet_words(recipient)}")
    if escalated:
        why = Held("escalated", f"{why.reason}; {case.change.reason}")
    return Place(recipient=recipient, channel=channel, severity=severity, group=when.group, due_at=due, why=why)


def quiet_end(recipient: Recipient, severity: Severity, at: int) -> int | None:
    """When the quiet hours end that would hold it up at that instant."""
    quiet = recipient.quiet
    if quiet is None or (quiet.breaks_through is not None and at_least(severity, quiet.breaks_through)):
        return None
    return quiet_until(quiet, zone_of(recipient.time_zone), at)


def told(place: Place, case: Case, device: int | None = None, more: str = "") -> Decision:
    """`device`: whose flood rule sees it; `more`: said after the reason."""
    made = _notification(case, place, About.ALERT, _id(case, place.channel), device)
    return decided(case, place.recipient.policy, place.channel, Held(place.why.code, place.why.reason + more), made)


def notice(place: Place, case: Case, about: About, id_: str, why: Held, **fields: int | None) -> Decision:
    """A notice of another kind than the step itself: by itself, in no group."""
    alone = msgspec.structs.replace(place, group="")
    made = msgspec.structs.replace(_notification(case, alone, about, id_, None), **fields)
    return decided(case, place.recipient.policy, place.channel, why, made)


def decided(
    case: Case, policy: int | None, channel: int | None, why: Held, made: Notification | None = None
) -> Decision:
    """SENT with a notification, WITHHELD without."""
    return Decision(
        alert=case.alert.id,
        number=case.alert.number,
        policy=policy,
        channel=channel,
        verdict=Verdict.WITHHELD if made is None else Verdict.SENT,
        code=why.code,
        reason=why.reason,
        notification=made,
    )


def _notification(case: Case, place: Place, about: About, id_: str, device: int | None) -> Notification:
    return Notification(
        id=id_,
        channel=place.channel,
        policy=place.recipient.policy,
        device=device,
        about=about,
        severity=place.severity,
        alerts=((case.alert.id, case.alert.number),),
        group=place.group,
        created_at=case.now,
        due_at=place.due_at,
    )


def _id(case: Case, channel: int) -> str:
    """The same however often it is worked out. An escalation is none of the alert's numbered steps."""
    if case.change.what is What.ESCALATED:
        return digest("escalation", case.alert.id, case.change.by, str(channel))
    return digest("notification", case.alert.id, str(case.alert.number), str(channel))


def _quiet_words(recipient: Recipient) -> str:
    assert recipient.quiet is not None, "only quiet hours have an end"
    return f"quiet hours from {recipient.quiet.since} until {recipient.quiet.until} ({recipient.time_zone})"


def _up(ms: int, unit_ms: int) -> int:
    return -(-ms // unit_ms)
