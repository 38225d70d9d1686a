"""Orders and the audit log in the outbox file. Every method runs inside a transaction of the writer's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from drivers.ups import Outcome, Verb
from gateway.audit import Head, Line
from gateway.wire.orders import Order, Stage


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order as the file has it: kept for good, so that none is carried out twice. `at`: UTC milliseconds."""

    order: Order
    stage: Stage
    at: int
    outcome: Outcome | None = None


_decoder = msgspec.json.Decoder(Kept)


class CommandsFile:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def stage(self, order: str) -> Stage | None:
        """How far the order of this id came; None if there never was one."""
        row = self.connection.execute("SELECT stage FROM command WHERE id = ?", (order,)).fetchone()
        return Stage(row[0]) if row else None

    def put(self, kept: Kept) -> None:
        self.connection.execute(
            "INSERT INTO command (id, unit, stage, body, received_at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET stage = excluded.stage, body = excluded.body",
            (kept.order.id, kept.order.unit, kept.stage, msgspec.json.encode(kept), kept.at),
        )

    def unfinished(self) -> tuple[Order, ...]:
        """Orders that were accepted and whose outcome was never written, oldest first."""
        rows = self.connection.execute(
            "SELECT body FROM command WHERE stage = ? ORDER BY received_at, rowid", (Stage.ACCEPTED,)
        )
        return tuple(_decoder.decode(row[0]).order for row in rows)

    def calibrations(self) -> dict[str, int]:
        """When the last calibration began, or may have begun, by serial number: UTC milliseconds."""
        found: dict[str, int] = {}
        rows = self.connection.execute(
            "SELECT body FROM command WHERE stage <> ? AND instr(CAST(body AS TEXT), ?)",
            (Stage.REFUSED, f'"{Verb.CALIBRATION}"'),
        )
        for kept in (_decoder.decode(row[0]) for row in rows):
            if kept.order.verb is Verb.CALIBRATION and kept.outcome in (None, Outcome.DONE, Outcome.UNKNOWN):
                found[kept.order.serial] = max(kept.at, found.get(kept.order.serial, 0))
        return found

    def append(self, line: Line) -> None:
        """One more line of the audit log. Raises sqlite3.IntegrityError if its number is taken."""
        self.connection.execute(
            "INSERT INTO audit (number, line, digest) VALUES (?, ?, ?)", (line.number, line.text, line.digest)
        )

    def head(self) -> Head:
        row = self.connection.execute("SELECT digest, number FROM audit ORDER BY number DESC LIMIT 1").fetchone()
        return Head(*row) if row else Head()

    def lines(self) -> Iterator[Line]:
        """The whole audit log, oldest first."""
        for row in self.connection.execute("SELECT number, line, digest FROM audit ORDER BY number"):
            yield Line(*row)

    def note(self, name: str) -> bytes | None:
        """A small thing that outlives the process."""
        row = self.connection.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def put_note(self, name: str, value: bytes) -> None:
        self.connection.execute(
            "INSERT INTO note (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )
