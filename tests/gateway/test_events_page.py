"""docs/events.md says of every event type what the catalogue says."""

from __future__ import annotations

from pathlib import Path

from drivers.ups import CATALOGUE, EventType, Flag
from gateway.conditions import FLAG_CONDITIONS, NO_EVENT, STATE_CONDITIONS

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
ENDED_BY = {kind.clears: kind.name for kind in CATALOGUE.values() if kind.clears}


def row(kind: EventType) -> str:
    ended_by = ENDED_BY.get(kind.name)
    ends = f"`{ended_by}`" if ended_by else ""
    return f"| `{kind.name}` | {kind.severity} | {kind.meaning} | {kind.do_this} | {ends} |"


def rows_after(heading: str) -> list[str]:
    """The body rows of the first table under a heading."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def test_every_event_type_stands_on_the_page_as_the_catalogue_has_it() -> None:
    assert rows_after("Every event type") == [row(kind) for kind in CATALOGUE.values()]


def test_every_hold_stands_on_the_page() -> None:
    held = [condition for condition in (*STATE_CONDITIONS, *FLAG_CONDITIONS) if condition.hold_s]
    faults = sum(condition.clear.endswith("_cleared") and condition.onset != "low_battery" for condition in held)
    assert faults == len(FLAG_CONDITIONS) - 2
    by_name = {condition.onset: condition.hold_s for condition in held}
    assert rows_after("When a condition ends") == [
        f"| `low_battery` | {by_name['low_battery']:g} s |",
        f"| `avr_boost`, `avr_trim` | {by_name['avr_boost']:g} s |",
        f"| every fault and battery warning | {by_name['fan_fault']:g} s |",
        "| everything else | at once: the unit itself makes sure before it transfers back |",
    ]


def test_every_flag_without_an_event_stands_on_the_page_with_its_reason() -> None:
    assert rows_after("What makes no event") == [
        f"| {', '.join(f'`{flag}`' for flag in flags)} | {reason} |" for reason, flags in NO_EVENT.items()
    ]


def test_no_flag_of_the_page_is_unknown() -> None:
    flags = {flag.value for flag in Flag}
    for line in rows_after("What makes no event"):
        names = line.split("|")[1].replace("`", "").split(",")
        assert {name.strip() for name in names} <= flags
