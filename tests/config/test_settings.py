from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from config.errors import MAX_SHOWN_PROBLEMS, Problem, SettingsError
from config.settings import beside, decode


class Pace(StrEnum):
    GENTLE = "gentle"
    FAST = "fast"


class Unit(msgspec.Struct, kw_only=True):
    name: Annotated[str, Meta(min_length=1, max_length=8)]
    url: Annotated[str, Meta(pattern="://", description="a URL such as modbus+tcp://10.0.0.5?unit=1")]
    poll_s: Annotated[float, Meta(ge=0.2, le=60)] = 2.0
    pace: Pace = Pace.GENTLE
    unit_id: Annotated[int, Meta(ge=1, le=247)] | None = None


class Tls(msgspec.Struct, rename="kebab"):
    ca_file: Path
    key_file: Path = Path("client.key")

    def __post_init__(self) -> None:
        if self.ca_file == self.key_file:
            raise ValueError("the key can't be in the authority's file")


class Settings(msgspec.Struct, kw_only=True):
    gateway: str
    units: list[Unit]
    tls: Tls | None = None
    data: Path = Path("data")
    deadbands: dict[str, float] = {}
    verbose: bool = False
    side: Literal["left", "right"] = "left"
    pair: tuple[int, int] | None = None
    note: str | None = None
    tempo: Pace | None = None
    groups: dict[int, str] = {}
    tags: Annotated[frozenset[str], Meta(max_length=2)] = frozenset()


def told(text: str, type_: type = Settings) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        decode(text, type_, "gw.yaml")
    return [str(problem) for problem in caught.value.problems]


def told_of(line: str) -> str:
    """The one problem with this line in settings that are right otherwise."""
    [problem] = told(f"gateway: g\nunits: []\n{line}\n")
    return problem


def test_right_settings_become_the_typed_value() -> None:
    text = """
gateway: no
units:
  - {name: rack-1, url: "modbus+tcp://10.0.0.5", poll_s: 1, pace: fast}
deadbands: {load_pct: 2, input_v: 1.5}
tls: {ca-file: ca.pem}
tags: [a, b]
pair: [1, 2]
groups: {1: a}
"""
    assert decode(text, Settings, "gw.yaml", Path("/etc/ups")) == Settings(
        gateway="no",
        units=[Unit(name="rack-1", url="modbus+tcp://10.0.0.5", poll_s=1.0, pace=Pace.FAST)],
        deadbands={"load_pct": 2.0, "input_v": 1.5},
        tls=Tls(Path("/etc/ups/ca.pem"), Path("/etc/ups/client.key")),
        data=Path("/etc/ups/data"),
        tags=frozenset({"a", "b"}),
        pair=(1, 2),
        groups={1: "a"},
    )


def test_an_absolute_path_stays_as_it_is() -> None:
    assert decode("ca-file: /ca.pem", Tls, "x.yaml", Path("/etc")).ca_file == Path("/ca.pem")


def test_a_path_is_meant_beside_the_file_that_names_it() -> None:
    assert beside(Path("/etc/ups/gw.yaml"), "keys/a.pem") == Path("/etc/ups/keys/a.pem")
    assert beside(Path("/etc/ups/gw.yaml"), Path("/a.pem")) == Path("/a.pem")


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    text = """gatway: x
units:
  - {name: rack-123456, url: host, pol_s: 3}
  - name: ""
    poll_s: 99
    unit_id: 248
  - 5
tls: {}
"""
    assert told(text) == [
        "gw.yaml:1:1: gatway: unknown key; did you mean 'gateway'?",
        "gw.yaml:1:1: gateway: missing; expected text",
        "gw.yaml:3:12: units[0].name: expected text of 1 to 8 characters, got 'rack-123456'",
        "gw.yaml:3:30: units[0].url: expected a URL such as modbus+tcp://10.0.0.5?unit=1, got 'host'",
        "gw.yaml:3:36: units[0].pol_s: unknown key; did you mean 'poll_s'?",
        "gw.yaml:4:5: units[1].url: missing; expected a URL such as modbus+tcp://10.0.0.5?unit=1",
        "gw.yaml:4:11: units[1].name: expected text of 1 to 8 characters, got ''",
        "gw.yaml:5:13: units[1].poll_s: expected a number from 0.2 to 60, got 99",
        "gw.yaml:6:14: units[1].unit_id: expected a whole number from 1 to 247, got 248",
        "gw.yaml:7:5: units[2]: expected a mapping (key: value), got 5",
        "gw.yaml:8:6: tls.ca-file: missing; expected a path",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("verbose: yes", "3:10: verbose: expected true or false, got 'yes'"),
        ("side: up", "3:7: side: expected one of left, right, got 'up'"),
        ("note: 5", "3:7: note: expected text, got 5; put it in quotes"),
        ("tempo: fats", "3:8: tempo: expected one of gentle, fast, got 'fats'; did you mean 'fast'?"),
        ("groups: {one: a}", "3:9: groups: "),
        ("side: rigt", "3:7: side: expected one of left, right, got 'rigt'; did you mean 'right'?"),
        ("deadbands: {load_pct: 2%}", "3:23: deadbands.load_pct: expected a number, got '2%'"),
        ("deadbands: 3", "3:12: deadbands: expected a mapping (key: value), got 3"),
        ("data: 5", "3:7: data: expected a path, got 5"),
        ("data: ''", "3:7: data: expected a path, got ''"),
        ('data: "a\\0b"', "3:7: data: expected a path, got 'a\\x00b'"),
        ("data:", "3:6: data: expected a path, got nothing"),
        ("tls: [ca.pem]", "3:6: tls: expected a mapping (key: value), got a list"),
        ("tags: [a, b, c]", "3:7: tags: expected a list of at most 2 items, got a list"),
        ("tags: [a, 5]", "3:11: tags[1]: expected text, got 5; put it in quotes"),
        ("tags: [a, true]", "3:11: tags[1]: expected text, got true; put it in quotes"),
        ("tls: {ca-file: a, key-file: a}", "3:6: tls: the key can't be in the authority's file"),
        (
            "zzz: 1",
            "3:1: zzz: unknown key; allowed here: gateway, units, tls, data, deadbands, verbose, side, ",
        ),
        ("pair: [1, x]", "3:7: pair: Expected `int`, got `str` - at `$[1]`"),
    ],
)
def test_a_wrong_value_is_told_with_place_path_and_what_would_be_right(line: str, problem: str) -> None:
    assert told_of(line).startswith(f"gw.yaml:{problem}")


def test_a_key_from_outside_cannot_forge_a_line_of_the_error() -> None:
    assert told_of('"a\\n\\e[2J": 1').startswith("gw.yaml:3:1: a\\n\\x1b[2J: unknown key")


def test_empty_settings_lack_what_is_required() -> None:
    assert told("") == [
        "gw.yaml:1:1: gateway: missing; expected text",
        "gw.yaml:1:1: units: missing; expected a list",
    ]


def test_a_file_that_is_wrong_all_over_is_told_in_one_screenful() -> None:
    problems = [Problem("x.yaml", line, 1, "", "wrong") for line in range(1, 101)]
    assert len(str(SettingsError(problems[:MAX_SHOWN_PROBLEMS])).splitlines()) == MAX_SHOWN_PROBLEMS
    lines = str(SettingsError(problems)).splitlines()
    assert len(lines) == MAX_SHOWN_PROBLEMS + 1
    assert lines[-1] == "... and 80 more"


class Mail(msgspec.Struct, tag="mail"):
    to: str


class Hook(msgspec.Struct, tag="hook"):
    url: str


class Targets(msgspec.Struct):
    mail: Mail
    any: list[Mail | Hook] = []


def test_a_tagged_type_takes_its_tag_and_a_union_tells_msgspecs_words() -> None:
    assert decode("mail: {type: mail, to: a}", Targets, "x.yaml").mail == Mail("a")
    assert told("mail: {to: a, type: mail}\nany: [{type: hook, to: b}]", Targets) == [
        "gw.yaml:2:7: any[0]: Object missing required field `url`"
    ]


_words = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
_values = st.recursive(
    _words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)
_names = st.sampled_from([*Settings.__struct_fields__, "zzz"])


@given(st.dictionaries(_names, _values).map(msgspec.json.encode).map(bytes.decode))
def test_any_settings_are_a_value_or_problems_with_places(text: str) -> None:
    """JSON is YAML, so this reaches every type with every value."""
    try:
        assert isinstance(decode(text, Settings, "gw.yaml"), Settings)
    except SettingsError as error:
        assert all(problem.line >= 1 for problem in error.problems)
        assert str(error).startswith("gw.yaml:")


@given(st.text())
def test_any_text_is_a_value_or_a_settings_error(text: str) -> None:
    try:
        assert isinstance(decode(text, Settings, "gw.yaml"), Settings)
    except SettingsError as error:
        assert str(error).startswith("gw.yaml:")
