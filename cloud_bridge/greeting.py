"""What a gateway says on connecting, and what follows from it for its records. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from cloud_bridge.entries import cleaned_stamp
from cloud_bridge.rows import GatewayRow
from drivers.ups import clean_text
from gateway.wire.messages import Hello, Lane, LaneRange

_decoder = msgspec.json.Decoder(Hello)


def stored_hello(text: bytes | None) -> Hello | None:
    """A hello as the database keeps it; None if there is none, or none that this version understands."""
    try:
        return _decoder.decode(text) if text else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def cleaned_hello(hello: Hello) -> Hello:
    """A hello with its texts cleaned (S6)."""
    return msgspec.structs.replace(
        hello,
        conn=clean_text(hello.conn),
        version=clean_text(hello.version),
        host=clean_text(hello.host),
        units=[clean_text(unit) for unit in hello.units],
        stamp=cleaned_stamp(hello.stamp),
    )


def remembered(previous: Hello | None, hello: Hello) -> Hello:
    """The hello to keep. Said again, a connection's first ranges stand: what came later is live (S17)."""
    if previous is None or previous.conn != hello.conn:
        return hello
    return msgspec.structs.replace(hello, lanes=dict(_first_ranges(previous.lanes, hello.lanes)))


def _first_ranges(before: Mapping[Lane, LaneRange], now: Mapping[Lane, LaneRange]) -> Iterator[tuple[Lane, LaneRange]]:
    for lane, said in now.items():
        first = before.get(lane)
        yield lane, first if first and first.stream == said.stream else said


def live_from(hello: Hello | None, lane: Lane) -> Mapping[str, int]:
    """Where the connection's live records begin, by stream: what came before was in the outbox at its hello (S17)."""
    said = hello.lanes.get(lane) if hello else None
    return {said.stream: said.next} if said else {}


def has_passed(gateway: GatewayRow) -> bool:
    """Whether the events that were in its outbox at its hello are stored (S17)."""
    said = gateway.hello.lanes.get(Lane.EVENTS) if gateway.hello else None
    if said is None:
        return True
    stored = (row.through for row in gateway.streams if (row.lane, row.stream) == (Lane.EVENTS, said.stream))
    return next(stored, 0) >= said.next - 1
