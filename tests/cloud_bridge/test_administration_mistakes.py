"""What is asked of owners, devices, channels, policies, rules and silences that can't be: refused when it is saved."""

# ruff: noqa: E501  (a table of cases: one case, one line)

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cloud_bridge.administration import people, rules, wishes
from cloud_bridge.administration.checks import email_mistakes
from cloud_bridge.errors import AdministrationError, Taken, Wrong
from tests.cloud_bridge.registered import ADA, DIRECTORY, HOOK, NOW, POLICY, RULE, Fields, anywhere

QUIET: Fields = {"since": "22:00", "until": "06:30"}


def make_owner(fields: Fields) -> object:
    return people.owner(DIRECTORY, {"name": "Eve", "email": "eve@example.net"} | fields, NOW)


def make_site(fields: Fields) -> object:
    return people.site(DIRECTORY, {"owner": "Ada", "name": "Attic"} | fields)


def make_device(fields: Fields) -> object:
    return people.device(DIRECTORY, DIRECTORY.devices[1], fields)


def make_channel(fields: Fields) -> object:
    return wishes.channel(DIRECTORY, HOOK | fields, anywhere)


def make_policy(fields: Fields) -> object:
    return wishes.policy(DIRECTORY, POLICY | fields, NOW)


def make_rule(fields: Fields) -> object:
    return rules.rule(DIRECTORY, RULE | fields)


def make_silence(fields: Fields) -> object:
    return rules.silence(DIRECTORY, {"for_s": 3600} | fields, NOW)


Make = Callable[[Fields], object]


@pytest.mark.parametrize(
    ("make", "fields", "place", "said"),
    [
        pytest.param(make_owner, {"name": ""}, "name", "1 to 64 characters", id="an owner without a name"),
        pytest.param(make_owner, {"name": "n" * 65}, "name", "1 to 64 characters", id="an owner with a long name"),
        pytest.param(make_owner, {"name": "a/b"}, "name", "without /", id="an owner with a slash in the name"),
        pytest.param(make_owner, {"name": " Eve"}, "name", "blanks around", id="an owner with a blank before the name"),
        pytest.param(make_owner, {"name": "E\u202ev"}, "name", "printable", id="an owner whose name runs backwards"),
        pytest.param(make_owner, {"name": "Operator"}, "name", "choose another", id="an owner by the operator's name"),
        pytest.param(make_owner, {"email": "eve"}, "email", "ada@example.net", id="an owner without a mail address"),
        pytest.param(make_owner, {"time_zone": "Berlin"}, "time_zone", "Europe/Berlin", id="a zone that is not there"),
        pytest.param(make_owner, {"time_zone": "Europe"}, "time_zone", "Europe/Berlin", id="a zone that is a folder"),
        pytest.param(make_owner, {"time_zone": "../x"}, "time_zone", "Europe/Berlin", id="a zone that is a path"),
        pytest.param(make_owner, {"time_zone": ""}, "time_zone", "Europe/Berlin", id="an empty zone"),
        pytest.param(make_owner, {"emial": "x"}, "emial", "did you mean 'email'", id="a field that is misspelled"),
        pytest.param(make_owner, {"name": 7}, "name", "put it in quotes", id="a name that is a number"),
        pytest.param(make_site, {"owner": "Eve"}, "owner", "owner list", id="a site of nobody who is there"),
        pytest.param(make_site, {"name": "a\nb"}, "name", "printable", id="a site with a line end in its name"),
        pytest.param(make_device, {"owner": "Eve"}, "owner", "no owner 'Eve'", id="a device for nobody who is there"),
        pytest.param(make_device, {"site": "Attic"}, "site", "no site 'Attic'", id="a device at no site that is there"),
        pytest.param(make_device, {"site": "Bob/Cellar"}, "site", "another owner's", id="a device at a stranger's site"),
        pytest.param(
            make_device, {"owner": "", "site": "Cellar"}, "site", "name the device's owner", id="a device of nobody's, at a site"
        ),
        pytest.param(make_device, {"tags": ["ok", "a/b"]}, "tags[1]", "without /", id="a device with a bad tag"),
        pytest.param(make_device, {"battery_due_on": "soon"}, "battery_due_on", "a date", id="a battery due soon"),
        pytest.param(make_device, {"test_every_days": -1}, "test_every_days", "from 0", id="tests every minus one day"),
        pytest.param(make_device, {"name": "a\x1b[31m"}, "name", "printable", id="a device with an escape in its name"),
        pytest.param(make_channel, {"kind": "fax"}, "kind", "one of", id="a channel of no kind that is there"),
        pytest.param(make_channel, {"per_minute": 0}, "per_minute", "from 1 to 600", id="a channel that is never used"),
        pytest.param(make_channel, {"target": ""}, "target", "1 to 2000", id="a channel without a target"),
        pytest.param(
            make_channel, {"kind": "mail", "target": "a@example.net\r\nBcc: b@example.net"}, "target", "mail address",
            id="a mail address that would be a header of its own",
        ),
        pytest.param(make_channel, {"target": "https://x/\ny"}, "target", "printable", id="a URL with a line end"),
        pytest.param(make_policy, {"channel": "pager"}, "channel", "channel list", id="a policy to no channel"),
        pytest.param(make_policy, {"channel": "Bob/mail"}, "channel", "another owner's", id="a policy to a stranger's"),
        pytest.param(make_policy, {"owner": "", "channel": "mail"}, "channel", "no channel", id="the operator's to mail"),
        pytest.param(make_policy, {"least": "loud"}, "least", "informational, warning", id="a policy from loud on"),
        pytest.param(make_policy, {"devices": ["pi-9/x"]}, "devices[0]", "device list", id="a policy for no device"),
        pytest.param(
            make_policy, {"devices": ["pi-1/rack-1", "AS2"]}, "devices[1]", "not Ada's", id="a policy for a stranger's device"
        ),
        pytest.param(make_policy, {"devices": ["big"]}, "devices[0]", "pi-1/rack-1, pi-2/rack-2", id="either of two devices"),
        pytest.param(make_policy, {"sites": ["Bob/Cellar"]}, "sites[0]", "not Ada's", id="a policy for a stranger's site"),
        pytest.param(make_policy, {"conditions": ["outge"]}, "conditions[0]", "'outage'", id="a condition misspelled"),
        pytest.param(
            make_policy, {"conditions": ["outage", "mains_restored"]}, "conditions[1]", "of outage", id="an end as a condition"
        ),
        pytest.param(
            make_policy, {"quiet": QUIET | {"since": "25:00"}}, "quiet.since", "as in 22:30", id="quiet from an hour that is none"
        ),
        pytest.param(make_policy, {"quiet": QUIET | {"until": "22:00"}}, "quiet.until", "two times", id="quiet for no time"),
        pytest.param(make_policy, {"quiet": QUIET | {"days": [7]}}, "quiet.days[0]", "from 0 to 6", id="quiet on an 8th day"),
        pytest.param(make_policy, {"quiet": QUIET | {"days": []}}, "quiet.days", "1 to 7", id="quiet on no day"),
        pytest.param(
            make_policy, {"escalation": {"after_s": 59, "channel": "mail"}}, "escalation.after_s", "from 60",
            id="escalation at once",
        ),
        pytest.param(
            make_policy, {"escalation": {"after_s": 60, "channel": "pager"}}, "escalation.channel", "no channel",
            id="escalation to no channel",
        ),
        pytest.param(make_policy, {"group_s": 86401}, "group_s", "to 86400", id="grouping over days"),
        pytest.param(make_rule, {"reading": "load"}, "reading", "'load_pct'", id="a reading misspelled"),
        pytest.param(make_rule, {"reading": "zzz"}, "reading", "expected one of", id="a reading that is none"),
        pytest.param(make_rule, {"below": 20}, "above", "one limit", id="a rule with two limits"),
        pytest.param(make_rule, {"above": None}, "above", "one limit", id="a rule without a limit"),
        pytest.param(make_rule, {"clear": 81}, "clear", "at most 80", id="a rule that is over above its limit"),
        pytest.param(
            make_rule, {"above": None, "below": 20, "clear": 19}, "clear", "at least 20", id="a rule that is over below its limit"
        ),
        pytest.param(make_rule, {"above": float("nan")}, "above", "a number", id="a limit that is no number"),
        pytest.param(make_rule, {"above": float("inf")}, "above", "a number", id="a limit without end"),
        pytest.param(make_rule, {"for_s": -1}, "for_s", "from 0", id="a rule for less than no time"),
        pytest.param(make_silence, {"for_s": None}, "ends_at", "no silence is for ever", id="a silence without an end"),
        pytest.param(make_silence, {"for_s": 59}, "for_s", "from 60", id="a silence of a moment"),
        pytest.param(
            make_silence, {"ends_at": "2026-11-25T00:00:00Z"}, "ends_at", "one of", id="a silence with two ends"
        ),
        pytest.param(
            make_silence, {"for_s": None, "ends_at": "2020-01-01T00:00:00Z"}, "ends_at", "still to come", id="a silence that is over"
        ),
        pytest.param(
            make_silence, {"for_s": None, "starts_at": "2020-01-01T00:00:00Z", "ends_at": "2020-02-01T00:00:00Z"}, "ends_at", "still to come", id="a silence of long ago"
        ),
        pytest.param(
            make_silence, {"for_s": None, "ends_at": "2036-01-01T00:00:00Z"}, "ends_at", "366 days", id="a silence for ten years"
        ),
        pytest.param(
            make_silence, {"for_s": None, "ends_at": "2026-12-01T00:00:00"}, "ends_at", "with its zone", id="an end in no zone"
        ),
        pytest.param(make_silence, {"why": "a\x07b"}, "why", "printable", id="a silence with a bell in its reason"),
        pytest.param(make_silence, {"why": "w" * 201}, "why", "at most 200", id="a silence with a long reason"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_place_and_what_would_be_right(
    make: Make, fields: Fields, place: str, said: str
) -> None:
    make({})
    with pytest.raises(Wrong) as refused:
        make(fields)
    assert [mistake.place for mistake in refused.value.mistakes] == [place]
    assert said in refused.value.mistakes[0].message


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(Wrong) as refused:
        make_policy({"least": "loud", "quiet": {"since": "9", "until": "06:00"}, "group_s": -1, "devices": "x"})
    assert {mistake.place for mistake in refused.value.mistakes} == {"least", "quiet.since", "group_s", "devices"}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: make_owner({"name": "ada"}), id="an owner"),
        pytest.param(lambda: make_site({"name": "CELLAR"}), id="a site"),
        pytest.param(lambda: make_channel({"name": "Hook"}), id="the operator's channel, which no database compares"),
        pytest.param(lambda: make_policy({"name": "Default"}), id="a policy"),
        pytest.param(lambda: make_rule({"name": "HOT"}), id="a rule"),
        pytest.param(lambda: people.new_device(DIRECTORY, "pi-1/rack-1"), id="a device"),
    ],
)
def test_a_name_that_is_taken_is_refused_in_whatever_letters(make: Callable[[], object]) -> None:
    with pytest.raises(Taken):
        make()


def test_what_keeps_its_own_name_is_not_taken_by_itself() -> None:
    assert wishes.policy(DIRECTORY, {"name": "DEFAULT"}, NOW, DIRECTORY.policies[1]).name == "DEFAULT"
    assert people.owner(DIRECTORY, {"name": "ADA"}, NOW, DIRECTORY.owners[ADA]).name == "ADA"


def test_an_owner_has_only_so_many_channels() -> None:
    """The operator too."""
    many = {number: replace(DIRECTORY.channels[3], id=number, name=f"c{number}") for number in range(1, 201)}
    with pytest.raises(Wrong, match="200 of an owner's"):
        wishes.channel(replace(DIRECTORY, channels=many), HOOK, anywhere)
    assert wishes.channel(replace(DIRECTORY, channels=many), HOOK | {"owner": "Ada"}, anywhere).owner == ADA


@pytest.mark.parametrize(
    "good", ["ada@example.net", "a.b+c@x-1.example.net", "o'neil@example.co.uk", f"{'l' * 64}@example.net"]
)
def test_a_sane_mail_address_is_taken(good: str) -> None:
    assert list(email_mistakes("email", good)) == []


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "ada",
        "@example.net",
        "ada@",
        "ada@example",
        "ada@@example.net",
        "a b@example.net",
        '"a b"@example.net',
        "ada@example.net,bob@example.net",
        "Ada <ada@example.net>",
        "ada@example.net\n",
        "ada\r\nBcc: x@example.net",
        "a..b@example.net",
        ".a@example.net",
        "a.@example.net",
        "ada@-x.example.net",
        "ada@exa_mple.net",
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        "ädä@example.net",
        f"{'l' * 65}@example.net",
        f"a@{'x' * 250}.net",
    ],
)
def test_a_mail_address_that_could_be_anything_else_is_refused(bad: str) -> None:
    assert [mistake.place for mistake in email_mistakes("email", bad)] == ["email"]


@given(st.text(alphabet='a@.\r\n ,<>";:\0-é', max_size=30) | st.text(max_size=60))
def test_no_accepted_mail_address_can_end_a_header_or_name_a_second_recipient(text: str) -> None:
    if not list(email_mistakes("email", text)):
        assert text.count("@") == 1
        assert text.isascii()
        assert not set(text) & set('\r\n\0 ,;<>"()[]\\:')


TEXTS = st.text(max_size=80)
VALUES = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats() | TEXTS | st.lists(TEXTS, max_size=3)
    | st.dictionaries(TEXTS, TEXTS | st.integers(), max_size=3)
)  # fmt: skip


@given(
    st.sampled_from([make_owner, make_site, make_device, make_channel, make_policy, make_rule, make_silence]),
    st.data(),
)
def test_whatever_is_asked_is_done_or_refused_by_a_declared_error(make: Make, data: st.DataObject) -> None:
    names = "owner name email time_zone site tags target kind channel least devices sites conditions quiet escalation"
    more = "reading above below clear for_s severity starts_at ends_at why by battery_due_on per_minute group_s"
    keys = st.sampled_from([*names.split(), *more.split()]) | TEXTS
    try:
        make(data.draw(st.dictionaries(keys, VALUES, max_size=4)))
    except AdministrationError as error:
        assert str(error)
