"""What policy.yaml may say, and what follows from it (S7, S8, S10)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import SettingsError
from config.runtime.files import load
from config.settings import decode
from drivers.ups import Verb
from gateway.policy import ONLY_BY_NAME, Feed, Policy, UnitPolicy, from_json, to_json
from gateway.wire.classes import CLASSES, CommandClass

EXAMPLE = Path(__file__).parents[2] / "config" / "examples" / "policy.yaml"
KEY = "+DQgraJPGOhIbJ9wR04yv7PqCv8+p6Vpr2wasAoSwp0="

RIGHT = f"""\
allow: [quiet]
verbs: [bypass_on]
roles: [owner, operator]
operators: {{alice: "{KEY}"}}
units:
  rack-1:
    allow: [quiet, to_battery]
    feeds: {{1: [gateway, uplink], 2: []}}
    redundancy_group: rack-a
    calibration: {{load_pct: 40, days_between: 180}}
  rack-2: {{redundancy_group: rack-a, verbs: [], reboot_feeds: true}}
"""


def read(text: str) -> Policy:
    return decode(text, Policy, "policy.yaml")


def told(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(text)
    return str(caught.value)


def test_the_commented_example_says_what_holds_without_a_file() -> None:
    assert load(EXAMPLE, Policy) == Policy()


def test_every_example_in_it_is_right() -> None:
    text = re.sub(r"^#(?=[a-z]|  \S|    \S)", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    policy = read(text)
    assert policy.operators.keys() == {"alice"}
    assert policy.units["rack-1"].feeds == {1: (Feed.GATEWAY, Feed.UPLINK)}


def test_all_of_it_is_read() -> None:
    policy = read(RIGHT)
    rack_1 = policy.unit("rack-1")
    assert rack_1.feeds == {1: (Feed.GATEWAY, Feed.UPLINK), 2: ()}
    assert (rack_1.calibration.load_pct, rack_1.calibration.days_between) == (40, 180)
    assert (rack_1.allow, rack_1.verbs, rack_1.roles) == (
        (CommandClass.QUIET, CommandClass.TO_BATTERY),
        (Verb.BYPASS_ON,),
        ("owner", "operator"),
    )
    assert policy.unit("rack-2").allow == (CommandClass.QUIET,)
    assert policy.unit("rack-2").verbs == ()


def test_the_policy_survives_the_way_into_another_process() -> None:
    policy = read(RIGHT)
    assert from_json(to_json(policy)) == policy


@pytest.mark.parametrize(
    ("right", "wrong", "what"),
    [
        ("allow: [quiet]\n", "allow: [quite]\n", "policy.yaml:1:9: allow[0]: expected"),
        ("verbs: [bypass_on]", "verbs: [set_name]", "a unit's settings are not changed from the cloud (S10)"),
        ("verbs: []", "verbs: [set_sensitivity]", "units.rack-2: verbs: set_sensitivity"),
        ("verbs: [bypass_on]", "verb: [bypass_on]", "policy.yaml:2:1: verb: unknown key; did you mean 'verbs'?"),
        (KEY, KEY[:-1], "expected an Ed25519 public key"),
        (KEY, KEY.replace("p0=", "p1="), "no public key is written like this"),
        ("1: [gateway, uplink]", "one: [gateway]", "feeds"),
        ("1: [gateway, uplink]", "1: [gatewy]", "did you mean 'gateway'?"),
        ("load_pct: 40", "load_pct: 29", "expected a number from 30"),
        ("days_between: 180", "days_between: 89", "expected a whole number from 90"),
        ("alice:", "Alice Smith:", "operators"),
        ("rack-1:", "Rack_1:", "units"),
    ],
)
def test_a_wrong_policy_is_told_with_its_place(right: str, wrong: str, what: str) -> None:
    assert right in RIGHT
    assert what in told(RIGHT.replace(right, wrong))


def test_s7_without_a_policy_only_quiet_verbs_are_allowed() -> None:
    allowed = {verb for verb in Verb if Policy().allows("rack-1", verb)}
    assert allowed == {Verb.BEEP, Verb.MUTE, Verb.UNMUTE}


def test_s7_every_class_has_the_verbs_of_the_rule() -> None:
    by_class = {kind: {verb for verb, found in CLASSES.items() if found is kind} for kind in CommandClass}
    assert by_class[CommandClass.TO_BATTERY] >= {Verb.SELF_TEST, Verb.SIMULATE_POWER_FAILURE, Verb.CALIBRATION}
    assert by_class[CommandClass.TO_BATTERY] >= {Verb.BYPASS_ON, Verb.BYPASS_OFF}
    assert by_class[CommandClass.CUTS_OUTPUT] >= {Verb.OUTLET_OFF, Verb.OUTLET_REBOOT, Verb.SHUTDOWN}


def test_s10_no_policy_allows_a_verb_that_sets_something() -> None:
    everything = Policy(allow=tuple(CommandClass), verbs=tuple(CLASSES))
    assert {verb for verb in Verb if not everything.allows("rack-1", verb)} == {
        verb for verb in Verb if verb.startswith("set_")
    }


@given(st.sampled_from(sorted(ONLY_BY_NAME)))
def test_s2_bypass_and_clear_faults_have_to_be_named(verb: Verb) -> None:
    assert not Policy(allow=tuple(CommandClass)).allows("rack-1", verb)
    named = Policy(allow=(), verbs=(verb, Verb.BEEP))
    assert named.allows("rack-1", verb)
    assert named.also_allowed("rack-1") == {verb}


def test_what_is_said_of_a_unit_stands_in_place_of_the_gateways() -> None:
    policy = Policy(allow=tuple(CommandClass), units={"rack-1": UnitPolicy(allow=())})
    assert not policy.allows("rack-1", Verb.BEEP)
    assert policy.allows("rack-2", Verb.BEEP)


def test_units_of_a_redundancy_group_wait_for_one_another() -> None:
    policy = read(RIGHT)
    assert policy.peers("rack-1") == ("rack-2",)
    assert policy.peers("rack-3") == ()
    assert policy.turn("rack-1") == policy.turn("rack-2") != policy.turn("rack-3")


def test_a_unit_named_like_a_group_shares_no_turn_with_it() -> None:
    assert read(RIGHT).turn("rack-a") != read(RIGHT).turn("rack-1")


def test_units_that_the_gateway_does_not_have_are_found() -> None:
    assert read(RIGHT).unknown_units(["rack-1", "rack-3"]) == ("rack-2",)


def test_the_digest_tells_two_policies_apart_and_not_how_they_are_written() -> None:
    assert read(RIGHT).digest == read(RIGHT.replace("[owner, operator]", "\n  - owner\n  - operator")).digest
    assert read(RIGHT).digest != read(RIGHT.replace("180", "181")).digest
