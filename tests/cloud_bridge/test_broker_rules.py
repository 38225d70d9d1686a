"""The embedded broker's rules, without a socket: framing, admission, allowances, complaints."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.acl import Identity, Role
from cloud_bridge.broker.admission import WILL_BYTES, Connect, Will, admit
from cloud_bridge.broker.allowance import DAY_S, Allowance, Bucket
from cloud_bridge.broker.complaints import MOST_KEPT, QUIET_S, Complaints
from cloud_bridge.broker.errors import BadPacket, Refused
from cloud_bridge.broker.framing import CONNECT_BYTES, CONTROL_BYTES, Kind, check_length, read_header, read_length
from cloud_bridge.broker.wording import tls_refusal
from gateway.wire.limits import PAYLOAD_BYTES

PI = Identity("pi-1", Role.GATEWAY)
BRIDGE = Identity("bridge", Role.BRIDGE)
HELLO = Connect("MQTT", 4, "pi-1", "pi-1", 30, Will("ups/v1/pi-1/up/offline", b"{}", 1, False))


@pytest.mark.parametrize(
    ("encoded", "length"),
    [(b"\x00", 0), (b"\x7f", 127), (b"\x80\x01", 128), (b"\xff\x7f", 16383), (b"\xff\xff\xff\x7f", 268435455)],
)
def test_lengths_are_read_as_table_2_4_gives_them(encoded: bytes, length: int) -> None:
    assert read_length(encoded) == length
    assert all(read_length(encoded[:count]) is None for count in range(len(encoded)))


def test_a_length_of_five_bytes_is_refused() -> None:
    with pytest.raises(BadPacket):
        read_length(b"\xff\xff\xff\xff")


@pytest.mark.parametrize("byte", [0x10, 0x30, 0x32, 0x3A, 0x40, 0x82, 0xA2, 0xC0, 0xE0])
def test_first_bytes_that_a_client_may_send(byte: int) -> None:
    assert read_header(byte).kind == byte >> 4


@given(st.integers(0, 255))
def test_any_other_first_byte_is_refused(byte: int) -> None:
    allowed = {0x10, 0x30, 0x32, 0x38, 0x3A, 0x40, 0x82, 0xA2, 0xC0, 0xE0}
    if byte in allowed:
        assert read_header(byte).flags == byte & 0x0F
    else:
        with pytest.raises(BadPacket):
            read_header(byte)


@pytest.mark.parametrize(
    ("kind", "most"),
    [(Kind.PUBLISH, PAYLOAD_BYTES + 512), (Kind.CONNECT, CONNECT_BYTES), (Kind.SUBSCRIBE, CONTROL_BYTES)],
)
def test_nothing_longer_than_its_limit_is_read(kind: Kind, most: int) -> None:
    check_length(kind, most, PAYLOAD_BYTES)
    with pytest.raises(BadPacket, match=str(most)):
        check_length(kind, most + 1, PAYLOAD_BYTES)


@pytest.mark.parametrize(("kind", "length"), [(Kind.PINGREQ, 1), (Kind.DISCONNECT, 1), (Kind.PUBACK, 3)])
def test_packets_of_one_length_have_no_other(kind: Kind, length: int) -> None:
    with pytest.raises(BadPacket):
        check_length(kind, length, PAYLOAD_BYTES)


def test_silence_is_one_and_a_half_keep_alives_and_45_s_for_none() -> None:
    assert admit(HELLO, PI) == 45.0
    assert admit(replace(HELLO, keep_alive_s=10), PI) == 15.0
    assert admit(replace(HELLO, keep_alive_s=0), PI) == 45.0


def test_a_client_without_a_user_name_is_its_certificate_all_the_same() -> None:
    assert admit(replace(HELLO, user_name=None), PI) == 45.0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"level": 5}, 1),
        ({"level": 3}, 1),
        ({"client_id": "bridge"}, 2),
        ({"client_id": ""}, 2),
        ({"client_id": "pi-1 "}, 2),
        ({"keep_alive_s": 301}, 2),
        ({"user_name": "bridge"}, 5),
        ({"user_name": ""}, 5),
        ({"will": Will("ups/v1/pi-2/down/ack", b"", 1, False)}, 5),
        ({"will": Will("ups/v1/pi-1/up/events", b"", 1, False)}, 5),
        ({"will": Will("ups/v1/pi-1/up/offline", b"", 1, True)}, 5),
        ({"will": Will("ups/v1/pi-1/up/offline", b"", 2, False)}, 5),
        ({"will": Will("ups/v1/pi-1/up/offline", bytes(WILL_BYTES + 1), 1, False)}, 5),
    ],
)
def test_a_connect_that_is_not_its_certificates_is_refused(change: dict[str, object], code: int) -> None:
    with pytest.raises(Refused) as refused:
        admit(replace(HELLO, **change), PI)  # type: ignore[arg-type]  # the values are of the fields' types
    assert refused.value.code == code


def test_the_bridge_leaves_no_will() -> None:
    as_bridge = replace(HELLO, client_id="bridge", user_name="bridge", will=None)
    assert admit(as_bridge, BRIDGE) == 45.0
    with pytest.raises(Refused):
        admit(replace(as_bridge, will=HELLO.will), BRIDGE)


def test_another_protocol_is_no_packet() -> None:
    with pytest.raises(BadPacket):
        admit(replace(HELLO, protocol="MQIsdp"), PI)


def test_s6_what_a_client_says_can_not_forge_a_line() -> None:
    with pytest.raises(Refused) as refused:
        admit(replace(HELLO, client_id="x\n2026 all is well\x1b[2J"), PI)
    assert str(refused.value).isprintable()


def test_s13_a_burst_passes_and_the_rate_holds_after_it() -> None:
    allowance = Allowance.fresh(10, 5, 10**9, 0.0)
    for _ in range(5):
        allowance.use(1, 0.0)
    assert allowance.pause_s(0.0) == 0
    allowance.use(1, 0.0)
    assert allowance.pause_s(0.0) == pytest.approx(0.1)
    assert allowance.pause_s(0.1) == 0


def test_s13_the_bytes_of_a_day_come_back_over_the_day() -> None:
    allowance = Allowance.fresh(10, 5, 86400, 0.0)
    allowance.use(86400, 0.0)
    assert allowance.spent_for_s(0.0) == 0
    allowance.use(3600, 0.0)
    assert allowance.spent_for_s(0.0) == pytest.approx(3600)
    assert allowance.spent_for_s(3601.0) == 0


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 5000)), max_size=50), st.integers(1, 10**6))
def test_s13_no_pattern_takes_more_than_capacity_and_rate_allow(steps: list[tuple[float, int]], capacity: int) -> None:
    """What passes while nothing is owed is at most the capacity, what time brought, and one packet more."""
    now, taken, largest = 0.0, 0, 0
    bucket = Bucket.full(capacity, capacity / DAY_S, now)
    for wait_s, size in steps:
        now += wait_s
        if not bucket.debt_s(now):
            bucket.take(size, now)
            taken, largest = taken + size, max(largest, size)
    assert taken <= capacity + now * capacity / DAY_S + largest + 1


def test_time_that_goes_back_gives_nothing() -> None:
    bucket = Bucket.full(10, 1, 100.0)
    bucket.take(10, 100.0)
    assert bucket.debt_s(50.0) == 0
    bucket.take(1, 50.0)
    assert bucket.debt_s(50.0) == 1


def test_a_complaint_is_told_once_a_minute_with_the_count_of_the_others() -> None:
    complaints = Complaints()
    assert complaints.suffix("pi-1", "topic", 0.0) == ""
    assert [complaints.suffix("pi-1", "topic", QUIET_S - 1) for _ in range(3)] == [None] * 3
    assert complaints.suffix("pi-1", "size", 1.0) == ""
    assert complaints.suffix("pi-2", "topic", 1.0) == ""
    assert complaints.suffix("pi-1", "topic", QUIET_S) == " (3 more since the last such line)"
    assert complaints.suffix("pi-1", "topic", 2 * QUIET_S) == ""


def test_complaints_about_ever_new_strangers_do_not_grow_for_ever() -> None:
    complaints = Complaints()
    for number in range(MOST_KEPT + 1):
        complaints.suffix(f"10.0.0.{number}", "tls", 0.0)
    assert complaints.suffix("10.0.0.0", "tls", 0.0) == ""
    assert complaints.suffix(f"10.0.0.{MOST_KEPT}", "tls", 0.0) is None


@pytest.mark.parametrize(
    ("reason", "verdict", "told"),
    [
        ("CERTIFICATE_VERIFY_FAILED", "certificate has expired", "certificate not accepted: certificate has expired"),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", None, "no certificate: every client of this broker needs one"),
        ("SOME_NEW_REASON", None, "TLS: some new reason"),
        (None, None, "TLS: the handshake broke off"),
    ],
)
def test_a_failed_handshake_is_told_in_words(reason: str | None, verdict: str | None, told: str) -> None:
    assert tls_refusal(reason, verdict) == told
