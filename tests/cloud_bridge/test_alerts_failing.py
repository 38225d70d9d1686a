"""What fails among watchers and rules: told once, and no other is stopped by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from cloud_bridge.alerts.attempt import Failure, attempt, attempt_all
from cloud_bridge.alerts.notice import Notification
from cloud_bridge.alerts.terms import Rule, Site
from cloud_bridge.runtime.alerts.composing import View
from cloud_bridge.runtime.alerts.failing import TEXTS_AT_MOST, Failing
from cloud_bridge.runtime.alerts.session import Databases, Session
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.vault import Vault
from cloud_bridge.store.queue import Queue
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.registry import people, values
from gateway.wire.messages import Lane
from tests.cloud_bridge.alerting import G, House, now_stamp
from tests.cloud_bridge.words import outage, parcel, status

BAD = Failure('rule "hot" (id 3)', "TypeError: no number (thresholds.py:1)")


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Since it was asked last."""
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return lines


def test_what_fails_at_every_look_is_told_once_and_once_more_when_it_works_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing = Failing()
    for everything in (True, False, True):
        failing.note([BAD])
        failing.looked(everything=everything)
    assert told(caplog) == [
        ("ERROR", 'rule "hot" (id 3) fails, the others go on: TypeError: no number (thresholds.py:1)')
    ]
    failing.looked(everything=True)
    failing.looked(everything=True)
    assert told(caplog) == [("WARNING", 'rule "hot" (id 3) works again')]
    failing.note([BAD])
    assert [level for level, _ in told(caplog)] == ["ERROR"]


def test_a_look_at_what_changed_alone_does_not_say_that_anything_works_again(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    failing.note([BAD])
    failing.looked(everything=False)
    told(caplog)
    failing.looked(everything=False)
    failing.note([BAD])
    failing.looked(everything=True)
    assert told(caplog) == []


def test_each_text_of_one_that_fails_is_told_once_up_to_a_limit(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    for number in range(3 * TEXTS_AT_MOST):
        failing.note([Failure("watcher dates", f"at {number // 2}")])
        failing.looked(everything=True)
    assert len(told(caplog)) == TEXTS_AT_MOST
    failing.note([Failure("watcher tests", "at 0")])
    assert len(told(caplog)) == 1


def test_a_decision_that_fails_gives_what_stands_for_it_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    assert failing.tried("escalation", lambda: [1], ()) == [1]
    assert told(caplog) == []
    assert failing.tried("escalation", lambda: [1 // 0], ()) == ()
    ((level, line),) = told(caplog)
    assert level == "ERROR"
    assert line.startswith("escalation fails, the others go on: ZeroDivisionError: ")


def test_of_what_fails_on_its_way_nothing_is_taken() -> None:
    def halfway() -> Iterator[int]:
        yield 1
        raise LookupError("two")

    (failure,) = attempt_all("counting", halfway)
    assert isinstance(failure, Failure)
    assert (failure.who, failure.why.partition(" (")[0]) == ("counting", "LookupError: two")
    assert attempt_all("counting", lambda: iter((1, 2))) == [1, 2]
    assert attempt("nothing", lambda: None) is None


def test_what_is_no_mistake_of_a_rule_is_not_taken_for_one() -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt("waiting", stopped)


@contextmanager
def session(house: House, offered: list[Notification], **terms: float) -> Iterator[Session]:
    """At work on the house's databases, in this thread."""
    settings = house.settings

    def open_vault() -> Callable[[bytes], str]:
        return Vault(settings.channel_key).open

    def offer(made: Sequence[Notification], view: View) -> None:
        assert view.directory.channels
        offered.extend(made)

    with house.registry() as registry, Queue(house.database) as queue, Reader(house.database) as reader:
        figures = msgspec.structs.replace(settings.alerts, **terms)
        yield Session(Databases(registry, queue, reader), figures, open_vault, offer, lambda _view: None)


def test_a_watcher_that_fails_stops_in_the_session_neither_events_nor_a_rule_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a share that is no number nothing can be said of sites that lose their mains."""
    house, offered = House(tmp_path / "cloud", 25), list[Notification]()
    settle(house)
    with session(house, offered, site_share=float("nan")) as working:
        house.tells("on_battery", poke=False, charge_pct=99)
        working.work(())
        with house.telemetry.transaction():
            at = now_ms()
            house.telemetry.live(at - 3_600_000, at - 3_600_000)
            house.telemetry.see(G, at)
            house.telemetry.take(G, parcel(1, status(load_pct=91.5, stamped=now_stamp()), lane=Lane.STATUS), at)
            # Whatever an outage tells is looked at in the same moment.
            house.telemetry.take(G, parcel(2, outage(now_stamp())), at)
        working.work(())
    house.close()
    assert {one.condition.partition(":")[0] for one in house.alerts()} == {"outage", "reading_out_of_range"}
    assert len(offered) == len(house.notifications()) == 2
    ((level, line),) = [each for each in told(caplog) if "fails" in each[1]]
    assert level == "ERROR"
    assert line.startswith("watcher sites fails, the others go on: ValueError: ")


def settle(house: House) -> None:
    """The unit stands at a site, and its owner has a rule."""
    with house.registry() as registry, registry.writing(noticed=True) as connection:
        site = values.added(connection, Site(id=0, owner=house.owner.id, name="cellar"))
        for device in house.devices.values():
            people.save_device(connection, msgspec.structs.replace(device, site=site.id))
        rule = Rule(id=0, owner=house.owner.id, name="busy", reading="load_pct", above=True, limit=80.0, for_s=0)
        values.added(connection, rule)
