from __future__ import annotations

import pytest

from simulator.modbus.settings import Personality, WireSettings
from simulator.wire_settings import WireSettingError


def test_a_setting_changes_by_its_name_with_dashes_and_text() -> None:
    wire = WireSettings()
    wire.change("answer-ms", "500")
    wire.change("read-only", "on")
    wire.change("refuse_s", "1.5")
    wire.change("personality", "nmc")
    assert (wire.answer_ms, wire.read_only, wire.refuse_s) == (500, True, 1.5)
    assert wire.personality is Personality.NMC
    wire.change("read-only", "off")
    assert wire.read_only is False


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("answer-ms", "-1"),
        ("answer-ms", "soon"),
        ("answer-ms", "60001"),
        ("unit-id", "248"),
        ("unit-id", "0"),
        ("read-only", "maybe"),
        ("personality", "ups2"),
        ("watchers", "[]"),
        ("no-such", "1"),
        ("refuse-s", "nan"),
        ("refuse-s", "inf"),
    ],
)
def test_a_wrong_setting_says_which_and_changes_nothing(name: str, text: str) -> None:
    wire = WireSettings()
    before = wire.values()
    with pytest.raises(WireSettingError) as caught:
        wire.change(name, text)
    assert (caught.value.name, caught.value.value) == (name, text)
    assert wire.values() == before


def test_whoever_watches_hears_of_a_change_and_not_of_a_mistake() -> None:
    heard: list[int] = []
    wire = WireSettings()
    wire.watchers.append(lambda: heard.append(wire.max_sessions))
    wire.change("max-sessions", "1")
    with pytest.raises(WireSettingError):
        wire.change("max-sessions", "0")
    assert heard == [1]


def test_two_wires_have_watchers_of_their_own() -> None:
    one, other = WireSettings(), WireSettings()
    one.watchers.append(lambda: None)
    assert other.watchers == []
    assert "watchers" not in one.values()
