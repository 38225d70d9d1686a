"""All alerts that are open, and the last of each that is over: sightings and time go in, changes come out. Pure.

Whatever it goes by is in the alerts of its changes: a board that is made of them anew goes on as this one would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from cloud_bridge.alerts import history, people, steps
from cloud_bridge.alerts.marks import is_repeat
from cloud_bridge.alerts.model import Alert, Change, Phase, Seen, Sighting, Subject
from cloud_bridge.alerts.terms import Terms
from cloud_bridge.alerts.timing import due_at, passed

_Key = tuple[Subject, str]


class Board:
    """`newest`: of each subject and condition the newest alert, open or over. Instants are UTC milliseconds.

    One subject's sightings come in the order of their records; a repeat, or one that is older, changes nothing. `now`
    of a sighting is its receipt, and what became due before it comes first.
    """

    def __init__(self, terms: Terms, newest: Iterable[Alert] = ()) -> None:
        self._terms = terms
        self._newest: dict[_Key, Alert] = {}
        self._open: dict[str, Alert] = {}
        self._due: dict[str, int] = {}
        for alert in sorted(newest, key=_age):
            self._put(alert)

    @property
    def alerts(self) -> Mapping[str, Alert]:
        """Open ones by id."""
        return MappingProxyType(self._open)

    def take(self, sighting: Sighting, now: int) -> list[Change]:
        key = (sighting.subject, sighting.condition)
        changes = self._passed(self._newest.get(key), now)
        newest = self._newest.get(key)
        if newest is not None and is_repeat(newest, sighting):
            return changes
        if newest is not None and history.is_waiting(newest) and not sighting.history:
            if not sighting.record:
                return changes
            changes += self._made(history.settled(newest, self._terms, now))
        return changes + self._made(self._step(self._newest.get(key), sighting, now))

    def tick(self, now: int) -> list[Change]:
        """What became due, oldest first."""
        due = sorted((at, alert) for alert, at in self._due.items() if at <= now)
        return [change for _, alert in due for change in self._passed(self._open[alert], now)]

    def due_at(self) -> int | None:
        """When `tick` has something to do, if nothing comes until then."""
        return min(self._due.values(), default=None)

    def backlog_over(self, gateway: str, now: int) -> list[Change]:
        """Everything of it that was in its outbox before it was heard again has been taken (S17)."""
        waiting = [one for one in self._open.values() if one.subject.gateway == gateway and history.is_waiting(one)]
        changes: list[Change] = []
        for alert in sorted(waiting, key=lambda one: (one.onset_at, one.id)):
            changes += self._passed(alert, now) or self._made(history.settled(alert, self._terms, now))
        return changes

    def acknowledge(self, alert_id: str, by: str, now: int) -> list[Change]:
        """Of one that is open; once is enough."""
        return self._by_a_person(alert_id, lambda alert: people.acknowledged(alert, by, now))

    def assign(self, alert_id: str, to: str, by: str, now: int) -> list[Change]:
        """Of one that is open; to nobody: empty."""
        return self._by_a_person(alert_id, lambda alert: people.assigned(alert, to, by, now))

    def note(self, alert_id: str, text: str, by: str, now: int) -> list[Change]:
        return self._by_a_person(alert_id, lambda alert: people.noted(alert, text, by, now))

    def _by_a_person(self, alert_id: str, step: Callable[[Alert], list[Change]]) -> list[Change]:
        alert = self._open.get(alert_id)
        return self._made(step(alert)) if alert else []

    def _step(self, newest: Alert | None, sighting: Sighting, now: int) -> list[Change]:
        if newest is None or newest.phase is Phase.RESOLVED:
            return self._first(newest, sighting, now)
        if history.is_waiting(newest):
            return history.added(newest, sighting, self._terms, now)
        if sighting.seen is Seen.BEGAN:
            return steps.went_on(newest, sighting, self._terms, now)
        return steps.ended(newest, sighting, self._terms, now) if sighting.seen is Seen.ENDED else []

    def _first(self, before: Alert | None, sighting: Sighting, now: int) -> list[Change]:
        if sighting.seen is Seen.ENDED:
            return []
        if sighting.history:
            return history.kept(sighting, before, self._terms, now)
        if sighting.seen is Seen.MOMENT:
            return steps.happened(sighting, before, now)
        return steps.began(sighting, before, self._terms, now)

    def _passed(self, alert: Alert | None, now: int) -> list[Change]:
        return self._made(passed(alert, self._terms, now)) if alert else []

    def _made(self, changes: list[Change]) -> list[Change]:
        for change in changes:
            self._put(change.alert)
        return changes

    def _put(self, alert: Alert) -> None:
        """What is over never hides another that is open: a backlog's summary comes after what goes on from it."""
        newest = self._newest.get((alert.subject, alert.condition))
        if newest is None or newest.id not in self._open or alert.phase is not Phase.RESOLVED or newest.id == alert.id:
            self._newest[alert.subject, alert.condition] = alert
        self._open.pop(alert.id, None)
        self._due.pop(alert.id, None)
        if alert.phase is Phase.RESOLVED:
            return
        self._open[alert.id] = alert
        if (due := due_at(alert, self._terms)) is not None:
            self._due[alert.id] = due


def _age(alert: Alert) -> tuple[bool, int, int]:
    """In the order in which they were the newest; what is open goes last."""
    return alert.phase is not Phase.RESOLVED, alert.changed_at, alert.record
