"""What alerts are routed by, and what a batch of changes comes to: one transaction of the registry. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from cloud_bridge.alerts import routing
from cloud_bridge.alerts.flood import Digest
from cloud_bridge.alerts.model import TOLD, Alert, Change, Phase, What
from cloud_bridge.alerts.notice import Notification
from cloud_bridge.alerts.standing import Decision, Mute, Planned, Routed, Standing, Told, Verdict
from cloud_bridge.alerts.terms import Directory, Terms

GROUPS_FOR_MS = 86_400_000
"""How long a group is remembered after its last notice left: as long as the longest `group_s`."""

Key = tuple[str, int]
"""Alert and channel."""


@dataclass(slots=True)
class Outcome:
    """What a batch of changes comes to. `steps`: changes, each followed by what was decided about it. `counted`:
    (alert id, number, device, instant). `mutes`: by device, None of one that is over; `begun`: ids of new ones."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    steps: list[Change | Decision] = field(default_factory=list)
    notifications: dict[str, Notification] = field(default_factory=dict)
    told: dict[Key, Told] = field(default_factory=dict)
    counted: list[tuple[str, int, int, int]] = field(default_factory=list)
    mutes: dict[int, Mute | None] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.steps or self.notifications or self.mutes)


@dataclass(slots=True)
class Desk:
    """Everything that routing goes by, brought forward by what it decides; see standing.Standing for the fields."""

    directory: Directory
    terms: Terms
    told: dict[Key, Told] = field(default_factory=dict)
    counted: dict[int, tuple[int, ...]] = field(default_factory=dict)
    mutes: dict[int, Mute] = field(default_factory=dict)
    grouped: dict[str, int] = field(default_factory=dict)
    unsubscribed: frozenset[tuple[str, int]] = frozenset()
    planned: Mapping[str, Planned] = field(default_factory=dict)
    withheld: dict[Key, int] = field(default_factory=dict)
    escalated: frozenset[tuple[str, str]] = frozenset()

    def standing(self, alerts: Mapping[str, Alert]) -> Standing:
        """How things are now; it changes with the desk. `alerts`: open ones by id."""
        return Standing(
            directory=self.directory,
            terms=self.terms,
            alerts=alerts,
            told=self.told,
            counted=self.counted,
            mutes=self.mutes,
            grouped=self.grouped,
            unsubscribed=self.unsubscribed,
            planned=self.planned,
            withheld=self.withheld,
            escalated=self.escalated,
        )

    def settle(
        self,
        changes: Iterable[Change],
        alerts: Mapping[str, Alert],
        now: int,
        outcome: Outcome,
        known: Collection[str] = (),
    ) -> None:
        """Routes each change in its order. `alerts`: open ones by id, after all of them. `known`: alerts that an
        earlier reading of the same records brought forth: nothing is said of them again."""
        standing = self.standing(alerts)
        for change in changes:
            if change.alert.id in known:
                continue
            outcome.alerts[change.alert.id] = change.alert
            outcome.steps.append(change)
            if change.what is What.ESCALATED:
                self.escalated |= {(change.alert.id, change.by)}
                standing = self.standing(alerts)
            if change.what in TOLD:
                self.take(change.alert, routing.route(change, standing, now), now, outcome)
            if change.alert.phase is Phase.RESOLVED:
                self._forget(change.alert.id)

    def take(self, alert: Alert, routed: Routed, now: int, outcome: Outcome) -> None:
        """What routing decided of one step of an alert."""
        outcome.steps += routed.decisions
        for decision in routed.decisions:
            if decision.verdict is Verdict.SENT and decision.notification is not None:
                outcome.notifications[decision.notification.id] = decision.notification
        for channel, told in routed.told.items():
            self.told[alert.id, channel] = outcome.told[alert.id, channel] = told
            self.withheld.pop((alert.id, channel), None)
        for channel, number in routed.withheld.items():
            self.withheld[alert.id, channel] = number
        self.grouped.update(routed.grouped)
        if routed.counted is not None:
            self.counted[routed.counted] = (*self.counted.get(routed.counted, ()), now)
            outcome.counted.append((alert.id, alert.number, routed.counted, now))
        if routed.mute is not None:
            self._mute(routed.mute, outcome)

    def _mute(self, mute: Mute, outcome: Outcome) -> None:
        known = self.mutes.get(mute.device)
        if known is None or known.id != mute.id:
            outcome.begun.add(mute.id)
        self.mutes[mute.device] = outcome.mutes[mute.device] = mute

    def digest(self, digests: Iterable[Digest], outcome: Outcome) -> None:
        """What is due of mutes."""
        for one in digests:
            outcome.notifications |= {made.id: made for made in one.notifications}
            outcome.mutes[one.device] = one.mute
            if one.mute is None:
                self.end_mute(one.device)
            else:
                self.mutes[one.device] = one.mute

    def end_mute(self, device: int) -> None:
        """Its notifications are on again, counted from zero."""
        self.mutes.pop(device, None)
        self.counted.pop(device, None)

    def _forget(self, alert: str) -> None:
        for channel in self.directory.channels:
            self.told.pop((alert, channel), None)
            self.withheld.pop((alert, channel), None)

    def prune(self, alerts: Mapping[str, Alert], now: int) -> None:
        """Forgets what counts no more."""
        since = now - round(self.terms.flood_window_s * 1000)
        kept = {device: tuple(at for at in instants if at >= since) for device, instants in self.counted.items()}
        self.counted = {device: instants for device, instants in kept.items() if instants}
        self.grouped = {group: until for group, until in self.grouped.items() if until >= now - GROUPS_FOR_MS}
        self.escalated = frozenset(one for one in self.escalated if one[0] in alerts)


def with_covers(changes: Iterable[Change], covers: Mapping[str, str]) -> list[Change]:
    """With the incident that lists each alert, by its id."""
    return [_covered(change, covers.get(change.alert.id, "")) for change in changes]


def _covered(change: Change, incident: str) -> Change:
    if not incident:
        return change
    return msgspec.structs.replace(change, alert=msgspec.structs.replace(change.alert, covered_by=incident))
