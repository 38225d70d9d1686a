from __future__ import annotations

import msgspec

from gateway.wire.messages import StatusBody
from gateway.wire.status import merge_status


def raw(**values: str) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(text.encode()) for name, text in values.items()}


OLD = raw(state='"online"', input_v="230.0", load_pct="20.0")


def test_a_full_report_replaces_everything() -> None:
    assert merge_status(OLD, StatusBody(full=True, values=raw(state='"off"'))) == raw(state='"off"')


def test_a_partial_report_changes_what_it_names_and_drops_what_is_gone() -> None:
    body = StatusBody(values=raw(load_pct="25.0"), gone=["input_v"])
    assert merge_status(OLD, body) == raw(state='"online"', load_pct="25.0")


def test_a_field_both_read_and_gone_was_read() -> None:
    body = StatusBody(values=raw(input_v="0.0"), gone=["input_v", "unheard_of"])
    assert merge_status(OLD, body)["input_v"] == msgspec.Raw(b"0.0")


def test_the_previous_status_is_left_as_it_was() -> None:
    before = dict(OLD)
    merge_status(OLD, StatusBody(values=raw(state='"off"'), gone=["load_pct"]))
    assert before == OLD
