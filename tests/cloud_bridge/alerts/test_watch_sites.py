"""Many units of one site, and many sites, at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.alerts.model import Alert, Kind, Phase, Sighting, Subject
from cloud_bridge.alerts.terms import Directory, Site, Terms
from cloud_bridge.alerts.watch.incidents import LISTED, labels_listed, members
from cloud_bridge.alerts.watch.past import UnitPast
from cloud_bridge.alerts.watch.sites import sightings
from cloud_bridge.alerts.watch.world import World
from drivers.ups import Severity
from tests.cloud_bridge.alerts.worlds import CELLAR, NOW, PI, ago, alert, device, directory, on_battery, said, world

CLOUD = Subject(Kind.CLOUD)
SITE = [("site:1", "site_outage", "began")]
SITES = [("cloud", "sites_outage", "began")]


def outage(unit: str, since_s: float = 5.0, **more: object) -> Alert:
    how = {"phase": Phase.PENDING, "fires_at": ago(since_s - 10)} | more
    return alert("outage", Subject(Kind.UNIT, unit), id=f"id {unit}", onset_at=ago(since_s), **how)


def cellar(of: int) -> Directory:
    return directory(device(number, f"pi/rack-{number}") for number in range(of))


def look(
    alerts: Iterable[Alert], known: Directory, terms: Terms | None = None, past: Mapping[str, UnitPast] | None = None
) -> list[Sighting]:
    return list(sightings(world(known=known, alerts=alerts, terms=terms, past=past), NOW))


@pytest.mark.parametrize(
    ("since_s", "of", "is_many"),
    [
        ([5, 5, 5], 10, True),
        ([5, 5], 10, False),
        ([5, 5], 6, True),
        ([5], 1, False),
        ([5], 3, False),
        ([5, 5], 2, True),
        ([5, 65], 2, True),
        ([5, 66], 2, False),
        ([5, 40, 100], 10, False),
        ([5, 40, 64], 10, True),
        ([5000, 5, 6, 7], 10, True),
        ([5000, 4900, 5], 10, False),
    ],
    ids=[
        "three of ten are 30 %",
        "two of ten are not",
        "two of six are",
        "one unit is never many, though it is all of the site",
        "nor is one of three",
        "both of two are",
        "a minute apart is at once",
        "61 s apart is not",
        "a slow sequence is not",
        "the first and the last have to be within it",
        "an old outage beside new ones takes nothing from them",
        "nor does it add to them",
    ],
)
def test_when_a_site_has_lost_its_mains(since_s: list[float], of: int, is_many: bool) -> None:
    alerts = [outage(f"pi/rack-{number}", seconds) for number, seconds in enumerate(since_s)]
    assert said(look(alerts, cellar(of))) == (SITE if is_many else [])


def test_share_and_window_are_settings() -> None:
    alerts = [outage("pi/rack-0", 5), outage("pi/rack-1", 120)]
    assert look(alerts, cellar(10)) == []
    assert said(look(alerts, cellar(10), Terms(site_share=0.2, site_window_s=180))) == SITE


def test_s17_what_is_over_and_what_a_backlog_tells_is_not_counted() -> None:
    first = outage("pi/rack-0")
    over = outage("pi/rack-1", ends_at=NOW + 5000)
    eased = outage("pi/rack-1", open={})
    backlog = outage("pi/rack-1", history=True, fires_at=None)
    assert [look([first, other], cellar(2)) for other in (over, eased, backlog)] == [[], [], []]
    told = outage("pi/rack-1", history=True, phase=Phase.FIRING)
    assert said(look([first, told], cellar(2))) == SITE


def test_two_gateways_whose_clocks_disagree_are_judged_by_ours() -> None:
    alerts = [outage("pi/rack-0", 5), outage("pi/rack-1", 50_000)]
    past = {"pi/rack-0": on_battery(5), "pi/rack-1": on_battery(6)}
    assert said(look(alerts, cellar(2), past=past)) == SITE


def test_an_incident_lists_its_units_and_is_told_just_before_the_first_of_them() -> None:
    alerts = [outage("pi/rack-0", 4), outage("pi/rack-1", 2)]
    (found,) = look(alerts, cellar(2))
    assert labels_listed(found.details) == ("pi/rack-0", "pi/rack-1")
    assert (found.details["site"], found.details["count"], found.details["of"]) == ("cellar", 2, 2)
    assert (found.at, found.hold_s, found.severity) == (ago(4), 5.0, Severity.WARNING)
    late = [outage("pi/rack-0", 9.5), outage("pi/rack-1", 2)]
    assert look(late, cellar(2))[0].hold_s == 0.0
    fired = [outage("pi/rack-0", 30, phase=Phase.FIRING), outage("pi/rack-1", 2)]
    assert look(fired, cellar(2))[0].hold_s == 0.0


def test_a_long_list_is_cut_and_counted() -> None:
    (found,) = look([outage(f"pi/rack-{number}") for number in range(90)], cellar(90))
    assert (len(labels_listed(found.details)), found.details["count"]) == (LISTED, 90)


def test_an_incident_is_as_bad_as_its_worst_unit() -> None:
    alerts = [outage("pi/rack-0"), outage("pi/rack-1", severity=Severity.CRITICAL)]
    assert look(alerts, cellar(2))[0].severity is Severity.CRITICAL


def test_it_goes_on_until_the_last_of_its_units_is_back() -> None:
    open_ = alert("site_outage", CELLAR)
    (still,) = look([outage("pi/rack-0", 4000, phase=Phase.FIRING), open_], cellar(10))
    assert (still.seen, still.mark, still.details["count"]) == ("began", "m", 1)
    assert said(look([open_], cellar(10))) == [("site:1", "site_outage", "ended")]


def test_the_incident_of_a_site_that_is_gone_ends() -> None:
    gone = alert("site_outage", Subject(Kind.SITE, "99"))
    assert said(look([gone], cellar(1))) == [("site:99", "site_outage", "ended")]


def many_sites(of: int) -> Directory:
    sites = {number: Site(id=number, owner=1, name=f"branch {number}") for number in range(of)}
    return Directory(
        sites=sites, devices={number: device(number, f"pi-{number}/ups", site=number) for number in range(of)}
    )


@pytest.mark.parametrize(
    ("since_s", "is_many"),
    [([5, 20, 60], True), ([5, 20], False), ([5, 20, 70], False), ([5, 10, 500, 505], False), ([1, 2, 3, 900], True)],
    ids=["three within a minute", "two", "three, not within it", "two and two", "three beside an old one"],
)
def test_when_many_sites_have_lost_their_mains(since_s: list[float], is_many: bool) -> None:
    alerts = [outage(f"pi-{number}/ups", seconds) for number, seconds in enumerate(since_s)]
    assert said(look(alerts, many_sites(9))) == (SITES if is_many else [])


def test_many_sites_are_listed_and_are_over_with_the_last_outage() -> None:
    (found,) = look([outage(f"pi-{number}/ups") for number in range(3)], many_sites(9))
    assert labels_listed(found.details) == ("branch 0", "branch 1", "branch 2")
    assert (found.details["units"], found.details["of"], found.severity) == (3, 9, Severity.CRITICAL)
    open_ = alert("sites_outage", CLOUD)
    assert said(look([open_, outage("pi-0/ups", 300)], many_sites(9))) == SITES
    assert said(look([open_, outage("pi-0/ups", 9000)], many_sites(9))) == [("cloud", "sites_outage", "ended")]
    assert said(look([open_], many_sites(9))) == [("cloud", "sites_outage", "ended")]


def test_an_old_outage_of_another_site_is_no_part_of_many_that_begin_now() -> None:
    alerts = [outage(f"pi-{number}/ups", seconds) for number, seconds in enumerate([5, 6, 7, 90_000])]
    (found,) = look(alerts, many_sites(9))
    assert (found.at, found.details["count"]) == (ago(7), 3)
    (still,) = look([*alerts, alert("sites_outage", CLOUD, onset_at=found.at)], many_sites(9))
    assert (still.seen, still.details["count"]) == ("began", 3)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(1, 500)), max_size=12), st.integers(1, 12))
def test_an_incident_never_lists_less_than_two_units_of_its_site(found: list[tuple[int, float]], of: int) -> None:
    alerts = {unit: outage(f"pi/rack-{unit}", since_s) for unit, since_s in found if unit < of}
    for each in look(alerts.values(), cellar(of)):
        count = each.details["count"]
        assert isinstance(count, int)
        assert count >= max(2, 0.3 * of)
        assert count == len(alerts)


KNOWN = directory(
    [
        device(1, "pi/a"),
        device(2, "pi/b"),
        device(3, "two/c"),
        device(4, "two/d", site=2),
        device(5, "lone/e", site=None),
    ]
)
OPEN = [
    outage("pi/a"),
    outage("two/d"),
    outage("lone/e"),
    alert("communication_lost", Subject(Kind.UNIT, "pi/b"), id="b"),
    alert("communication_lost", Subject(Kind.UNIT, "pi/unknown"), id="u"),
    alert("overload", Subject(Kind.UNIT, "pi/b"), id="o"),
    alert("gateway_lost", PI, id="pi"),
    alert("gateway_lost", Subject(Kind.GATEWAY, "two"), id="two"),
    alert("site_outage", CELLAR, id="site"),
]


@pytest.mark.parametrize(
    ("incident", "ids"),
    [
        (alert("site_outage", CELLAR), {"id pi/a"}),
        (alert("site_dark", CELLAR), {"id pi/a", "b", "pi"}),
        (alert("gateway_lost", PI), {"b", "u"}),
        (alert("sites_outage", CLOUD), {"id pi/a", "id two/d", "site"}),
        (alert("sites_outage", CLOUD, onset_at=ago(5000)), set()),
        (alert("overload"), set()),
    ],
    ids=[
        "outages of the site's units",
        "and gateways whose units are all there",
        "units that a lost gateway does not hear",
        "outages of units that have a site, and incidents of sites",
        "but not what began long after it",
        "no incident",
    ],
)
def test_what_an_incident_covers(incident: Alert, ids: set[str]) -> None:
    assert members(incident, {each.id: each for each in OPEN}, KNOWN) == ids


def test_a_world_without_a_registry_has_no_incidents() -> None:
    assert list(sightings(World(heard=world().heard, alerts={"x": outage("pi/rack-0")}), NOW)) == []
