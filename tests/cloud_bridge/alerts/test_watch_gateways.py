"""Gateways that are silent, sites that are dark, and what is wrong with gateways that are heard."""

from __future__ import annotations

import msgspec
import pytest

from cloud_bridge.alerts.model import Alert, Kind, Phase, Seen, Sighting, Subject
from cloud_bridge.alerts.watch import concerns, dark, gateways
from cloud_bridge.alerts.watch.world import World
from cloud_bridge.rows import GatewayRow
from drivers.ups import Severity
from gateway.wire.health import Health, OutboxHealth
from gateway.wire.messages import Lane, Stamp
from tests.cloud_bridge.alerts.worlds import (
    CELLAR,
    NOW,
    PI,
    UNIT,
    ago,
    alert,
    device,
    directory,
    gateway,
    on_battery,
    reporting,
    said,
    unit,
    world,
)

LOST, DARK = "gateway_lost", "site_dark"
BEGAN = [("gateway:pi", LOST, "began")]
ENDED = [("gateway:pi", LOST, "ended")]


def lost(seen: World) -> list[Sighting]:
    return list(gateways.sightings(seen, NOW))


@pytest.mark.parametrize(
    ("row", "heard_s", "revoked", "open_", "expected"),
    [
        (gateway(silent_s=91), 3600, "", False, BEGAN),
        (gateway(silent_s=89), 3600, "", False, []),
        (gateway(silent_s=20, offline_at=ago(10), offline_why="will"), 3600, "", False, BEGAN),
        (gateway(silent_s=20, offline_at=ago(10), offline_why="stopped"), 3600, "", False, []),
        (gateway(silent_s=20, offline_at=ago(10), offline_why="stopped"), 3600, "", True, ENDED),
        (gateway(silent_s=1), 3600, "", True, ENDED),
        (gateway(silent_s=9999), 3600, "pi", False, []),
        (gateway(silent_s=9999), 3600, "pi", True, ENDED),
        (gateway(silent_s=9999), 179, "", False, []),
        (gateway(silent_s=9999), 179, "", True, []),
        (gateway(silent_s=9999), 181, "", False, BEGAN),
        (gateway(silent_s=9999), None, "", False, []),
        (gateway(silent_s=9999), None, "", True, []),
    ],
    ids=[
        "silent for more than 90 s",
        "silent for less",
        "cut off, as its will says",
        "stopped in good order is no loss",
        "and ends one",
        "a word ends it",
        "a revoked one is not missed",
        "once revoked it is missed no longer",
        "after an outage of the bridge nobody is lost yet",
        "and nobody is found",
        "until the bridge has heard the broker for three minutes",
        "a deaf bridge misses nobody",
        "and finds nobody",
    ],
)
def test_when_a_gateway_is_lost(
    row: GatewayRow, heard_s: float | None, revoked: str, open_: bool, expected: list[tuple[str, str, str]]
) -> None:
    alerts = [alert(LOST, PI)] if open_ else []
    seen = world([unit()], [row], heard_s=heard_s, revoked=[revoked], alerts=alerts)
    assert said(lost(seen)) == expected


def test_a_bridge_whose_ingest_died_misses_nobody() -> None:
    assert lost(world([unit()], [gateway(silent_s=999)], alive_s=31)) == []


@pytest.mark.parametrize(
    ("values", "past", "hold_s", "severity"),
    [
        ({"state": "online"}, {}, 600.0, Severity.WARNING),
        ({"state": "on_battery"}, {}, 90.0, Severity.CRITICAL),
        ({"state": "off"}, {UNIT: on_battery(900)}, 90.0, Severity.CRITICAL),
        ({"state": "off"}, {}, 600.0, Severity.WARNING),
        ({}, {}, 600.0, Severity.WARNING),
    ],
    ids=["on mains", "on battery", "off, in an outage without an end", "off before", "nothing said"],
)
def test_s22_a_lost_gateway_is_told_after_ten_minutes_but_after_90_s_if_its_last_word_was_on_battery(
    values: dict[str, object], past: dict[str, object], hold_s: float, severity: Severity
) -> None:
    row = reporting(values, age_s=100)
    (found,) = lost(world([row], [gateway(silent_s=100)], past=past))  # type: ignore[arg-type]  # UnitPast by unit
    assert (found.hold_s, found.severity) == (hold_s, severity)
    assert found.details["likely"] == ("its power ran out" if hold_s == 90.0 else "network or gateway")


def test_a_loss_has_the_mark_of_its_last_word() -> None:
    first, later = (lost(world([unit()], [gateway(silent_s=s)]))[0] for s in (100, 400))
    again = lost(world([unit()], [gateway(silent_s=100)], heard_s=200))[0]
    assert first.mark == again.mark != later.mark
    assert (first.at, later.at) == (ago(100), ago(400))


def test_silence_counts_from_when_the_bridge_can_hear() -> None:
    assert lost(world([unit()], [gateway(silent_s=5000)], heard_s=200))[0].at == ago(200)


TWO = directory([device(1, "pi/rack-1"), device(2, "pi-b/rack-2"), device(3, "far/rack", site=2)])


def site(
    links: dict[str, GatewayRow], states: tuple[str, str], alerts: tuple[Alert, ...] = (), heard_s: float = 3600
) -> list[Sighting]:
    rows = [unit("pi/rack-1", 100, state=states[0]), unit("pi-b/rack-2", 100, state=states[1]), unit("far/rack")]
    known = {"pi": gateway("pi", 100), "pi-b": gateway("pi-b", 120), "far": gateway("far")} | links
    seen = world(rows, list(known.values()), known=TWO, alerts=alerts, heard_s=heard_s)
    return list(dark.sightings(seen, NOW))


@pytest.mark.parametrize(
    ("links", "states", "is_dark"),
    [
        ({}, ("on_battery", "on_battery"), True),
        ({}, ("online", "on_battery"), True),
        ({}, ("online", "online"), False),
        ({"pi": gateway("pi", 1)}, ("on_battery", "on_battery"), False),
        (
            {"pi": gateway("pi", 100, offline_at=ago(99), offline_why="stopped")},
            ("on_battery", "on_battery"),
            True,
        ),
        ({"pi": gateway("pi", 100, offline_at=ago(99), offline_why="stopped")}, ("online", "on_battery"), False),
    ],
    ids=[
        "every gateway silent, all on battery",
        "one of them on battery is enough",
        "nobody on battery: the network or the gateways, not the power",
        "one gateway is still heard",
        "one that shut itself down on battery is as dark as the other",
        "one that was stopped on mains was stopped by somebody",
    ],
)
def test_when_a_site_is_dark(links: dict[str, GatewayRow], states: tuple[str, str], is_dark: bool) -> None:
    assert said(site(links, states)) == ([("site:1", DARK, "began")] if is_dark else [])


def test_a_dark_site_is_critical_lists_its_units_and_is_told_just_before_its_gateways() -> None:
    (found,) = site({}, ("on_battery", "on_battery"))
    assert (found.severity, found.hold_s, found.at) == (Severity.CRITICAL, 89.0, ago(100))
    pending = alert(LOST, PI, phase=Phase.PENDING, fires_at=NOW + 30_000)
    assert site({}, ("on_battery", "on_battery"), (pending,))[0].hold_s == 29.0
    assert site({}, ("on_battery", "on_battery"), (alert(LOST, PI),))[0].hold_s == 89.0
    assert found.details["units_listed"] == "pi-b/rack-2; pi/rack-1"
    assert found.details["site"] == "cellar"


def test_a_dark_site_is_heard_again_with_the_first_of_its_gateways() -> None:
    open_ = (alert(DARK, CELLAR),)
    assert said(site({"pi-b": gateway("pi-b", 1)}, ("on_battery", "on_battery"), open_)) == [("site:1", DARK, "ended")]
    assert [each.seen for each in site({}, ("on_battery", "on_battery"), open_)] == [Seen.BEGAN]
    stopped_since = {"pi": gateway("pi", 100, offline_at=ago(99), offline_why="stopped")}
    assert [each.seen for each in site(stopped_since, ("online", "on_battery"), open_)] == [Seen.ENDED]


def test_no_site_is_dark_to_a_bridge_that_came_back_just_now() -> None:
    assert site({}, ("on_battery", "on_battery"), heard_s=100) == []
    assert site({}, ("on_battery", "on_battery"), (alert(DARK, CELLAR),), heard_s=100) == []


def test_the_alert_of_a_site_that_is_gone_ends() -> None:
    gone = alert(DARK, Subject(Kind.SITE, "99"))
    assert said(dark.sightings(world([unit()], alerts=[gone]), NOW)) == [("site:99", DARK, "ended")]


def health(off_s: float = 0.0, clock: str = "synchronised", **more: object) -> Health:
    stamp = Stamp(at=ago(5 - off_s), boot="b", mono=1, clock=clock)
    return msgspec.structs.replace(Health(conn="c", stamp=stamp, version="1", running_s=900.0), **more)


def outbox(oldest_s: float | None = None, bytes_: int = 0, trouble: str = "") -> OutboxHealth:
    waiting = {Lane.EVENTS: 3, Lane.STATUS: 4}
    oldest_at = None if oldest_s is None else ago(5 + oldest_s)
    return OutboxHealth(waiting=waiting, bytes=bytes_, quota_bytes=1000, oldest_at=oldest_at, trouble=trouble)


def concern(
    said_: Health, alerts: tuple[Alert, ...] = (), health_s: float = 5.0, silent_s: float = 1.0
) -> list[Sighting]:
    row = gateway(silent_s=silent_s, health=said_, health_at=ago(health_s))
    return list(concerns.sightings(world([unit()], [row], alerts=alerts), NOW))


@pytest.mark.parametrize(
    ("said_", "expected"),
    [
        (health(), []),
        (health(certificate_days_left=13.9), ["certificate_near_end"]),
        (health(certificate_days_left=-3.0), ["certificate_near_end"]),
        (health(certificate_days_left=14.0), []),
        (health(clock="unsynchronised"), ["clock_wrong"]),
        (health(clock="unsynchronised", running_s=300.0), []),
        (health(off_s=61.0), ["clock_wrong"]),
        (health(off_s=-61.0), ["clock_wrong"]),
        (health(off_s=60.0), []),
        (health(outbox=outbox(3600.0)), []),
        (health(outbox=outbox(3601.0)), ["outbox_growing"]),
        (health(outbox=outbox(bytes_=801)), ["outbox_growing"]),
        (health(outbox=outbox(bytes_=799)), []),
        (health(outbox=outbox(trouble="disk full")), ["outbox_growing"]),
        (health(outbox=OutboxHealth(bytes=10)), []),
    ],
    ids=[
        "all is well",
        "a certificate that ends in less than two weeks was not renewed",
        "nor was one that ended",
        "one that lasts longer is no concern",
        "a clock that nothing sets",
        "for its first minutes NTP may still be asking",
        "a clock more than a minute fast",
        "or slow",
        "less may be the way here",
        "what waits for no more than an hour",
        "what waits for longer though the gateway is heard",
        "an outbox nearly full",
        "an outbox with room",
        "an outbox that can't be written",
        "an outbox without a quota is never full",
    ],
)
def test_what_concerns_a_gateway_that_is_heard(said_: Health, expected: list[str]) -> None:
    assert said(concern(said_)) == [("gateway:pi", name, "began") for name in expected]


@pytest.mark.parametrize(
    ("condition", "said_", "over"),
    [
        ("certificate_near_end", health(certificate_days_left=300.0), True),
        ("certificate_near_end", health(), False),
        ("clock_wrong", health(off_s=31.0), False),
        ("clock_wrong", health(off_s=30.0), True),
        ("outbox_growing", health(outbox=outbox(2000.0)), False),
        ("outbox_growing", health(outbox=outbox(bytes_=750)), False),
        ("outbox_growing", health(outbox=outbox(1800.0, bytes_=600)), True),
    ],
    ids=[
        "a renewed certificate ends it",
        "a gateway that says nothing of its certificate does not",
        "a clock has to be well within the limit",
        "then it is right again",
        "so has the age of what waits",
        "and the room in the outbox",
        "then records flow again",
    ],
)
def test_what_ends_a_concern(condition: str, said_: Health, over: bool) -> None:
    found = concern(said_, (alert(condition, PI),))
    assert said(found) == ([("gateway:pi", condition, "ended")] if over else [])


def test_an_old_health_record_begins_and_ends_nothing() -> None:
    wrong, right = health(certificate_days_left=1.0), health(certificate_days_left=300.0)
    open_ = (alert("certificate_near_end", PI),)
    assert concern(wrong, health_s=181.0) == concern(right, open_, health_s=181.0) == []
    assert concern(wrong, silent_s=95.0) == concern(right, open_, silent_s=95.0) == []


@pytest.mark.parametrize(
    ("said_", "hold_s"),
    [
        (health(certificate_days_left=1.0), 0.0),
        (health(off_s=-100.0), 120.0),
        (health(outbox=outbox(5000.0)), 600.0),
        (health(outbox=outbox(trouble="disk full")), 0.0),
    ],
    ids=[
        "a certificate at once",
        "a clock once a second record says so, since one may come late",
        "an outbox when a long outage of the network would have been caught up",
        "one that can't be written at once",
    ],
)
def test_how_long_a_concern_has_to_last(said_: Health, hold_s: float) -> None:
    (found,) = concern(said_)
    assert (found.hold_s, found.at) == (hold_s, ago(5))


@pytest.mark.parametrize(
    ("said_", "expected"),
    [
        (health(certificate_days_left=3.14), {"days_left": 3.1}),
        (health(off_s=-61.4), {"off_s": -61}),
        (health(clock="unsynchronised"), {"clock": "unsynchronised"}),
        (health(outbox=outbox(7200.0, 900)), {"waiting": 7, "oldest_s": 7200, "outbox_pct": 90}),
        (
            health(outbox=outbox(trouble="disk full")),
            {"waiting": 7, "oldest_s": 0, "outbox_pct": 0, "trouble": "disk full"},
        ),
    ],
    ids=["a certificate's days", "a clock's seconds", "a clock's quality", "what waits", "what the outbox says"],
)
def test_a_concern_comes_with_its_figures(said_: Health, expected: dict[str, object]) -> None:
    (found,) = concern(said_)
    assert found.details == expected


def test_a_health_record_is_news_for_three_minutes() -> None:
    assert len(concern(health(off_s=-175.0, certificate_days_left=1.0), health_s=180.0)) == 1


def test_a_dark_site_has_the_mark_of_its_last_word() -> None:
    first, later = (
        site({"pi": gateway("pi", seconds)}, ("on_battery", "on_battery"))[0].mark for seconds in (100, 110)
    )
    other = site({"pi-b": gateway("pi-b", 130)}, ("on_battery", "on_battery"))[0].mark
    assert first == other != later


@pytest.mark.parametrize(
    ("heard_s", "alive_s", "silent"),
    [(3600, 1, False), (3600, 31, True), (None, 1, True)],
    ids=["it hears the broker", "ingest does not run", "ingest hears no broker"],
)
def test_a_cloud_that_hears_nothing_says_so(heard_s: float | None, alive_s: float, silent: bool) -> None:
    seen = world(heard_s=heard_s, alive_s=alive_s)
    assert said(concerns.sightings(seen, NOW)) == ([("cloud", "ingest_silent", "began")] if silent else [])
    for each in concerns.sightings(seen, NOW):
        assert (each.hold_s, each.at) == (60.0, ago(alive_s))
        assert each.details == {"hears_broker": heard_s is not None, "silent_s": alive_s}
    open_ = alert("ingest_silent", Subject(Kind.CLOUD))
    held = world(heard_s=heard_s, alive_s=alive_s, alerts=[open_])
    assert said(concerns.sightings(held, NOW)) == [("cloud", "ingest_silent", "began" if silent else "ended")]


def test_a_cloud_whose_ingest_never_ran_has_nothing_to_say() -> None:
    never = msgspec.structs.replace(world().heard, ingest=None)
    assert list(concerns.sightings(World(heard=never), NOW)) == []
