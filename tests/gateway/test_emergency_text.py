"""What an emergency message says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import CATALOGUE, Severity
from gateway.emergency import Heard
from gateway.emergency_text import LISTED, SUBJECT_CHARS, Sender, message, trial
from gateway.settings import EmergencySettings, NtfyRoute
from gateway.wire.limits import INSTANT_MAX
from gateway.wire.messages import Stamp

SETTINGS = EmergencySettings(ntfy=NtfyRoute(url="https://ntfy.example.net/ups"))
SENDER = Sender(gateway="pi-basement", stream="0" * 16, trouble="bridge.example.net: Network is unreachable")
NOW = Stamp(at=1_790_000_000_000, boot="b", mono=0, clock="synchronised")


def heard(number: int = 1, kind: str = "low_battery", **more: Any) -> Heard:
    stamp = Stamp(at=more.pop("at", NOW.at), boot="b", mono=0)
    severity = CATALOGUE[kind].severity if kind in CATALOGUE else Severity.CRITICAL
    values: dict[str, Any] = {"unit": "rack-1", "type": kind, "severity": severity, "stamp": stamp, **more}
    return Heard(number=number, **values)


def test_it_says_what_happened_where_and_when_what_it_means_and_what_to_do_now() -> None:
    said = message(
        [heard(details={"charge_pct": 31.5, "runtime_s": 240, "cause": None, "reached": "low_battery_voltage"})],
        SENDER,
        SETTINGS,
        NOW,
    )
    assert said.subject == "[pi-basement] rack-1: low battery, cloud unreachable"
    assert said.severity is Severity.CRITICAL
    assert said.text == (
        "The gateway pi-basement says this itself: its cloud has not confirmed it for 2 min 0 s"
        " (bridge.example.net: Network is unreachable).\n\n"
        "2026-09-21 14:13:20 UTC  rack-1: low battery (critical)\n"
        f"    {CATALOGUE['low_battery'].meaning}\n"
        f"    What to do: {CATALOGUE['low_battery'].do_this}\n"
        "    battery charge 31.5 %, runtime remaining 4 min 0 s, reached low battery voltage\n\n"
        "Each event is told once by this way, in at most 6 messages an hour. What happens next is told here only if the"
        " cloud stays away.\n"
    )


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({"lasted_s": 28, "cause": "acceptable_input"}, "    lasted 28 s, cause acceptable input\n"),
        ({"lasted_s": 5400}, "    lasted 1 h 30 min\n"),
        ({"again": True, "times": 3}, "    again True, times 3\n"),
    ],
)
def test_details_are_told_as_people_say_them(details: dict[str, Any], said: str) -> None:
    assert said in message([heard(kind="mains_restored", details=details)], SENDER, SETTINGS, NOW).text


def test_the_subject_names_the_worst_and_counts_the_others() -> None:
    events = [heard(1, "on_battery"), heard(2, "low_battery"), heard(3, "output_off")]
    assert message(events, SENDER, SETTINGS, NOW).subject == "[pi-basement] rack-1: low battery (+2), cloud unreachable"


def test_of_many_events_the_first_are_described_and_the_others_counted() -> None:
    said = message([heard(number) for number in range(1, LISTED + 6)], SENDER, SETTINGS, NOW, overlooked=10)
    assert said.text.count("rack-1: low battery") == LISTED
    assert "And 15 more" in said.text
    assert f"(+{LISTED + 14})" in said.subject


def test_a_clock_that_nothing_sets_is_told_and_an_event_found_afterwards_is_called_so() -> None:
    said = message([heard(found_afterwards=True)], SENDER, SETTINGS, msgspec.structs.replace(NOW, clock="x"))
    assert "clock is not set" in said.text
    assert "(critical, found afterwards)" in said.text


def test_a_repeat_has_the_same_identity_and_anything_else_another() -> None:
    one, two = heard(1), heard(2)
    ids = [message(events, SENDER, SETTINGS, NOW).id for events in ([one], [one, two], [two])]
    other = message([one], msgspec.structs.replace(SENDER, stream="1" * 16), SETTINGS, NOW).id
    assert len({*ids, other}) == 4
    later = msgspec.structs.replace(NOW, at=NOW.at + 60_000)
    again = message([one], msgspec.structs.replace(SENDER, trouble=""), SETTINGS, later)
    assert again.id == ids[0]


@given(st.text(max_size=64), st.text(max_size=32), st.integers(0, INSTANT_MAX))
def test_whatever_an_event_is_named_the_subject_is_one_short_line(kind: str, unit: str, at: int) -> None:
    clean = "".join(c for c in kind if c.isprintable()), "".join(c for c in unit if c.isprintable())
    said = message([heard(kind=clean[0], unit=clean[1], at=at)], SENDER, SETTINGS, NOW)
    assert len(said.subject) <= SUBJECT_CHARS
    assert said.subject.isprintable()


def test_a_test_says_that_nothing_has_happened() -> None:
    said = trial(SENDER, NOW.at)
    assert "Nothing has happened" in said.text
    assert "test of the emergency route" in said.subject
