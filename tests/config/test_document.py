from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.document import MAX_CHARS, MAX_DEPTH, Place, parse
from config.errors import SettingsError


def value(text: str) -> object:
    node = parse(text, "x.yaml")
    assert node is not None
    return node.value


def refusal(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(text, "x.yaml")
    return str(caught.value)


@pytest.mark.parametrize("text", ["no", "yes", "on", "off", "y", "n", "No", "OFF", "1:30", "22:30:15", "010", "0x1F"])
def test_what_yaml_1_1_reads_as_something_else_stays_text(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize("text", ["2026-01-31", "1_000", "12e5", "=", "<<", ".inf", ".nan", "+.", "0b11"])
def test_other_plain_words_stay_text(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("0", 0),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("1.5e3", 1500.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("999999999999999999", 999999999999999999),
        ("1000000000000000000", "1000000000000000000"),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_a_value_and_a_key_know_where_they_stand() -> None:
    root = parse("a:\n  - b: 1\n    c: [x, y]\n", "x.yaml")
    assert root is not None
    inner = root.fields["a"].items[0]
    assert root.value == {"a": [{"b": 1, "c": ["x", "y"]}]}
    assert inner.keys == {"b": Place(2, 5), "c": Place(3, 5)}
    assert inner.fields["c"].items[1].place == Place(3, 12)


def test_a_key_is_the_text_that_was_written() -> None:
    assert value("{1: a, true: b, no: c}") == {"1": "a", "true": "b", "no": "c"}


def test_every_key_given_twice_is_told_with_both_places() -> None:
    assert refusal("a: 1\nb: {c: 1, c: 2}\na: 3\n") == (
        "x.yaml:2:11: the key 'c' was given before, at 2:5\nx.yaml:3:1: the key 'a' was given before, at 1:1"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &x 1", "x.yaml:1:4: anchors (&) and aliases (*) are not allowed here"),
        ("a: *x", "x.yaml:1:4: anchors (&) and aliases (*) are not allowed here"),
        ("*x : 1", "x.yaml:1:1: anchors (&) and aliases (*) are not allowed here"),
        ("a: !!str 1", "x.yaml:1:4: tags (!) are not allowed here"),
        ("a: !!python/object:os.system []", "x.yaml:1:4: tags (!) are not allowed here"),
        ("a: 1\n---\nb: 2", "x.yaml:2:1: a second document is not allowed here"),
        ("{a: 1}: b", "x.yaml:1:1: a key must be text"),
        ("a: 'x", "x.yaml:1:6: not YAML: found unexpected end of stream; while scanning a quoted scalar"),
        ("a:\n\t- b", "x.yaml:2:1: not YAML: found character '\\t' that cannot start any token"),
        ("a: b\x1b", "x.yaml:1:5: a character that YAML does not allow: '\\x1b'"),
        ("\ud800", "x.yaml:1:1: a character that YAML does not allow: '\\ud800'"),
        ('a: "\\uD800"', "x.yaml:1:4: half a character (\\uD800 to \\uDFFF) is not text"),
    ],
)
def test_what_settings_do_not_need_is_refused_with_its_place(text: str, told: str) -> None:
    assert refusal(text).startswith(told)


@pytest.mark.parametrize("text", ['"\\UFFFFFFFF"', f"%YAML 1.{'9' * 5000}\n---\na"])
def test_numbers_that_pyyaml_chokes_on_are_a_refusal(text: str) -> None:
    assert "not YAML" in refusal(text)


def test_depth_ends_at_the_limit_and_not_in_a_recursion_error() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse(deepest, "x.yaml") is not None
    assert f"nested more than {MAX_DEPTH} levels deep" in refusal(f"[{deepest}]")
    assert f"nested more than {MAX_DEPTH} levels deep" in refusal("[" * 100_000)
    assert f"nested more than {MAX_DEPTH} levels deep" in refusal("- " * 10_000)


def test_length_ends_at_the_limit() -> None:
    assert value("#" * (MAX_CHARS - 2) + "\na") == "a"
    assert refusal("a" * (MAX_CHARS + 1)) == f"x.yaml: {MAX_CHARS + 1} characters: settings have at most {MAX_CHARS}"


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "\ufeff"])
def test_a_text_without_a_document_has_no_root(text: str) -> None:
    assert parse(text, "x.yaml") is None


_PIECES = st.sampled_from(
    [*"-:?[]{},&*!|>'\"%@`# \n\t~<\\", "\\u", "\\U", "---", "...", "a", "1", "é", "\ud800", "\x85"]
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=40).map("".join)))
def test_any_text_is_a_tree_or_a_refusal(text: str) -> None:
    try:
        node = parse(text, "x.yaml")
    except SettingsError as error:
        assert str(error).startswith("x.yaml")
    else:
        assert node is None or isinstance(node.value, None | bool | int | float | str | list | dict)
