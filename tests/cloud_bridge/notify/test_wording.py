"""What a notice says, in words."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import About, Links, Notice
from cloud_bridge.alerts.wording import (
    BRIEF_LENGTH,
    LISTED_AT_MOST,
    TITLE_LENGTH,
    brief,
    duration_text,
    for_chat,
    text,
    time_text,
    title,
    value_text,
    words,
    zone_of,
)
from gateway.wire.messages import Scalar
from tests.cloud_bridge.notify.notices import HOSTILE, NOW, item, notice

MUTED = {"about": About.MUTED, "until": NOW + 7 * 86_400_000, "links": Links(turn_on="https://ups.example.net/on/x")}

TITLES = [
    pytest.param(notice(item()), "[warning] rack-1: on battery", id="one step"),
    pytest.param(
        notice(item(), item("low_battery")), "[critical] rack-1: on battery, low battery", id="one alert that grew"
    ),
    pytest.param(notice(item(what=What.RESOLVED)), "[over] rack-1: on battery", id="an end"),
    pytest.param(
        notice(item(what=What.RESOLVED), item("overload", label="rack-2")),
        "[critical] rack-1, rack-2: on battery, overload",
        id="an end beside an onset",
    ),
    pytest.param(notice(item(what=What.UNSTABLE)), "[warning, unstable] rack-1: on battery", id="what comes and goes"),
    pytest.param(
        notice(item(what=What.ESCALATED)), "[warning, nobody acknowledged] rack-1: on battery", id="an escalation"
    ),
    pytest.param(notice(item(what=What.SUMMARY)), "[warning, over by now] rack-1: on battery", id="a summary"),
    pytest.param(
        notice(*(item(label=f"rack-{n}") for n in range(9))),
        "[warning] rack-0, rack-1 and 7 more: on battery",
        id="many devices",
    ),
    pytest.param(notice(item(), title="A title of its own"), "A title of its own", id="its own title"),
    pytest.param(
        notice(item(), about=About.MUTED), "Notifications of rack-1 are off: there were too many", id="a mute"
    ),
    pytest.param(
        notice(item(), about=About.DIGEST, left_out=1), "Not told meanwhile of rack-1: 1 notification", id="a digest"
    ),
    pytest.param(notice(about=About.TEST), "Test: notifications arrive here", id="a test"),
    pytest.param(
        notice(about=About.UNSUBSCRIBED), "Unsubscribed: no more notifications to this address", id="an unsubscription"
    ),
    pytest.param(
        notice(item("low_battery"), about=About.REACHLESS),
        "[critical] Nobody is left to receive what is critical of rack-1",
        id="nobody to tell",
    ),
]


@pytest.mark.parametrize(("said", "expected"), TITLES)
def test_titles(said: Notice, expected: str) -> None:
    assert title(said) == expected


def test_a_text_says_in_order_what_happened_what_it_means_and_what_to_do() -> None:
    one = item()
    said = text(notice(one))
    places = [said.index(part) for part in (one.happened, one.meaning, one.do_this)]
    assert places == sorted(places)
    assert "What to do now: Check the supply." in said
    assert "Battery charge     87.5 %" in said
    assert 'You, Erika Muster, get this by the policy "default".' in said


def test_where_nothing_is_to_be_done_nothing_is_advised() -> None:
    said = notice(item("mains_restored"))
    assert "What to do" not in text(said)
    assert "for the record" not in brief(said)


@pytest.mark.parametrize(
    ("until", "said"),
    [
        pytest.param(NOW + 60_000, "2 notifications of rack-1 not sent, since they are off until", id="while it lasts"),
        pytest.param(NOW, "not sent, while they were off. They are on again.", id="at its end"),
    ],
)
def test_a_digest_says_whether_notifications_are_still_off(until: int, said: str) -> None:
    assert said in text(notice(item(), about=About.DIGEST, left_out=2, until=until))


def test_words_of_ours_are_told_as_people_say_them_and_names_as_they_are() -> None:
    (section,) = words(notice(item(details={"cause": "low_input_voltage", "group": "web_servers"}))).sections
    assert section.details == (("Cause", "low input voltage"), ("Group", "web_servers"))


def test_what_began_in_the_same_second_is_told_without_when_it_began() -> None:
    (section,) = words(notice(item(onset_at=NOW - 999))).sections
    assert section.when == "2026-11-24 13:00:00 CET"


def test_a_mute_says_until_when_and_how_to_end_it() -> None:
    for said in (text(notice(item(), **MUTED)), brief(notice(item(), **MUTED))):
        assert "off until 2026-12-01 13:00:00 CET" in said
        assert "https://ups.example.net/on/x" in said


@pytest.mark.parametrize(
    ("mutes_critical", "told", "untold"),
    [
        pytest.param(False, "Critical ones still come.", "held back", id="criticals break through"),
        pytest.param(True, "Critical ones are held back too.", "still come", id="criticals are muted too"),
    ],
)
def test_s22_a_mute_says_whether_criticals_still_come(mutes_critical: bool, told: str, untold: str) -> None:
    muted = notice(item(), **MUTED, mutes_critical=mutes_critical)
    for said in (text(muted), brief(muted)):
        assert told in said
        assert untold not in said


def test_a_notice_from_before_it_said_so_is_of_a_mute_that_lets_criticals_through() -> None:
    kept = msgspec.json.decode(msgspec.json.encode(notice(item(), **MUTED)))
    del kept["mutes_critical"]
    assert msgspec.convert(kept, Notice) == notice(item(), **MUTED)


def test_times_are_told_in_the_reader_s_zone_in_summer_and_in_winter() -> None:
    berlin = zone_of("Europe/Berlin")
    assert time_text(NOW, berlin) == "2026-11-24 13:00:00 CET"
    assert time_text(NOW - 120 * 86_400_000, berlin) == "2026-07-27 14:00:00 CEST"
    assert berlin == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("name", ["", "No/Such", "../../etc/passwd", "/etc/localtime", "a\0b"])
def test_a_zone_that_does_not_exist_is_told_as_utc(name: str) -> None:
    assert time_text(NOW, zone_of(name)) == "2026-11-24 12:00:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(0, "0 s", id="nothing"),
        pytest.param(59.4, "59 s", id="seconds"),
        pytest.param(60, "1 min", id="a minute"),
        pytest.param(1530, "25 min 30 s", id="minutes"),
        pytest.param(7200, "2 h", id="hours"),
        pytest.param(90_000, "25 h", id="a day and an hour"),
        pytest.param(7 * 86400, "7 days", id="days"),
        pytest.param(-5, "0 s", id="less than nothing"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert duration_text(seconds) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("input_v", 0.0, "0.0 V", id="0 is a reading"),
        pytest.param("input_v", None, "not reported", id="None is none"),
        pytest.param("runtime_s", 1530, "25 min 30 s", id="a duration"),
        pytest.param("limit_s", 300, "5 min", id="a duration that is no reading"),
        pytest.param("on", True, "yes", id="yes"),
        pytest.param("cause", "blackout", "blackout", id="a word"),
        pytest.param("count", 4, "4", id="a number"),
        pytest.param("share", 0.3, "0.3", id="a share"),
    ],
)
def test_values(name: str, value: Scalar, expected: str) -> None:
    assert value_text(name, value) == expected


def test_an_incident_s_devices_are_listed_and_the_rest_counted() -> None:
    labels = tuple(f"rack-{n}" for n in range(LISTED_AT_MOST + 7))
    (section,) = words(notice(item(lists=labels))).sections
    assert section.lists[-1] == "and 7 more"
    assert "and 7 more" in brief(notice(item(lists=labels)))


def test_of_hundreds_of_steps_the_gravest_are_told_in_full_and_each_of_the_others_has_a_line() -> None:
    many = [item(label=f"rack-{n}", alert=f"{n:032x}") for n in range(400)]
    said = notice(*many, item("low_battery", label="rack-worst"))
    told = words(said)
    assert told.title.startswith("[critical] rack-worst, ")
    assert told.sections[0].heading.startswith("rack-worst")
    assert len(told.sections) + len(told.others) == 401
    whole = text(said)
    assert all(f"rack-{n} " in whole for n in range(400))
    assert brief(said).splitlines()[0].startswith("rack-worst")
    assert brief(said).endswith(" more.")
    assert len(brief(said)) <= 2 * BRIEF_LENGTH


def test_of_several_steps_of_one_alert_the_newest_is_told_whole_and_of_the_others_what_happened() -> None:
    began = item(happened="The mains failed.")
    worse = item("low_battery", number=3, at=NOW + 60_000, happened="The battery is low.")
    over = item("mains_restored", number=4, at=NOW + 90_000, what=What.RESOLVED, happened="The mains are back.")
    other = item(label="rack-2", alert="b" * 32, happened="The mains failed there.")
    for said in (text(notice(began, worse, other)), brief(notice(began, worse, other))):
        assert all(said.count(one.happened) == 1 for one in (began, worse, other))
        assert said.count("Shut the load down now.") == 1
        assert said.count("Check the supply.") == 1, "rack-2's alone"
    assert text(notice(began, worse)).count("87.5 %") == 1
    assert text(notice(began, worse)).count(worse.meaning) == 1
    assert began.meaning not in text(notice(began, worse))
    assert "What to do now" not in text(notice(began, over)), "it is over"


def test_s6_for_chats_no_link_mention_or_mark_up_is_left() -> None:
    said = for_chat(brief(notice(item(label=HOSTILE, happened=HOSTILE, lists=(HOSTILE,)))))
    assert not set("[]<>@`\r\x1b") & set(said)


FACTS = st.fixed_dictionaries(
    {
        "label": st.text(max_size=200),
        "place": st.text(max_size=80),
        "happened": st.text(max_size=600),
        "meaning": st.text(max_size=600),
        "do_this": st.text(max_size=600),
        "what": st.sampled_from(What),
        "details": st.dictionaries(
            st.text(max_size=40), st.none() | st.booleans() | st.integers() | st.floats() | st.text()
        ),
        "lists": st.lists(st.text(max_size=80), max_size=80).map(tuple),
    }
)


@given(st.lists(FACTS, max_size=5), st.sampled_from(About), st.text(max_size=200))
def test_s6_whatever_is_in_a_notice_it_is_said_in_printable_lines_of_bounded_length(
    facts: list[dict[str, Any]], about: About, own: str
) -> None:
    said = notice(*(item(**one) for one in facts), about=about, title=own, to=own, policy=own)
    assert title(said).isprintable()
    assert len(title(said)) <= TITLE_LENGTH
    assert len(brief(said)) <= 2 * BRIEF_LENGTH + 200
    assert all(row.isprintable() for row in text(said).split("\n"))
