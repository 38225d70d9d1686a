"""Owners' own limits."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.alerts.model import Alert, Phase, Seen, Sighting
from cloud_bridge.alerts.terms import Rule, Scope
from cloud_bridge.alerts.watch import thresholds
from cloud_bridge.alerts.watch.world import World
from drivers.ups import Severity
from tests.cloud_bridge.alerts.worlds import NOW, UNIT, ago, alert, device, directory, gateway, rule, said, unit, world

BUSY = "reading_out_of_range:7"


def sightings(seen: World, now: int) -> list[Sighting]:
    """What the rules say, none of which fails."""
    said_ = list(thresholds.sightings(seen, now))
    found = [each for each in said_ if isinstance(each, Sighting)]
    assert found == said_
    return found


def look(
    load_pct: object, of: Rule | None = None, alerts: tuple[Alert, ...] = (), age_s: float = 1.0
) -> list[Sighting]:
    known = directory([device()], [of or rule()])
    return list(sightings(world([unit(load_pct=load_pct, age_s=age_s)], known=known, alerts=alerts), NOW))


def test_a_reading_beyond_its_limit_begins_and_has_to_last() -> None:
    (began,) = look(80.1, rule(for_s=300, severity=Severity.CRITICAL))
    assert said([began]) == [(f"unit:{UNIT}", BUSY, "began")]
    assert (began.stage, began.severity, began.hold_s) == ("reading_out_of_range", Severity.CRITICAL, 300.0)
    assert began.details == {"load_pct": 80.1, "limit": 80.0, "rule": "busy"}


@pytest.mark.parametrize(
    ("above", "clear", "phase", "reading", "expected"),
    [
        (True, 75.0, None, 80.0, None),
        (True, 75.0, Phase.FIRING, 75.1, None),
        (True, 75.0, Phase.FIRING, 75.0, Seen.ENDED),
        (True, 75.0, Phase.FIRING, 0.0, Seen.ENDED),
        (True, 75.0, Phase.PENDING, 79.0, Seen.ENDED),
        (True, None, Phase.FIRING, 80.0, Seen.ENDED),
        (True, None, Phase.FIRING, 80.5, Seen.BEGAN),
        (False, 85.0, None, 79.0, Seen.BEGAN),
        (False, 85.0, Phase.FIRING, 84.9, None),
        (False, 85.0, Phase.FIRING, 85.0, Seen.ENDED),
        (True, 75.0, None, None, None),
        (True, 75.0, Phase.FIRING, None, None),
        (True, 75.0, None, "much", None),
        (True, 75.0, None, True, None),
    ],
    ids=[
        "at the limit is not beyond it",
        "between the limit and where it is back an alert goes on",
        "where it is back it ends",
        "zero is a reading",
        "what did not fire yet has to stay beyond the limit",
        "without a clear of its own it ends at the limit",
        "and is said again while it is beyond",
        "below a lower limit",
        "a lower limit has its hysteresis too",
        "and ends at it",
        "a unit that does not report the reading begins nothing",
        "and ends nothing",
        "a text is no reading",
        "nor is a yes",
    ],
)
def test_when_a_limit_begins_and_ends(
    above: bool, clear: float | None, phase: Phase | None, reading: object, expected: Seen | None
) -> None:
    alerts = (alert(BUSY, phase=phase),) if phase else ()
    found = look(reading, rule(above=above, clear=clear), alerts)
    assert [each.seen for each in found] == ([expected] if expected else [])


@pytest.mark.parametrize("alerts", [(), (alert(BUSY),)], ids=["nothing open", "an alert open"])
@pytest.mark.parametrize("load_pct", [99.0, 1.0], ids=["beyond", "back"])
def test_a_stale_value_begins_and_ends_nothing(load_pct: float, alerts: tuple[Alert, ...]) -> None:
    assert look(load_pct, alerts=alerts, age_s=91.0) == []
    for silent in (gateway(silent_s=95.0), gateway(offline_at=NOW, offline_why="will")):
        lost = world([unit(load_pct=load_pct)], [silent], known=directory([device()], [rule()]), alerts=alerts)
        assert list(sightings(lost, NOW)) == []


def test_a_value_is_good_for_90_s() -> None:
    assert len(look(99.0, age_s=90.0)) == 1
    assert look(99.0, age_s=90.001) == []


def test_a_unit_that_was_only_named_so_far_is_not_judged() -> None:
    named = msgspec.structs.replace(unit(), at=None, sent_at=None, received_at=None, status={})
    assert list(sightings(world([named], known=directory([device()], [rule(above=False)])), NOW)) == []


def test_an_onset_has_one_mark_however_often_it_is_seen() -> None:
    first, again = look(90.0), look(91.0)
    assert first[0].mark == again[0].mark
    assert look(90.0, age_s=30.0)[0].mark != first[0].mark
    open_ = alert(BUSY, mark="m")
    assert look(90.0, age_s=30.0, alerts=(open_,))[0].mark == "m"


def test_what_comes_back_while_its_end_is_held_is_a_new_onset() -> None:
    ending = alert(BUSY, ends_at=NOW + 5_000)
    assert look(90.0, alerts=(ending,))[0].mark not in ("m", "")
    assert look(70.0, alerts=(ending,)) == []


@pytest.mark.parametrize(
    ("of", "applies"),
    [
        (rule(), True),
        (rule(owner=2), False),
        (rule(owner=None), True),
        (rule(enabled=False), False),
        (rule(scope=Scope(devices=(1,))), True),
        (rule(scope=Scope(devices=(2,))), False),
        (rule(scope=Scope(sites=(1,))), True),
        (rule(scope=Scope(sites=(2,), tags=("lab",))), True),
        (rule(scope=Scope(tags=("office",))), False),
    ],
    ids=[
        "no list is every device of the owner",
        "another owner's rule",
        "the operator's rule",
        "switched off",
        "names the device",
        "names another",
        "names its site",
        "one list that fits is enough",
        "names another tag",
    ],
)
def test_which_devices_a_rule_is_about(of: Rule, applies: bool) -> None:
    known = directory([device(tags=("lab",))], [of])
    beyond = unit(load_pct=99.0)
    assert bool(list(sightings(world([beyond], known=known), NOW))) is applies
    held = list(sightings(world([beyond], known=known, alerts=[alert(BUSY)]), NOW))
    assert [each.seen for each in held] == [Seen.BEGAN if applies else Seen.ENDED]


def test_the_alert_of_a_rule_that_is_gone_ends() -> None:
    left = world([unit(load_pct=99.0)], alerts=[alert(BUSY)])
    assert [each.seen for each in sightings(left, NOW)] == [Seen.ENDED]


def test_a_rule_that_makes_no_sense_stops_no_other() -> None:
    odd = [rule(id=1, reading="no_such"), rule(id=2, reading="state"), rule(id=3, reading="flags"), rule()]
    seen = world([unit(load_pct=99.0, state="online", flags=["fan"])], known=directory([device()], odd))
    assert [each.condition for each in sightings(seen, NOW)] == [BUSY]


@given(st.lists(st.floats(0, 200, allow_nan=False), min_size=1, max_size=20), st.booleans())
def test_it_fires_only_beyond_the_limit_and_ends_only_when_back(loads: list[float], above: bool) -> None:
    of = rule(above=above, limit=80.0, clear=75.0 if above else 85.0)
    open_: tuple[Alert, ...] = ()
    for load in loads:
        for each in look(load, of, open_):
            if each.seen is Seen.BEGAN:
                assert load > 80.0 if above else load < 80.0
                open_ = (alert(BUSY, mark=each.mark),)
            else:
                assert load <= 75.0 if above else load >= 85.0
                open_ = ()


def test_a_look_at_some_units_says_nothing_of_the_others() -> None:
    names = [f"pi/rack-{number}" for number in range(3)]
    seen = world([unit(name, load_pct=99.0) for name in names], known=None)
    known = directory([device(number, name) for number, name in enumerate(names, 1)], [rule()])
    heard = msgspec.structs.replace(seen.heard, changed=frozenset({"pi/rack-1"}))
    some = World(heard=heard, directory=known)
    assert [str(each.subject) for each in sightings(some, NOW)] == ["unit:pi/rack-1"]
    assert ago(0) == NOW
