"""Fills what the alerts' watchers look at."""

from __future__ import annotations

from collections.abc import Mapping

from cloud_bridge.alerts.watch.past import EMPTY_PCT, REMEMBERED, remembered
from cloud_bridge.alerts.watch.world import Full, Heard
from cloud_bridge.rows import UnitRow
from cloud_bridge.store.reader import Reader


def looked(reader: Reader, since: Heard | None = None, *, everything: bool = True) -> Heard:
    """What is stored, after what an earlier look saw (None: from the beginning, which reads every event once).

    `everything`: the look is about all units, else about those whose status is new since. What was seen of a
    database that was restored meanwhile is forgotten. Raises sqlite3.Error.
    """
    through = reader.last_record()
    if since is None or since.through > through:
        since, everything = Heard(), True
    after = (since.through, through)
    rows = {f"{row.gateway}/{row.name}": row for row in reader.units(None if everything else since.through)}
    past = remembered(since.past, reader.newest_events(REMEMBERED, *after), reader.spent_outages(EMPTY_PCT, *after))
    return Heard(
        ingest=reader.ingest(),
        gateways=tuple(reader.gateways()),
        units={**since.units, **rows},
        changed=frozenset(rows),
        past=past,
        full={**since.full, **_full(reader, since, rows)},
        first_seen=_first_seen(reader, since) if everything else since.first_seen,
        through=through,
    )


def _full(reader: Reader, since: Heard, rows: Mapping[str, UnitRow]) -> dict[str, Full]:
    """Searched for where none was seen yet: that is at the first look."""
    found: dict[str, Full] = {}
    for name, row in rows.items():
        if row.is_full and row.received_at is not None:
            found[name] = Full(row.record, row.received_at)
        elif row.record and name not in since.full and (newest := reader.newest_full(row.gateway, row.name)):
            found[name] = Full(*newest)
    return found


def _first_seen(reader: Reader, since: Heard) -> dict[str, int]:
    """What was seen once does not change."""
    known = {f"{gateway}/{unit}": at for (gateway, unit), at in reader.first_seen().items()}
    return {**known, **since.first_seen}
