"""What the registry and the alert queue forget, on either database."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import Table, func, select

from cloud_bridge.alerts.model import Alert, Phase
from cloud_bridge.alerts.notice import State
from cloud_bridge.alerts.standing import Told
from cloud_bridge.store.registry import alerting, heard, pruning, reasons
from cloud_bridge.store.registry.alert_tables import counted
from cloud_bridge.store.registry.alert_tables import reasons as reasons_table
from cloud_bridge.store.registry.alert_tables import told as told_table
from cloud_bridge.store.registry.alerting import Verb
from cloud_bridge.store.registry.reasons import Reason
from cloud_bridge.store.registry.registry import Registry
from drivers.ups import Severity
from tests.cloud_bridge.test_alerts_store import NOW, alert, notification

YEAR_MS = 365 * 86_400_000
LONG_AGO = NOW - YEAR_MS - 1
WHY = Reason(id=0, alert="", number=1, at=LONG_AGO, code="fired", reason="it was so")


@pytest.fixture
def old(registry: Registry) -> Alert:
    """Over for more than a year, and a newer one of its condition, with all that hangs on it."""
    one, newer = alert("1", Phase.RESOLVED, at=LONG_AGO), alert("2", Phase.RESOLVED, at=NOW - 5)
    sent = notification("n1", one, state=State.SENT, created_at=LONG_AGO, due_at=LONG_AGO)
    with registry.writing() as connection:
        alerting.keep_alerts(connection, [one, newer])
        alerting.add_notification(connection, sent)
        reasons.add_reason(connection, [(one.id, 1), (newer.id, 1)], WHY)
        heard.keep_told(connection, {(one.id, 1): Told(worst=Severity.WARNING, number=1, at=LONG_AGO)})
    return one


def prune(registry: Registry, count: int = pruning.AT_ONCE) -> bool:
    with registry.writing() as connection:
        return pruning.prune(connection, resolved_before=NOW - YEAR_MS, counted_before=NOW - 1_800_000, count=count)


def marks(registry: Registry) -> set[str]:
    with registry.reading() as connection:
        return {one.mark for one in alerting.listed(connection, count=10_000)}


def count(registry: Registry, table: Table) -> int:
    with registry.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_what_is_over_for_a_year_goes_with_all_that_hangs_on_it(registry: Registry, old: Alert) -> None:
    assert not prune(registry)
    assert marks(registry) == {"2"}
    assert (count(registry, reasons_table), count(registry, told_table)) == (1, 0)
    with registry.reading() as connection:
        assert alerting.find_notifications(connection, ["n1"]) == []


def test_an_open_alert_stays_however_old_it_is_and_so_do_its_notifications(registry: Registry) -> None:
    one = alert("1", Phase.FIRING, at=LONG_AGO)
    sent = notification("n1", one, state=State.SENT, created_at=LONG_AGO, due_at=LONG_AGO)
    with registry.writing() as connection:
        alerting.keep_alerts(connection, [one, alert("2", Phase.RESOLVED, at=NOW)])
        alerting.add_notification(connection, sent)
    prune(registry)
    assert marks(registry) == {"1", "2"}
    with registry.reading() as connection:
        assert alerting.find_notifications(connection, ["n1"]) == [sent]


def test_what_is_on_its_way_stays_and_so_does_what_it_tells_of(registry: Registry, old: Alert) -> None:
    waits = notification("n2", old, created_at=LONG_AGO, due_at=LONG_AGO)
    with registry.writing() as connection:
        alerting.add_notification(connection, waits)
    prune(registry)
    assert marks(registry) == {"1", "2"}
    with registry.reading() as connection:
        assert alerting.waiting(connection) == [waits]


def test_what_somebody_asks_something_of_stays(registry: Registry, old: Alert) -> None:
    with registry.writing() as connection:
        alerting.ask(connection, old.id, Verb.NOTE, "the fuse", "ada", NOW)
    prune(registry)
    assert marks(registry) == {"1", "2"}


def test_the_newest_of_a_condition_stays_since_a_repeated_sighting_is_known_by_it(registry: Registry) -> None:
    with registry.writing() as connection:
        alerting.keep_alerts(connection, [alert("1", Phase.RESOLVED, at=LONG_AGO)])
    prune(registry)
    assert marks(registry) == {"1"}


def test_what_is_over_for_less_than_a_year_stays(registry: Registry) -> None:
    with registry.writing() as connection:
        alerting.keep_alerts(connection, [alert(str(n), Phase.RESOLVED, at=NOW - YEAR_MS + n) for n in range(3)])
    assert not prune(registry)
    assert marks(registry) == {"0", "1", "2"}


def test_much_is_forgotten_a_part_at_a_time(registry: Registry) -> None:
    with registry.writing() as connection:
        alerting.keep_alerts(connection, [alert(str(n), Phase.RESOLVED, at=LONG_AGO - n) for n in range(8)])
    assert prune(registry, 3)
    assert marks(registry) == {"0", "1", "2", "3", "4"}
    assert prune(registry, 3)
    assert not prune(registry, 3)
    assert marks(registry) == {"0"}


def test_what_the_flood_rule_counted_goes_when_its_window_is_over(registry: Registry) -> None:
    with registry.writing() as connection:
        heard.add_counted(connection, [("a", 1, 7, NOW - 1_800_001), ("a", 2, 7, NOW - 1_799_999)])
    prune(registry)
    with registry.reading() as connection:
        assert list(connection.execute(select(counted.c.number)).scalars()) == [2]


def test_a_notice_about_no_alert_goes_too(registry: Registry, old: Alert) -> None:
    said = msgspec.structs.replace(notification("n3", old), alerts=(), state=State.FAILED, due_at=LONG_AGO)
    with registry.writing() as connection:
        alerting.add_notification(connection, said)
    prune(registry)
    with registry.reading() as connection:
        assert alerting.find_notifications(connection, ["n3"]) == []
