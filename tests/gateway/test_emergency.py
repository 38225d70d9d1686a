"""When the gateway tells of an event itself: what is told, when, how often, and what outlives the process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import CATALOGUE, Severity
from gateway import emergency
from gateway.emergency import HOUR_MS, Heard, Memory
from gateway.entries import Entry, gap_entry
from gateway.records import record
from gateway.settings import EmergencySettings, NtfyRoute
from gateway.wire.codec import encode_record
from gateway.wire.messages import EventBody, Kind, Stamp

SETTINGS = EmergencySettings(ntfy=NtfyRoute(url="https://ntfy.example.net/ups"))
STREAM = "0" * 16
LONG_S = 1000.0


def at(second: float, boot: str = "b") -> Stamp:
    return Stamp(at=1_790_000_000_000 + int(second * 1000), boot=boot, mono=int(second * 1000))


def event(number: int, kind: str, second: float = 0.0, unit: str = "rack-1", **more: Any) -> Entry:
    body = EventBody(type=kind, severity=more.pop("severity", CATALOGUE[kind].severity), **more)
    return Entry(number, encode_record(record(Kind.EVENT, at(second), unit, body)))


def took(*entries: Entry, memory: Memory | None = None, now_s: float = 0.0, **changes: Any) -> Memory:
    settings = msgspec.structs.replace(SETTINGS, **changes)
    return emergency.took(memory or Memory(stream=STREAM), entries, settings, now_s)


def due(memory: Memory, now_s: float, **changes: Any) -> list[str]:
    settings = msgspec.structs.replace(SETTINGS, **changes)
    return [each.type for each in emergency.due(memory, settings, now_s, at(now_s))]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        pytest.param("low_battery", True, id="a critical event is told"),
        pytest.param("on_battery", True, id="an outage that lasts is told though it is a warning"),
        pytest.param("fan_fault", False, id="another warning is not"),
        pytest.param("self_test_passed", False, id="nor what is for the record"),
        pytest.param("mains_restored", False, id="nor the end of what was never told"),
    ],
)
def test_by_default_what_is_critical_and_an_outage_that_lasts_are_told(kind: str, told: bool) -> None:
    assert due(took(event(1, kind)), LONG_S) == ([kind] if told else [])


@pytest.mark.parametrize("least", list(Severity))
def test_the_least_severity_is_the_owners_choice(least: Severity) -> None:
    rank = list(Severity).index(least)
    kinds = ["gateway_started", "fan_fault", "overload"]
    memory = took(*(event(number, kind) for number, kind in enumerate(kinds, 1)), least=least)
    assert due(memory, LONG_S, least=least) == kinds[rank:]


def test_an_event_whose_severity_was_raised_counts_by_that() -> None:
    lost = event(1, "communication_lost", severity=Severity.CRITICAL)
    assert due(took(lost), LONG_S) == ["communication_lost"]


def test_nothing_is_told_before_the_cloud_has_had_its_time() -> None:
    memory = took(event(1, "low_battery"), now_s=100.0)
    assert due(memory, 100.0 + SETTINGS.after_s - 0.1) == []
    assert due(memory, 100.0 + SETTINGS.after_s) == ["low_battery"]


def test_what_the_cloud_has_acknowledged_is_the_clouds_to_tell() -> None:
    memory = took(event(1, "low_battery"), event(2, "overload"))
    assert due(emergency.acknowledged(memory, 1), LONG_S) == ["overload"]
    assert due(emergency.acknowledged(memory, 2), LONG_S) == []


def test_an_outage_waits_for_its_own_hold_where_that_is_the_longer() -> None:
    memory = took(event(1, "on_battery"), on_battery_s=300)
    assert due(memory, 299.0, on_battery_s=300) == []
    assert due(memory, 300.0, on_battery_s=300) == ["on_battery"]


def test_an_outage_is_told_with_what_is_worse_of_the_same_unit_and_not_after_it() -> None:
    memory = took(event(1, "on_battery"), event(2, "on_battery", unit="rack-2"), event(3, "low_battery"), after_s=5)
    assert due(memory, 5.0, after_s=5) == ["on_battery", "low_battery"]
    assert [each.unit for each in emergency.due(memory, SETTINGS, SETTINGS.after_s, at(5))] == [
        "rack-1",
        "rack-2",
        "rack-1",
    ]


def test_an_outage_shorter_than_its_hold_is_never_told_nor_is_its_end() -> None:
    memory = took(event(1, "on_battery", 0.0), event(2, "mains_restored", 59.9))
    assert due(memory, LONG_S) == []
    assert memory.open == ()


def test_an_outage_that_lasted_is_told_with_its_end_though_that_is_no_warning() -> None:
    memory = took(event(1, "on_battery", 0.0), event(2, "mains_restored", 60.0))
    assert due(memory, LONG_S) == ["on_battery", "mains_restored"]


def test_the_hold_is_measured_by_a_clock_that_nothing_sets() -> None:
    moved = msgspec.structs.replace(at(30.0), at=at(9000.0).at)
    end = record(Kind.EVENT, moved, "rack-1", EventBody(type="mains_restored", severity=Severity.INFORMATIONAL))
    assert due(took(event(1, "on_battery", 0.0), Entry(2, encode_record(end))), LONG_S) == []


def test_the_end_of_what_was_told_is_told_too_and_another_units_is_not() -> None:
    memory = took(event(1, "overload"))
    memory = emergency.told(memory, memory.waiting, at(200.0))
    memory = took(event(2, "overload_cleared", unit="rack-2"), event(3, "overload_cleared"), memory=memory, now_s=300.0)
    assert [(each.type, each.unit) for each in memory.waiting] == [("overload_cleared", "rack-1")]
    assert due(took(event(4, "overload_cleared"), memory=memory), 2 * LONG_S) == ["overload_cleared"]


def test_the_end_of_what_the_cloud_told_is_left_to_the_cloud() -> None:
    memory = emergency.acknowledged(took(event(1, "overload")), 1)
    assert due(took(event(2, "overload_cleared"), memory=memory), LONG_S) == []


def test_what_is_told_is_told_once_however_often_the_outbox_is_read() -> None:
    entries = [event(1, "overload"), event(2, "low_battery")]
    memory = took(*entries)
    memory = emergency.told(memory, memory.waiting, at(200.0))
    assert took(*entries, memory=memory).waiting == ()


def test_what_is_told_is_remembered_across_a_restart() -> None:
    entries = [event(1, "overload"), event(2, "low_battery")]
    memory = took(*entries)
    memory = emergency.told(memory, memory.waiting[:1], at(200.0))
    after = emergency.resumed(emergency.encode(memory), 5.0)
    assert due(took(*entries, memory=after), 5.0 + LONG_S) == ["low_battery"]


def test_after_a_restart_the_cloud_gets_its_time_anew() -> None:
    after = emergency.resumed(emergency.encode(took(event(1, "overload"))), 5000.0)
    assert due(after, 5000.0 + SETTINGS.after_s - 1) == []
    assert due(after, 5000.0 + SETTINGS.after_s) == ["overload"]


@given(st.binary(max_size=200))
def test_a_note_that_can_not_be_read_is_no_note(raw: bytes) -> None:
    assert emergency.resumed(raw, 0.0) == Memory()
    assert emergency.resumed(None, 0.0) == Memory()


def test_a_number_that_a_kill_took_back_is_another_events_when_it_is_given_anew() -> None:
    memory = took(event(1, "fan_fault"), event(2, "overload"))
    memory = emergency.within(emergency.told(memory, memory.waiting, at(200.0)), 1)
    assert due(took(event(2, "low_battery"), memory=memory), LONG_S) == ["low_battery"]


def test_s16_in_a_new_stream_the_same_events_are_the_same() -> None:
    memory = took(event(11, "overload"), event(12, "low_battery"), memory=Memory(stream=STREAM, through=10))
    memory = emergency.renumbered(emergency.told(memory, memory.waiting[:1], at(200.0)), "1" * 16, 10)
    assert (memory.stream, memory.through, [each.number for each in memory.waiting]) == ("1" * 16, 2, [2])
    assert due(took(event(1, "overload"), event(2, "low_battery"), memory=memory), LONG_S) == ["low_battery"]
    assert emergency.renumbered(memory, "2" * 16, None).through == 0


def test_an_hour_has_so_many_messages_and_what_waits_goes_with_the_next() -> None:
    memory = Memory(stream=STREAM)
    for number in range(1, 10):
        memory = took(event(number, "overload", unit=f"rack-{number}"), memory=memory, now_s=-LONG_S)
        if ready := emergency.due(memory, SETTINGS, float(number), at(number)):
            memory = emergency.told(memory, ready, at(number))
    assert len(memory.sent) == SETTINGS.an_hour
    assert due(memory, 3600.9) == []
    assert due(memory, 3601.0) == ["overload"] * 3


def test_a_try_that_may_have_arrived_counts_for_the_hour_and_is_tried_again() -> None:
    memory = took(event(1, "overload"), now_s=-LONG_S)
    for second in range(SETTINGS.an_hour):
        assert due(memory, float(second)) == ["overload"]
        memory = emergency.tried(memory, at(second))
    assert due(memory, 10.0) == []


def test_another_boot_does_not_begin_another_hour() -> None:
    memory = took(event(1, "overload"), now_s=-LONG_S)
    for second in range(SETTINGS.an_hour):
        memory = emergency.tried(memory, at(second))
    assert emergency.due(memory, SETTINGS, 0.0, at(3599.0, boot="c")) == ()
    assert emergency.due(memory, SETTINGS, 0.0, at(3600.0, boot="c")) != ()


def test_of_a_flood_the_newest_are_named_and_the_others_counted() -> None:
    many = emergency.WAITING_AT_MOST + 7
    memory = took(*(event(number, "overload", unit=f"u-{number}") for number in range(1, many + 1)))
    assert (len(memory.waiting), memory.overlooked, memory.waiting[-1].number) == (emergency.WAITING_AT_MOST, 7, many)
    assert emergency.told(memory, memory.waiting, at(0)).overlooked == 0
    assert emergency.acknowledged(memory, many).overlooked == 0


def test_tries_come_ever_later_and_never_end() -> None:
    assert [emergency.retry_s(failures) for failures in (1, 2, 3, 6, 7, 10_000)] == [30, 60, 120, 900, 900, 900]


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"\xff", encode_record(record(Kind.EVENT, at(0), "", Stamp(at=0, boot="", mono=0)))]
)
def test_what_is_no_event_is_passed_over(raw: bytes) -> None:
    memory = took(Entry(1, raw), gap_entry(2, 7, "crash", at(0)), event(8, "overload"))
    assert (memory.through, [each.number for each in memory.waiting]) == (8, [8])


def test_s6_texts_of_units_are_cleaned_before_anybody_sees_them() -> None:
    hostile = event(1, "overload", unit="a\r\nBcc: x", details={"model\x1b[31m": "x\r\ny" * 100})
    heard = emergency.heard(hostile, 0.0)
    assert heard is not None
    said = f"{heard.unit}{heard.details}"
    assert said.isprintable()
    assert max(map(len, map(str, heard.details.values()))) <= 64


class Scene(msgspec.Struct):
    """A cloud that comes and goes, kills, a route that works or does not: what people were told."""

    entries: list[Entry] = []
    memory: Memory = Memory(stream=STREAM)
    kept: bytes = b""
    acked: int = 0
    now_s: float = 0.0
    messages: list[tuple[float, tuple[Heard, ...]]] = []

    def happen(self, kind: str, unit: str) -> None:
        self.entries.append(event(len(self.entries) + 1, kind, self.now_s, unit))

    def look(self, works: bool) -> None:
        memory = msgspec.structs.replace(self.memory, through=max(self.memory.through, self.acked))
        memory = emergency.took(memory, self.entries, SETTINGS, self.now_s)
        self.memory = emergency.acknowledged(memory, self.acked)
        ready = emergency.due(self.memory, SETTINGS, self.now_s, at(self.now_s))
        if ready and works:
            self.messages.append((self.now_s, ready))
            self.memory = emergency.told(self.memory, ready, at(self.now_s))
            self.kept = emergency.encode(self.memory)

    def kill(self) -> None:
        self.memory = emergency.resumed(self.kept, self.now_s)
        if not self.memory.stream:
            self.memory = Memory(stream=STREAM)


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["on_battery", "mains_restored", "overload", "overload_cleared", "fan_fault"])),
        st.tuples(st.just("pass"), st.integers(1, 4000)),
        st.tuples(st.just("acknowledge"), st.integers(0, 40)),
        st.tuples(st.just("look"), st.booleans()),
        st.tuples(st.just("kill")),
    ),
    max_size=60,
)


def play(scene: Scene, script: Sequence[tuple[Any, ...]]) -> None:
    for step in script:
        match step:
            case ("pass", seconds):
                scene.now_s += seconds
            case ("acknowledge", through):
                scene.acked = max(scene.acked, min(through, len(scene.entries)))
            case ("look", works):
                before = len(scene.messages)
                scene.look(works)
                assert all(each.number > scene.acked for _, told in scene.messages[before:] for each in told)
            case ("kill",):
                scene.kill()
            case (kind,):
                scene.happen(kind, "rack-1")


@given(steps)
def test_whatever_happens_each_event_is_told_once_and_no_hour_has_more_messages_than_it_may(
    script: list[tuple[Any, ...]],
) -> None:
    scene = Scene(entries=[], messages=[])
    play(scene, script)
    numbers = [each.number for _, told in scene.messages for each in told]
    assert len(numbers) == len(set(numbers))
    times = [second for second, _ in scene.messages]
    assert all(sum(since <= other < since + HOUR_MS / 1000 for other in times) <= SETTINGS.an_hour for since in times)


@given(steps)
def test_whatever_happened_every_critical_event_that_the_cloud_never_acknowledges_is_told(
    script: list[tuple[Any, ...]],
) -> None:
    scene = Scene(entries=[], messages=[])
    play(scene, script)
    for _ in range(3):
        scene.now_s += 4000
        scene.look(works=True)
    told = {each.number for _, events in scene.messages for each in events}
    critical = {each.first for each in scene.entries if b'"critical"' in each.raw}
    assert {number for number in critical if number > scene.acked} <= told
