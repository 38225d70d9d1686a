"""Chunks on MQTT: exact bytes, limits, and no surprise whatever arrives."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import chunks, codec, limits
from gateway.wire.chunks import ChunksRefused, ChunksWanted, Frame, Why, ones, pack, packed, unpack, unpacked
from gateway.wire.errors import Malformed, TooLarge, WireError

DIGEST = "ab" * 32
FRAME = bytes.fromhex("01020304 00000005 00000003 a1ba7249 616263")


def wanted(**changes: object) -> bytes:
    fields: dict[str, object] = {"transfer": 1, "sha256": DIGEST, "chunk": 16384, "missing": "AQ==", "window": 8}
    return msgspec.json.encode(fields | changes)


def test_a_frame_has_exactly_these_bytes() -> None:
    assert pack(Frame(0x01020304, 5, b"abc")) == FRAME
    assert unpack(FRAME) == Frame(0x01020304, 5, b"abc")


def test_the_messages_have_exactly_these_bytes() -> None:
    request = ChunksWanted(transfer=0x01020304, sha256=DIGEST, chunk=16384, missing=packed(0b1_0000_0110), window=8)
    assert codec.encode(request) == (
        b'{"transfer":16909060,"sha256":"' + DIGEST.encode() + b'","chunk":16384,"missing":"BgE=","window":8}'
    )
    assert codec.encode(ChunksRefused(transfer=7, why=Why.BUSY, after_s=3)) == (
        b'{"transfer":7,"why":"busy","after_s":3}'
    )
    assert codec.encode(ChunksRefused(transfer=7, why=Why.GONE)) == b'{"transfer":7,"why":"gone"}'
    assert [why.value for why in Why] == ["gone", "cancelled", "busy"]


def test_chunk_zero_is_the_lowest_bit_of_the_first_byte_and_zeros_at_the_end_are_left_off() -> None:
    assert packed(0b1_0000_0110) == b"\x06\x01"
    assert list(ones(unpacked(b"\x06\x01\x00"))) == [1, 2, 8]
    assert packed(0) == b"\x00"


def test_a_full_chunk_and_a_full_bitmap_pass_the_broker_and_the_limits() -> None:
    frame = pack(Frame(chunks.TRANSFERS - 1, limits.CHUNKS - 1, b"x" * limits.CHUNK_MOST))
    assert len(frame) == chunks.FRAME_BYTES < limits.PAYLOAD_BYTES
    assert len(unpack(frame).data) == limits.CHUNK_MOST
    full = packed((1 << limits.CHUNKS) - 1)
    assert len(full) == chunks.BITMAP_BYTES == 64
    request = ChunksWanted(transfer=0, sha256=DIGEST, chunk=limits.CHUNK_MOST, missing=full, window=32)
    assert codec.decode(codec.encode(request), ChunksWanted) == request


@pytest.mark.parametrize("bit", range(len(FRAME) * 8))
def test_no_bit_of_a_frame_can_change_unseen(bit: int) -> None:
    changed = bytearray(FRAME)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Malformed):
        unpack(bytes(changed))


@pytest.mark.parametrize(
    "payload",
    [b"", FRAME[:16], FRAME[:-1], FRAME + b"d", pack(Frame(1, 512, b"a"))],
    ids=["empty", "no-data", "cut-short", "too-long", "no-such-chunk"],
)
def test_a_frame_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(Malformed):
        unpack(payload)


def test_a_frame_over_the_limit_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(TooLarge):
        unpack(b"\x00" * (chunks.FRAME_BYTES + 1))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("transfer", 2**32),
        ("transfer", -1),
        ("sha256", "AB" * 32),
        ("sha256", "../" + "a" * 61),
        ("chunk", 0),
        ("chunk", limits.CHUNK_MOST + 1),
        ("missing", ""),
        ("missing", "AAAA" * 22),
        ("missing", "?"),
        ("window", 0),
        ("window", 33),
    ],
)
def test_a_request_outside_its_limits_is_refused(field: str, value: object) -> None:
    assert codec.decode(wanted(), ChunksWanted).window == 8
    with pytest.raises(Malformed):
        codec.decode(wanted(**{field: value}), ChunksWanted)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_frame_or_a_declared_error(payload: bytes) -> None:
    try:
        frame = unpack(payload)
    except WireError:
        return
    assert pack(frame) == payload


@given(st.integers(0, chunks.TRANSFERS - 1), st.integers(0, limits.CHUNKS - 1), st.binary(min_size=1, max_size=2000))
def test_every_frame_is_read_back(transfer: int, index: int, data: bytes) -> None:
    assert unpack(pack(Frame(transfer, index, data))) == Frame(transfer, index, data)


@given(st.sets(st.integers(0, limits.CHUNKS - 1)))
def test_every_bitmap_is_read_back(indexes: set[int]) -> None:
    bits = sum(1 << index for index in indexes)
    assert list(ones(unpacked(packed(bits)))) == sorted(indexes)
    assert len(packed(bits)) <= chunks.BITMAP_BYTES
