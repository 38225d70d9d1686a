"""Alerts at work, as long as registry and telemetry database can be used: queue, watchers, people; one commit each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from cloud_bridge.alerts import escalation, flood, resumption
from cloud_bridge.alerts.board import Board
from cloud_bridge.alerts.conditions import CONDITIONS, kind_of, sightings
from cloud_bridge.alerts.history import is_waiting
from cloud_bridge.alerts.inhibition import INCIDENTS
from cloud_bridge.alerts.model import Alert, Change, Phase, Sighting
from cloud_bridge.alerts.notice import Notification
from cloud_bridge.alerts.replay import Condition, by_condition, merged
from cloud_bridge.alerts.settling import GROUPS_FOR_MS, Desk, Outcome, with_covers
from cloud_bridge.alerts.standing import LATER, Planned
from cloud_bridge.alerts.terms import Terms
from cloud_bridge.alerts.watch.incidents import members
from cloud_bridge.alerts.watch.look import look, look_for_lost_ends
from cloud_bridge.alerts.watch.planned import planned
from cloud_bridge.alerts.watch.world import Heard, World
from cloud_bridge.greeting import has_passed
from cloud_bridge.rows import EventFilter, EventRow
from cloud_bridge.runtime.alerts.composing import View
from cloud_bridge.runtime.alerts.failing import Failing
from cloud_bridge.runtime.alerts.lookout import Extent, Lookout
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.store.queue import BATCH, Queue, Queued
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.registry import alerting, directory, heard, outcomes, pruning
from cloud_bridge.store.registry.alerting import Asked, Verb
from cloud_bridge.store.registry.registry import Registry
from drivers.ups import CATALOGUE

FORGET_S = 3600.0
"""How often it is looked for what is over for too long to be kept."""

ESCALATE_S = 10.0
"""How often it is looked for what nobody acknowledged."""
UNKNOWN_TYPES = 100
"""Types of events of one gateway that are not in the catalogue and become alerts all the same."""
REST_S = 1.0
"""However much waits in the queue, what time alone changes is looked at so often."""
BEHIND_MS = 10_000
"""While what is read came longer ago than this, watchers wait: the board does not know yet what they would see."""

POSITION, MARK = "alerts", "alerts_mark"
"""How far the queue was read, and what stands there."""

log = logging.getLogger(__name__)

OpenVault = Callable[[], Callable[[bytes], str]]
"""Reads the key, which may be another than before, and gives what decrypts channels' targets."""


class Databases(NamedTuple):
    """All of one thread."""

    registry: Registry
    queue: Queue
    reader: Reader


class Session:
    """Raises RegistryError, StoreError, sqlite3.Error while a database can't be used: it is of no use then, and a new
    one begins where the last commit was.

    `offer`: gets notifications that are in the registry. `doing`: rows of the queue that are being worked on.
    """

    def __init__(
        self,
        databases: Databases,
        terms: Terms,
        open_vault: OpenVault,
        offer: Callable[[Sequence[Notification], View], None],
        changed: Callable[[View], None],
    ) -> None:
        self._registry, self._queue, self._reader = databases
        self._terms = terms
        self._open_vault = open_vault
        self._offer = offer
        self._changed = changed
        self._lookout = Lookout(self._registry, self._reader)
        self._failing = Failing()
        self._rested_at = self._escalate_at = self._forget_at = 0.0
        self._may_resume = True
        self._resume_due: int | None = None
        self._at = 0
        self._looked_at = 0
        self._version = -1
        self._revoked: frozenset[str] = frozenset()
        self.doing: tuple[int, ...] = ()
        self._load()

    # --- how things are

    def _load(self) -> None:
        now = now_ms()
        self._version, self._looked_at = self._registry.version(), now
        with self._registry.reading() as connection:
            self._position = alerting.position(connection, POSITION)
            mark = alerting.position(connection, MARK)
            newest = alerting.newest_alerts(connection)
            self._board = Board(self._terms, newest)
            self._desk = self._desk_of(connection, now)
        self._unknown = {
            (one.subject.gateway, one.condition) for one in newest if kind_of(one.condition) not in CONDITIONS
        }
        self._revoked = self._registry.revoked_gateways()
        if self._position and self._queue.mark(self._position) != mark and not self._queue.was_pruned(self._position):
            self._replay(now)
        self._changed(self._view())

    def _desk_of(self, connection: Connection, now: int) -> Desk:
        told = heard.told_of_open(connection)
        withheld = heard.withheld_of_open(connection, LATER)
        return Desk(
            directory=directory.load(connection, self._open_vault()),
            terms=self._terms,
            told=told,
            counted=heard.counted_since(connection, now - round(self._terms.flood_window_s * 1000)),
            mutes=heard.all_mutes(connection),
            grouped=alerting.grouped(connection, now - GROUPS_FOR_MS),
            unsubscribed=heard.all_unsubscribed(connection),
            withheld={key: number for key, number in withheld.items() if key not in told or told[key].number < number},
            escalated=heard.escalated(connection),
        )

    def _view(self) -> View:
        desk = self._desk
        return View(directory=desk.directory, unsubscribed=desk.unsubscribed, at=self._looked_at)

    def _look_at_registry(self, now: int) -> None:
        """What others changed in it: wishes, silences, mutes that a link ended, channels that never heard of what they
        were to be told. Never within a batch: what that has not committed yet would look as if somebody had taken it
        back."""
        version = self._registry.version()
        if version == self._version:
            return
        desk = self._desk
        with self._registry.reading() as connection:
            desk.directory = directory.load(connection, self._open_vault())
            desk.unsubscribed = heard.all_unsubscribed(connection)
            desk.told = heard.told_of_open(connection)
            mutes = heard.all_mutes(connection)
        self._revoked = self._registry.revoked_gateways()
        self._version, self._looked_at = version, now
        self._may_resume = True
        for device in [device for device in desk.mutes if device not in mutes]:
            desk.end_mute(device)
            self._bring_forward(device, now)
        desk.mutes = mutes
        self._changed(self._view())

    def _bring_forward(self, device: int, now: int) -> None:
        """What waited for the digest of a device that is muted no longer."""
        with self._registry.writing() as connection:
            sooner = flood.brought_forward(alerting.waiting(connection), device, now)
            alerting.keep_notifications(connection, sooner)
        self._offer(sooner, self._view())

    # --- work

    def due_at(self) -> int | None:
        """When there is something to do though nobody rings; what is looked for every lookout.QUICK_S is not in it."""
        return self._board.due_at()

    def work(self, reported: Collection[Sighting], *, count: int = BATCH, skip: Collection[int] = ()) -> None:
        """Everything there is to do now. `reported`: what the dispatcher saw of channels. `count`: rows of the queue
        at once; those in `skip` are passed over."""
        self._look_at_registry(now_ms())
        while self._batch(reported, count, skip):
            reported = ()

    def _batch(self, reported: Iterable[Sighting], count: int, skip: Collection[int]) -> bool:
        """One transaction; whether more may wait. What was told goes before what is looked for: it leaves at once.

        What the queue has is judged by when ingest received it, and so are holds until all of it is read: a role that
        was away tells of nothing that was over in time.
        """
        now, outcome = now_ms(), Outcome()
        # Asked before the queue is read: what is stored of a backlog by now is in it.
        over = self._ended_backlogs()
        queued = self._queue.after(self._position, count)
        self.doing = tuple(row.id for row in queued)
        for event in self._events(queued, skip):
            self._take(sightings(event), self._received(event, now), now, outcome)
        if not queued:
            self._at = now
        self._take(reported, now, now, outcome)
        if any(row.is_outage for row in queued):
            self._lookout.hurry()
        asked: list[Asked] = []
        if not queued:
            for gateway in over:
                self._settle(self._board.backlog_over(gateway, now), now, outcome)
        if not queued or time.monotonic() - self._rested_at > REST_S:
            # Before time does its work: what is seen to be over must not become worse by it.
            if now - self._at <= BEHIND_MS:
                self._watch(now, outcome)
            self._settle(self._board.tick(self._at), now, outcome)
            asked = self._answer(now, outcome)
            self._rested_at = time.monotonic()
        self._commit(queued, asked, outcome, now)
        self.doing = ()
        return bool(queued)

    def _received(self, event: EventRow, now: int) -> int:
        """When it came, by the board's clock, which only goes forward; the gateway's does not count (S17)."""
        self._at = min(now, max(self._at, event.received_at))
        return self._at

    def _events(self, queued: Sequence[Queued], skip: Collection[int]) -> Iterable[EventRow]:
        """Those to go by. Outages are for the watchers: the row makes them look at once."""
        wanted = {row.record for row in queued if row.id not in skip and not row.is_outage}
        if not wanted:
            return
        last = max(wanted)
        for event in self._reader.events(EventFilter(after_id=min(wanted) - 1)):
            if event.id in wanted and self._has_room(event):
                yield event
            if event.id >= last:
                return

    def _has_room(self, event: EventRow) -> bool:
        """Types that the catalogue does not have are a gateway's choice, and each is a condition to be remembered."""
        if event.type in CATALOGUE or (event.gateway, event.type) in self._unknown:
            return True
        if sum(gateway == event.gateway for gateway, _ in self._unknown) >= UNKNOWN_TYPES:
            return False
        self._unknown.add((event.gateway, event.type))
        return True

    def _take(self, seen: Iterable[Sighting], at: int, now: int, outcome: Outcome) -> None:
        """`at`: when it was seen."""
        for one in seen:
            self._settle(self._board.take(one, at), now, outcome)

    def _settle(self, changes: Sequence[Change], now: int, outcome: Outcome) -> None:
        if changes:
            ended = (change.alert for change in changes if change.alert.phase is Phase.RESOLVED)
            self._may_resume = self._may_resume or any(alert.condition in INCIDENTS for alert in ended)
            covered = with_covers(changes, self._covers())
            self._desk.settle(covered, self._board.alerts, now, outcome)

    def _covers(self) -> dict[str, str]:
        """Incident that lists it, by alert."""
        alerts = self._board.alerts
        incidents = [one for one in alerts.values() if one.condition == "sites_outage" and one.phase is Phase.FIRING]
        return {
            alert: incident.id for incident in incidents for alert in members(incident, alerts, self._desk.directory)
        }

    def _ended_backlogs(self) -> list[str]:
        waiting = {alert.subject.gateway for alert in self._board.alerts.values() if is_waiting(alert)}
        if not waiting:
            return []
        return [row.name for row in self._reader.gateways() if row.name in waiting and has_passed(row)]

    def _watch(self, now: int, outcome: Outcome) -> None:
        """What fails to decide stops nothing that comes after it; what fails to be written stops all of it."""
        at_s, desk, failing = time.monotonic(), self._desk, self._failing
        extent = self._lookout.due(at_s)
        if extent is None:
            return
        everything = extent is Extent.EVERYTHING
        if everything:
            desk.prune(self._board.alerts, now)
            self._forget(at_s, now)
        seen = self._lookout.look(extent)
        lost = look_for_lost_ends(self._world(seen), now)
        for one in lost.sightings:
            self._take((one,), one.at, now, outcome)
        world = self._world(seen)
        found = look(world, now)
        failing.note([*lost.failures, *found.failures])
        self._take(found.sightings, self._at, now, outcome)
        self._plan(failing.tried("planned work", lambda: planned(world, now), desk.planned))
        self._escalate(at_s, now, outcome, everything=everything)
        self._resume(now, outcome, everything=everything)
        standing = desk.standing(self._board.alerts)
        desk.digest(failing.tried("digests of mutes", lambda: flood.digests(standing, now), ()), outcome)
        failing.looked(everything=everything)

    def _forget(self, at_s: float, now: int) -> None:
        """What is over for long, now and then; sooner where much of it is left."""
        if at_s < self._forget_at:
            return
        resolved_before = now - round(self._terms.keep_resolved_s * 1000)
        counted_before = now - round(self._terms.flood_window_s * 1000)
        with self._registry.writing() as connection:
            more = pruning.prune(connection, resolved_before=resolved_before, counted_before=counted_before)
        self._forget_at = at_s + (0.0 if more else FORGET_S)

    def _world(self, seen: Heard) -> World:
        return World(
            heard=seen,
            directory=self._desk.directory,
            terms=self._terms,
            alerts=self._board.alerts,
            revoked=self._revoked,
        )

    def _plan(self, work: Mapping[str, Planned]) -> None:
        self._may_resume = self._may_resume or work != self._desk.planned
        self._desk.planned = work

    def _escalate(self, at_s: float, now: int, outcome: Outcome, *, everything: bool) -> None:
        wishes = self._desk.directory
        if not (wishes.routes or any(each.escalation for each in wishes.policies.values())):
            return
        if everything or at_s >= self._escalate_at:
            self._escalate_at = at_s + ESCALATE_S
            standing = self._desk.standing(self._board.alerts)
            due = self._failing.tried("escalation", lambda: escalation.escalations(standing, now), ())
            self._settle(due, now, outcome)

    def _resume(self, now: int, outcome: Outcome, *, everything: bool) -> None:
        """What was withheld, once what withheld it may be over."""
        over = self._resume_due is not None and now >= self._resume_due
        if self._desk.withheld and (everything or over or self._may_resume):
            self._may_resume = False
            before = self._desk.standing(self._board.alerts)
            resumed = self._failing.tried("resumption", lambda: resumption.resumed(before, now), ())
            self._settle(resumed, now, outcome)
        after = self._desk.standing(self._board.alerts)
        self._resume_due = self._failing.tried("time of resumption", lambda: resumption.due_at(after, now), None)

    # --- people

    def _answer(self, now: int, outcome: Outcome) -> list[Asked]:
        """What people asked for since the last time."""
        with self._registry.reading() as connection:
            asked = alerting.all_asked(connection)
        for one in asked:
            if one.alert in self._board.alerts:
                self._settle(self._asked_of_board(one, now), now, outcome)
        return asked

    def _asked_of_board(self, one: Asked, now: int) -> list[Change]:
        match one.verb:
            case Verb.ACKNOWLEDGE:
                return self._board.acknowledge(one.alert, one.by_name, now)
            case Verb.ASSIGN:
                return self._board.assign(one.alert, one.text, one.by_name, now)
            case Verb.NOTE:
                return self._board.note(one.alert, one.text, one.by_name, now)

    # --- the registry

    def _commit(self, queued: Sequence[Queued], asked: Sequence[Asked], outcome: Outcome, now: int) -> None:
        if not queued and not asked and not outcome:
            return
        position = queued[-1].id if queued else self._position
        with self._registry.writing() as connection:
            new = outcomes.keep(connection, outcome, now)
            outcomes.note_late(connection, [one for one in asked if one.alert not in self._board.alerts])
            alerting.done(connection, (one.id for one in asked))
            if queued:
                alerting.keep_position(connection, POSITION, position)
                alerting.keep_position(connection, MARK, self._queue.mark(position) or 0)
        self._position = position
        if new or outcome.mutes:
            self._offer(new, self._view())

    def _replay(self, now: int) -> None:
        """The telemetry database is not the one that was read: from its beginning, and of what is new alone."""
        log.warning("the telemetry database was restored: it is read again from its beginning")
        with self._registry.reading() as connection:
            known = alerting.all_ids(connection)
        self._board = Board(self._terms, ())
        newest: dict[Condition, Alert] = {}
        self._position = 0
        more = True
        while more:
            queued, outcome = self._queue.after(self._position), Outcome()
            for changes in self._read_again(queued, now):
                newest |= by_condition(change.alert for change in changes)
                self._desk.settle(changes, self._board.alerts, now, outcome, known)
            with self._registry.writing() as connection:
                outcomes.keep(connection, outcome, now)
            more = bool(queued)
            self._position = queued[-1].id if queued else self._position
        with self._registry.reading() as connection:
            both = merged(by_condition(alerting.newest_alerts(connection)), newest, known, now)
        self._board = Board(self._terms, both.newest)
        outcome = Outcome(alerts={alert.id: alert for alert in both.newest})
        self._desk.settle(both.changes, self._board.alerts, now, outcome)
        with self._registry.writing() as connection:
            outcomes.keep(connection, outcome, now)
            alerting.keep_position(connection, POSITION, self._position)
            alerting.keep_position(connection, MARK, self._queue.mark(self._position) or 0)

    def _read_again(self, queued: Sequence[Queued], now: int) -> Iterator[list[Change]]:
        """At the end what time has made of it since."""
        for event in self._events(queued, ()):
            for one in sightings(event):
                yield self._board.take(one, self._received(event, now))
        if not queued:
            yield self._board.tick(now)
