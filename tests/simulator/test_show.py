from __future__ import annotations

import json
from typing import Any

from simulator.show import show


def test_a_list_is_a_line_each_and_its_head_is_not_shown() -> None:
    answer: list[dict[str, Any]] = [{"ok": True, "lines": 1, "last": 7, "dropped": 0}, {"number": 7, "kind": "flag"}]
    assert [json.loads(line) for line in show("history", answer, as_json=True)] == [{"number": 7, "kind": "flag"}]


def test_state_is_its_fields_without_the_wrapping() -> None:
    answer = [{"ok": True, "state": {"state": "online", "charge_pct": 100.0}}]
    assert [json.loads(line) for line in show("state", answer, as_json=True)] == [
        {"state": "online", "charge_pct": 100.0}
    ]
    text = "\n".join(show("state", answer, as_json=False))
    assert "battery charge             100.0 %" in text


def test_a_change_reads_as_a_sentence() -> None:
    change = {
        "number": 3, "at": "2026-01-01T00:00:00Z", "kind": "state", "name": "state",
        "old": "online", "new": "on_battery", "cause": "low_input_voltage",
    }  # fmt: skip
    (line,) = show("history", [{"ok": True, "lines": 1}, change], as_json=False)
    assert line.strip() == "3 2026-01-01T00:00:00Z state: online -> on_battery (low_input_voltage)"


def test_s6_a_name_from_a_unit_cannot_forge_a_line_or_a_colour() -> None:
    answer = [{"ok": True, "state": {"identity": {"name": "a\r\nready: b\x1b[31m"}, "state": "online"}}]
    lines = list(show("state", answer, as_json=False))
    assert all("\x1b" not in line and "\n" not in line and "\r" not in line for line in lines)
