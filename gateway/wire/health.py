"""How the gateway itself is: said each minute, never stored as history of the units."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.wire import limits
from gateway.wire.messages import Count, Instant, Lane, Message, ShortText, Stamp

DISK_LOW_BYTES = 128 * 1024 * 1024
"""Less than this: the outbox may not grow through a long outage of the network."""

HOT_C = 80.0
"""From here on a Raspberry Pi slows itself down (its documentation, "Frequency management and thermal control")."""

CERTIFICATE_DAYS = 14.0
"""It is renewed long before, at half its life: one this near its end is not renewed."""

CLOCK_PATIENCE_S = 300.0
"""After a gateway's start; until then NTP may still be asking."""


class UnitHealth(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One unit's line. Counts grow from the gateway's start; latencies are of the last minute's polls.

    `asked_s`: what settings or driver ask for; `fast_s`: what is done (S4). `answered_ago_s`: since the last reading.
    """

    fast_s: float
    asked_s: float
    polls: Count = 0
    failed_polls: Count = 0
    not_believed: Count = 0
    requests: Count = 0
    timeouts: Count = 0
    bad_crc: Count = 0
    discarded: Count = 0
    exceptions: Count = 0
    reopens: Count = 0
    poll_p50_ms: float | None = None
    poll_p99_ms: float | None = None
    answered_ago_s: float | None = None


class OutboxHealth(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`bytes`: what the outbox file holds and its quota. `oldest_at`: of what is not acknowledged."""

    waiting: dict[Lane, Count] = {}
    bytes: Count = 0
    quota_bytes: Count = 0
    oldest_at: Instant | None = None
    commits: Count = 0
    trouble: ShortText = ""


class Host(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The machine. `throttled`: the Pi firmware's flags, bit 0 under-voltage now, bit 16 since start."""

    cpu_temp_c: float | None = None
    throttled: int | None = None
    under_voltage: bool | None = None
    disk_free_bytes: Count | None = None
    resident_bytes: Count | None = None
    load_1min: float | None = None
    uptime_s: float | None = None


class Health(Message, frozen=True, kw_only=True, omit_defaults=True):
    """`audit_head`: digest of the audit log's last line, `audit_length` its lines: a log that was cut shows."""

    conn: ShortText
    stamp: Stamp
    version: ShortText
    running_s: float
    units: Annotated[dict[ShortText, UnitHealth], msgspec.Meta(max_length=limits.HELLO_UNITS)] = {}
    outbox: OutboxHealth = OutboxHealth()
    host: Host = Host()
    connections: Count = 0
    certificate_days_left: float | None = None
    audit_head: ShortText = ""
    audit_length: Count = 0
