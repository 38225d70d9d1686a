from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.unit_state import KEEP_EVERY, UnitState, encode, resume, worth_keeping
from tests.gateway.watched_unit import ON_BATTERY, ONLINE, WatchedUnit, moment


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(None, id="none"),
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b'{"power":"sideways"}', id="unknown word"),
        pytest.param(b'{"last_at":"2026-11-24T03:00:00"}', id="naive time"),
        pytest.param(b"[" * 9999, id="deep"),
    ],
)
def test_a_state_that_does_not_decode_is_replaced_by_a_fresh_one(raw: bytes | None) -> None:
    assert resume(raw) == UnitState()


@given(st.binary(max_size=200))
def test_any_bytes_give_a_state(raw: bytes) -> None:
    assert isinstance(resume(raw), UnitState)


def test_fields_of_a_newer_version_are_ignored() -> None:
    unit = WatchedUnit()
    unit.reads(0, ON_BATTERY)
    newer = msgspec.json.decode(encode(unit.state)) | {"version": 2, "mood": "calm"}
    state = resume(msgspec.json.encode(newer))
    assert (state.power, state.ongoing) == (unit.state.power, unit.state.ongoing)


def test_an_event_is_reason_to_keep_and_a_mere_reading_is_not() -> None:
    unit = WatchedUnit()
    unit.reads(0, ONLINE)
    kept = unit.state
    unit.reads(1, ONLINE)
    unit.is_silent(2, 1.0)
    assert not worth_keeping(kept, unit.state)
    unit.restarts()
    assert not worth_keeping(kept, unit.state)
    unit.reads(3, ON_BATTERY)
    assert worth_keeping(kept, unit.state)


def test_the_kept_time_of_the_last_reading_is_renewed_now_and_then() -> None:
    kept = UnitState(last_at=moment(0))
    late = msgspec.structs.replace(kept, last_at=moment(0) + KEEP_EVERY)
    assert worth_keeping(kept, late)
    assert not worth_keeping(
        kept, msgspec.structs.replace(late, last_at=late.last_at and late.last_at - timedelta(seconds=1))
    )
    assert worth_keeping(UnitState(), kept)
