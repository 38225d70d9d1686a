"""The operator's tree: which leaves an alert reaches, what they inherit, and how a wrong text is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.alerts.terms import Route
from cloud_bridge.alerts.tree import Leaf, channels_of, every_leaf, leaves, parse_routes
from config.errors import SettingsError
from drivers.ups import Severity

TREE = parse_routes(
    """
    channel: noc
    group_s: 60
    escalate_after_s: 900
    escalate_to: boss
    routes:
      - name: berlin
        match: {site: "berlin-*"}
        least: critical
        routes:
          - {name: lab, match: {tag: lab}, channel: lab}
          - {name: night, match: {condition: low_battery}, group_by: [gateway], group_s: 0}
      - {name: audit, match: {severity: critical}, channel: audit, go_on: true}
      - {name: ann, match: {owner: Ann}, channel: ann}
      - {name: rest, match: {owner: "*"}}
    """,
    "routes.yaml",
)


def facts(**values: str | tuple[str, ...]) -> dict[str, frozenset[str]]:
    return {key: frozenset({one} if isinstance(one, str) else one) for key, one in values.items()}


REACHED = [
    ("what fits no child is the root's", facts(site="munich"), ["root"]),
    ("a child stands in the root's place", facts(site="berlin-1"), ["root/berlin"]),
    ("a grandchild in the child's", facts(site="berlin-1", tag=("lab", "new")), ["root/berlin/lab"]),
    (
        "the first that fits ends the search",
        facts(site="berlin-1", tag="lab", condition="low_battery"),
        ["root/berlin/lab"],
    ),
    ("and its parent's siblings are not asked", facts(site="berlin-1", owner="Ann"), ["root/berlin"]),
    ("unless it goes on", facts(severity="critical", owner="Ann"), ["root/audit", "root/ann"]),
    ("one that goes on and nothing else fits", facts(severity="critical"), ["root/audit"]),
    ("a star fits whatever has the fact", facts(owner="Bob"), ["root/rest"]),
    ("a pattern fits the whole of a name", facts(site="old-berlin-1"), ["root"]),
    ("and minds capitals", facts(owner="ann"), ["root/rest"]),
]


@pytest.mark.parametrize(("about", "paths"), [row[1:] for row in REACHED], ids=[row[0] for row in REACHED])
def test_an_alert_reaches_the_deepest_nodes_that_fit(about: dict[str, frozenset[str]], paths: list[str]) -> None:
    assert [leaf.path for leaf in leaves(TREE, about)] == paths


def test_what_a_node_does_not_say_it_inherits() -> None:
    assert leaves(TREE, facts(site="berlin-1", condition="low_battery")) == [
        Leaf(
            path="root/berlin/night",
            channel="noc",
            least=Severity.CRITICAL,
            group_by=("gateway",),
            group_s=0,
            escalate_after_s=900,
            escalate_to="boss",
        )
    ]


def test_a_tree_that_says_nothing_asks_for_warnings_by_site_and_condition() -> None:
    assert leaves(Route(), {}) == [
        Leaf(path="root", least=Severity.WARNING, group_by=("site", "condition"), group_s=300)
    ]


def test_all_its_channels_are_named_for_the_caller_to_check() -> None:
    assert channels_of(TREE) == {"noc", "boss", "lab", "audit", "ann"}


def test_every_leaf_lists_every_node_with_its_inheritance() -> None:
    assert {leaf.path: leaf.channel for leaf in every_leaf(TREE)} == {
        "root": "noc",
        "root/berlin": "noc",
        "root/berlin/lab": "lab",
        "root/berlin/night": "noc",
        "root/audit": "audit",
        "root/ann": "ann",
        "root/rest": "noc",
    }


REFUSED = [
    (
        "a key that there is not",
        "channel: noc\nchanel: x",
        "routes.yaml:2:1: chanel: unknown key; did you mean 'channel'?",
    ),
    ("a key given twice", "channel: a\nchannel: b", "routes.yaml:2:1: the key 'channel' was given before, at 1:1"),
    (
        "a severity that there is not",
        "least: grave",
        "routes.yaml:1:8: least: expected one of informational, warning, critical",
    ),
    (
        "a pattern that fits no severity",
        "match:\n  severity: grave",
        "routes.yaml:2:13: match.severity: 'grave' fits no severity that there is",
    ),
    (
        "a pattern that fits no condition",
        "routes:\n- match: {condition: on_batery}",
        "routes.yaml:2:22: routes[0].match.condition: 'on_batery' fits no condition that there is",
    ),
    (
        "a fact that there is not",
        "routes:\n- match: {tga: lab, severity: critical}",
        "routes.yaml:2:11: routes[0].match.tga: unknown key; did you mean 'tag'?",
    ),
    (
        "an escalation to nobody",
        "routes:\n- escalate_after_s: 60",
        "routes.yaml:2:3: routes[0].escalate_to: missing here and above",
    ),
    ("an escalation at no time", "escalate_to: boss", "routes.yaml:1:1: escalate_after_s: missing here and above"),
    (
        "an escalation within a moment",
        "escalate_to: boss\nescalate_after_s: 5",
        "routes.yaml:2:19: escalate_after_s: expected a whole number from 60",
    ),
    (
        "a fault deep in the tree",
        "routes:\n- routes:\n  - {group_s: -1}",
        "routes.yaml:3:15: routes[0].routes[0].group_s: expected",
    ),
    ("no YAML at all", "routes: [", "routes.yaml:1:10: not YAML"),
    ("a tree that is too deep", "{routes: [" * 9 + "{}" + "]}" * 9, "nested more than 16 levels deep"),
]


@pytest.mark.parametrize(("text", "told"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_wrong_tree_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_routes(text, "routes.yaml")
    assert told in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = "routes:\n- escalate_to: boss\n- match: {severity: grave}"
    with pytest.raises(SettingsError) as refused:
        parse_routes(text, "routes.yaml")
    assert [(problem.line, problem.path) for problem in refused.value.problems] == [
        (2, "routes[0].escalate_after_s"),
        (3, "routes[1].match.severity"),
    ]


@given(st.text(max_size=200))
def test_any_text_is_a_tree_or_refused(text: str) -> None:
    try:
        route = parse_routes(text, "routes.yaml")
    except SettingsError:
        return
    assert isinstance(route, Route)
