from __future__ import annotations

from simulator.body import EPOCH
from simulator.history import History, Kind


def _filled(count: int, limit: int) -> History:
    history = History(limit)
    for number in range(count):
        history.add(EPOCH, Kind.LOAD, "load", number, number + 1)
    return history


def test_since_gives_what_came_after_that_number() -> None:
    history = _filled(5, 10)
    assert [change.number for change in history.since(3)] == [4, 5]
    assert history.since(5) == ()
    assert history.since(99) == ()


def test_a_full_history_drops_the_oldest_and_says_how_many() -> None:
    history = _filled(25, 10)
    assert (history.dropped, history.last_number) == (15, 25)
    assert [change.number for change in history.since()] == list(range(16, 26))
    assert [change.number for change in history.since(20)] == list(range(21, 26))
