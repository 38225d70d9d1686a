"""What becomes of a notification that waits."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.alerts import delivery
from cloud_bridge.alerts.delivery import (
    ITEMS_AT_MOST,
    MUTES_AT_MOST,
    SETTLES_MS,
    Parcel,
    heard_of,
    not_sent,
    notice_id,
    parcels,
    ready,
    retry_s,
    sent,
    unwanted,
)
from cloud_bridge.alerts.notice import About, Notification, State
from cloud_bridge.alerts.standing import Told
from cloud_bridge.alerts.terms import Channel
from drivers.ups import Severity

NOW = 1_795_487_455_000
DAY_S = 86_400.0


def one(id_: str, **changes: object) -> Notification:
    made = Notification(
        id=id_,
        channel=1,
        policy=1,
        device=None,
        about=About.ALERT,
        severity=Severity.WARNING,
        alerts=((f"a{id_}", 1),),
        group="",
        created_at=NOW,
        due_at=NOW,
    )
    return msgspec.structs.replace(made, **changes)


def ids(found: list[Parcel]) -> list[list[str]]:
    return [[each.id for each in parcel] for parcel in found]


@pytest.mark.parametrize(
    ("waiting", "crowded", "leaves"),
    [
        pytest.param([one("1"), one("2")], False, [["1"], ["2"]], id="what is in no group leaves by itself"),
        pytest.param(
            [one("1", group="g"), one("2", group="g"), one("3", group="h")],
            False,
            [["1", "2"], ["3"]],
            id="a group that waits together is one notice",
        ),
        pytest.param(
            [one("1", group="g"), one("2", group="h"), one("3")],
            True,
            [["1", "2", "3"]],
            id="where it is crowded whatever leaves by one policy is one notice",
        ),
        pytest.param(
            [one("1"), one("2", policy=2)],
            True,
            [["1"], ["2"]],
            id="what leaves by another policy is another notice, which somebody may unsubscribe from",
        ),
        pytest.param(
            [one("1", about=About.TEST), one("2", about=About.UNSUBSCRIBED), one("3", about=About.REACHLESS)],
            True,
            [["1"], ["2"], ["3"]],
            id="a notice that somebody waits for by itself is never joined",
        ),
        pytest.param(
            [one("1", about=About.MUTED), one("2"), one("3", about=About.MUTED), one("4", about=About.DIGEST)],
            True,
            [["2"], ["1", "3"], ["4"]],
            id="notices of mutes are joined where it is crowded and leave after alerts",
        ),
        pytest.param(
            [one("1", about=About.MUTED), one("2", about=About.MUTED)],
            False,
            [["1"], ["2"]],
            id="a notice of a mute leaves by itself where there is room",
        ),
        pytest.param(
            [one("1"), one("2", severity=Severity.CRITICAL, due_at=NOW + 5)],
            False,
            [["2"], ["1"]],
            id="the gravest leaves first",
        ),
        pytest.param(
            [one("2", due_at=NOW + 1), one("1")],
            False,
            [["1"], ["2"]],
            id="of what is equally grave the oldest is first",
        ),
    ],
)
def test_what_leaves_together(waiting: list[Notification], crowded: bool, leaves: list[list[str]]) -> None:
    assert ids(parcels(waiting, crowded=crowded)) == leaves


HELD: dict[str, object] = {"due_at": NOW + 60_000, "group": "g"}


@pytest.mark.parametrize(
    ("waiting", "leaves"),
    [
        pytest.param([one("1", alerts=(("a", 2),), **HELD)], [], id="what is not due waits"),
        pytest.param(
            [one("1", alerts=(("a", 2),), **HELD), one("2", alerts=(("a", 3),), group="g")],
            [["1", "2"]],
            id="a critical takes the beginning with it that waits for quiet hours: one notice, none afterwards",
        ),
        pytest.param(
            [one("1", alerts=(("a", 4),), **HELD), one("2", alerts=(("a", 3),), group="g")],
            [["2"]],
            id="what follows waits for its own time",
        ),
        pytest.param(
            [one("1", alerts=(("b", 2),), **HELD), one("2", alerts=(("a", 3),), group="g")],
            [["2"]],
            id="another alert of the group waits for its own time",
        ),
        pytest.param(
            [one("1", alerts=(("a", 2),), attempts=1, **HELD), one("2", alerts=(("a", 3),), group="g")],
            [["2"]],
            id="what is tried again keeps its pause",
        ),
        pytest.param(
            [one("1", alerts=(("a", 2),), about=About.DIGEST, **HELD), one("2", alerts=(("a", 3),), group="g")],
            [["2"]],
            id="a digest keeps its day",
        ),
        pytest.param([one("1", alerts=(), **HELD), one("2", group="g")], [["2"]], id="what tells of no alert waits"),
    ],
)
def test_no_step_of_an_alert_leaves_after_a_later_one(waiting: list[Notification], leaves: list[list[str]]) -> None:
    found = [sorted(each) for each in ids(parcels(ready(waiting, NOW), crowded=False))]
    assert found == leaves


notifications = st.lists(
    st.builds(
        one,
        st.uuids().map(str),
        policy=st.sampled_from([None, 1, 2]),
        group=st.sampled_from(["", "g", "h"]),
        about=st.sampled_from(About),
        severity=st.sampled_from(Severity),
        due_at=st.integers(NOW, NOW + 3),
        alerts=st.lists(st.tuples(st.text(max_size=3), st.integers(1, 9)), max_size=300).map(tuple),
    ),
    max_size=20,
)


@given(notifications, st.booleans(), st.randoms())
def test_joining_loses_nothing_doubles_nothing_and_does_not_depend_on_order(
    waiting: list[Notification], crowded: bool, chance: object
) -> None:
    found = parcels(waiting, crowded=crowded)
    assert sorted(each.id for parcel in found for each in parcel) == sorted(each.id for each in waiting)
    shuffled = waiting[:]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    assert ids(parcels(shuffled, crowded=crowded)) == ids(found)
    for parcel in found:
        assert len({(each.about, each.policy) for each in parcel}) == 1
        steps = sum(len(each.alerts) for each in parcel if each.about is About.ALERT)
        assert len(parcel) == 1 or (steps <= ITEMS_AT_MOST and len(parcel) <= ITEMS_AT_MOST)
        assert parcel[0].about is About.ALERT or len(parcel) <= MUTES_AT_MOST


def test_a_notice_of_one_notification_bears_its_id_and_one_of_several_an_id_of_its_own() -> None:
    assert notice_id((one("1"),)) == "1"
    assert notice_id((one("1"), one("2"))) == notice_id((one("1"), one("2")))
    assert (
        len({notice_id(parcel) for parcel in ((one("1"),), (one("1"), one("2")), (one("1"), one("2"), one("3")))}) == 3
    )


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e9))
def test_a_next_try_is_drawn_from_all_of_a_limit_that_doubles_and_a_peer_may_ask_for_an_hour_at_most(
    attempts: int, chance: float, after_s: float | None
) -> None:
    wait_s = retry_s(attempts, chance, after_s)
    assert delivery.SHORTEST_RETRY_S <= wait_s <= delivery.ASKED_AT_MOST_S
    if after_s is None:
        assert wait_s <= min(delivery.LONGEST_RETRY_S, max(1.0, delivery.FIRST_RETRY_S * 2.0 ** min(attempts - 1, 30)))
    else:
        assert wait_s >= min(after_s, delivery.ASKED_AT_MOST_S)


def test_what_could_not_be_sent_is_tried_again_for_days_and_then_given_up() -> None:
    waiting, now, tries = one("1"), NOW, 0
    while waiting.state is State.WAITING:
        waiting = not_sent(waiting, "451 later", now, 300.0, again=True, retry_for_s=3 * DAY_S)
        assert waiting.due_at == now + 300_000 or waiting.state is State.FAILED
        now, tries = now + 300_000, tries + 1
    assert waiting.state is State.FAILED
    assert (waiting.attempts, waiting.failing_since, waiting.last_error) == (tries, NOW, "451 later")
    assert tries == 3 * DAY_S / 300 + 1


def test_after_days_in_which_nothing_ran_a_first_try_that_fails_is_not_the_last() -> None:
    late = NOW + 10 * 86_400_000
    assert not_sent(one("1"), "no", late, 5.0, again=True, retry_for_s=3 * DAY_S).state is State.WAITING


def test_what_another_try_can_t_help_is_given_up_at_once() -> None:
    assert not_sent(one("1"), "550 no such user", NOW, 5.0, again=False, retry_for_s=DAY_S).state is State.FAILED


def test_what_was_sent_says_when_and_at_which_try() -> None:
    tried = not_sent(one("1"), "x" * 1000, NOW, 5.0, again=True, retry_for_s=DAY_S)
    assert len(tried.last_error) == delivery.ERROR_CHARS
    done = sent(tried, NOW + 9)
    assert (done.state, done.attempts, done.sent_at, done.last_error) == (State.SENT, 2, NOW + 9, "")


MAIL = Channel(id=1, owner=1, name="mail", kind="mail", target="Ada@example.net")
HOOK = Channel(id=1, owner=1, name="hook", kind="webhook", target="https://example.net/h")
LEFT = {("ada@example.net", 1)}
LATER = NOW + SETTLES_MS


@pytest.mark.parametrize(
    ("changes", "channel", "left", "why"),
    [
        pytest.param({}, MAIL, {("ada@example.net", 2)}, "", id="whoever unsubscribed from another policy wants it"),
        pytest.param({}, MAIL, LEFT, "Ada@example.net has unsubscribed", id="whoever unsubscribed does not"),
        pytest.param({}, HOOK, LEFT, "", id="a webhook never unsubscribes"),
        pytest.param({"policy": None}, MAIL, LEFT, "", id="what no policy sends is about the account"),
        pytest.param({}, None, set(), "its channel is gone", id="a channel that is gone"),
        pytest.param(
            {},
            msgspec.structs.replace(MAIL, enabled=False),
            set(),
            "channel mail is switched off",
            id="a channel that is switched off",
        ),
        pytest.param({"about": About.UNSUBSCRIBED}, MAIL, LEFT, "", id="who unsubscribed gets the confirmation"),
        pytest.param(
            {"about": About.UNSUBSCRIBED},
            MAIL,
            set(),
            "Ada@example.net has not unsubscribed from it, or not any more",
            id="a confirmation of what was taken back does not leave",
        ),
        pytest.param(
            {"about": About.UNSUBSCRIBED, "created_at": NOW + 1},
            MAIL,
            set(),
            "",
            id="nor is one withdrawn by a look at the registry that may be older than it",
        ),
    ],
)
def test_s23_what_waits_and_is_not_wanted_any_more(
    changes: dict[str, object], channel: Channel | None, left: set[tuple[str, int]], why: str
) -> None:
    assert unwanted(one("1", **changes), channel, left, LATER) == why


def test_a_channel_heard_what_was_sent_to_it_or_still_waits_and_not_what_was_given_up() -> None:
    begun = one("1", alerts=(("a", 1),), state=State.SENT, sent_at=NOW + 5)
    grown = one("2", alerts=(("b", 1), ("a", 3)), severity=Severity.CRITICAL, due_at=NOW + 9)
    assert heard_of("a", [begun, grown]) == Told(worst=Severity.CRITICAL, number=3, at=NOW + 5)
    failed = msgspec.structs.replace(grown, state=State.FAILED)
    assert heard_of("a", [begun, failed]) == Told(worst=Severity.WARNING, number=1, at=NOW + 5)
    assert heard_of("b", [begun, failed]) is None
    assert heard_of("a", [msgspec.structs.replace(begun, about=About.DIGEST)]) is None
