"""Whether anybody is left to hear of a critical, and if not, whom of the owner's to tell that (S22). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cloud_bridge.alerts.deciding import Place, decided, notice
from cloud_bridge.alerts.inhibition import Held
from cloud_bridge.alerts.matching import CRITICAL, Case
from cloud_bridge.alerts.model import What, digest
from cloud_bridge.alerts.notice import About
from cloud_bridge.alerts.recipients import Recipient, fails, is_unsubscribed
from cloud_bridge.alerts.standing import Decision
from cloud_bridge.alerts.terms import Channel

_BEGIN = frozenset({What.FIRED, What.GREW, What.UNSTABLE, What.SUMMARY})


def hears(channel: int, case: Case) -> bool:
    """Whether it is there, switched on, and not known to fail."""
    found = case.directory.channels.get(channel)
    return found is not None and found.enabled and not fails(channel, case)


def reachless(case: Case, wanting: Iterable[int]) -> list[Decision]:
    """What is said when none of the channels hears it by which people want it; nothing if one does. Once an alert.
    A notice about the account, so no unsubscribing from a policy stands in its way."""
    if case.severity is not CRITICAL or case.change.what not in _BEGIN:
        return []
    if any(hears(channel, case) for channel in wanting):
        return []
    chosen = [channel for owner in case.matter.owners or (None,) if (channel := last_resort(case, owner))]
    if not chosen:
        return [decided(case, None, None, Held("nobody", "critical, and no channel is left by which to tell anybody"))]
    why = Held("reachless", "critical, and nobody else is left to hear of it: no policy, or none that reaches anybody")
    fresh = [channel for channel in dict.fromkeys(chosen) if (case.alert.id, channel) not in case.standing.told]
    return [_told(channel, case, why) for channel in fresh]


def by_account(wish: Recipient, case: Case) -> Recipient:
    """Of the end of a critical: to an address that has unsubscribed, but is the last resort, it goes as it began."""
    heard = case.standing.told.get((case.alert.id, wish.channel)) if wish.channel is not None else None
    channel = case.directory.channels.get(wish.channel) if wish.channel is not None else None
    if heard is None or channel is None or heard.worst is not CRITICAL or case.change.what is not What.RESOLVED:
        return wish
    if not is_unsubscribed(channel, wish.policy, case.standing):
        return wish
    chosen = {last_resort(case, owner) for owner in case.matter.owners or (None,)}
    return _account(channel.id) if channel.id in chosen else wish


def last_resort(case: Case, owner: int | None) -> int | None:
    """A mail channel of the owner, the one to the owner's own address if there is one; another channel of the owner;
    any of the operator."""
    theirs = case.directory.channels_of.get(owner, ()) if owner is not None else ()
    for channel in (*_by_rank(theirs, case, owner), *case.directory.channels_of.get(None, ())):
        if channel.id != case.matter.channel and hears(channel.id, case):
            return channel.id
    return None


def _by_rank(channels: Sequence[Channel], case: Case, owner: int | None) -> list[Channel]:
    """Who did not unsubscribe goes before who did."""
    found = case.directory.owners.get(owner) if owner is not None else None
    email = found.email.lower() if found else ""
    left = {address for address, _ in case.standing.unsubscribed}

    def rank(channel: Channel) -> tuple[bool, bool, bool, int]:
        target = channel.target.lower()
        return (channel.kind != "mail", target in left, target != email, channel.id)

    return sorted(channels, key=rank)


def _told(channel: int, case: Case, why: Held) -> Decision:
    place = Place(recipient=_account(channel), channel=channel, severity=CRITICAL, group="", due_at=case.now, why=why)
    return notice(place, case, About.REACHLESS, digest("reachless", case.alert.id, str(channel)), why)


def _account(channel: int) -> Recipient:
    """Without a policy that anybody could have unsubscribed from."""
    return Recipient(label="the owner's account", channel=channel)
