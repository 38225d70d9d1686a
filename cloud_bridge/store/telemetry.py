"""The telemetry database as ingest uses it: many messages, one commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlite_utils import Database

from cloud_bridge.ingest import Letter, Parcel, Verdict
from cloud_bridge.store import bodies, letters, parties, records
from cloud_bridge.store.database import transaction
from cloud_bridge.store.letters import LetterCaps
from gateway.wire.health import Health
from gateway.wire.messages import Hello, Lane, LaneAck, Offline


class Telemetry:
    """Every method but `transaction` and `close` runs inside one.

    Nothing is remembered between transactions, so a rolled back one or a second writer leaves nothing wrong.
    """

    def __init__(self, db: Database, now: records.Clock, caps: LetterCaps | None = None) -> None:
        self._db = db
        self._conn = db.conn
        self._now = now
        self._caps = caps or LetterCaps()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What was done inside is on the disk when it ends, or not done at all."""
        with transaction(self._db):
            yield

    def close(self) -> None:
        self._db.close()

    def take(self, gateway: str, parcel: Parcel, received_at: int) -> Verdict:
        """Stores a batch and its dead letters. The verdict's acknowledgement becomes true with the commit."""
        row = self._gateway(gateway, received_at)
        verdict = records.take(self._conn, row, parcel, received_at, self._now)
        if verdict.letters:
            letters.keep_letters(self._conn, row, verdict.letters, received_at, self._caps)
        return verdict

    def greet(self, gateway: str, hello: Hello, received_at: int) -> dict[Lane, LaneAck]:
        """Remembers a hello and gives what is stored of the streams it names."""
        row = self._gateway(gateway, received_at)
        parties.greet(self._conn, row, hello, received_at)
        return {
            lane: LaneAck(stream=said.stream, through=parties.through(self._conn, row, lane, said.stream))
            for lane, said in hello.lanes.items()
        }

    def see(self, gateway: str, at_ms: int, waiting: Mapping[Lane, int] | None = None) -> None:
        parties.see(self._conn, self._gateway(gateway, at_ms), at_ms, waiting)

    def keep_health(self, gateway: str, health: Health, received_at: int) -> bool:
        """Whether the record tells, for the first time, that the gateway's audit log lost lines."""
        return parties.keep_health(self._conn, self._gateway(gateway, received_at), health, received_at)

    def say_goodbye(self, gateway: str, offline: Offline, received_at: int) -> None:
        parties.say_goodbye(self._conn, self._gateway(gateway, received_at), offline, received_at)

    def bury(self, gateway: str, letter: Letter, received_at: int) -> None:
        """Keeps what could not be taken."""
        row = self._gateway(gateway, received_at)
        letters.keep_letters(self._conn, row, [letter], received_at, self._caps)

    def prune_queue(self, before: int) -> int:
        """Forgets what the alerts role had long enough to read; how many rows."""
        return bodies.prune_queue(self._conn, before)

    def live(self, started_at: int, connected_at: int | None) -> None:
        """Ingest itself is alive, and since when it hears the broker."""
        self._conn.execute(
            "INSERT OR REPLACE INTO ingest (id, started_at, alive_at, connected_at) VALUES (1, ?, ?, ?)",
            (started_at, self._now(), connected_at),
        )

    def _gateway(self, name: str, now_ms: int) -> int:
        return parties.gateway_id(self._conn, name, now_ms)
