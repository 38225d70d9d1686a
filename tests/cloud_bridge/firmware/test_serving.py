"""What the bridge sends for a request, and what it does not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.firmware.serving import BRIDGE, GATEWAY, GATEWAYS, Rate, Rates, Send, chosen, judge
from cloud_bridge.runtime.firmware.serve import ChunkServer, Shelf
from gateway.wire import chunks, codec, limits
from gateway.wire.chunks import ChunksRefused, ChunksWanted, Frame, Why, packed, unpack
from gateway.wire.errors import WireError
from tests.gateway.firmware.images import image_bytes, image_of

DATA = image_bytes(40 * 1024 + 7)
IMAGE = image_of(DATA)
SIZE = len(DATA)


def wanted(missing: int, window: int = 8, chunk: int = 1024, sha256: str = IMAGE.sha256) -> ChunksWanted:
    return ChunksWanted(transfer=7, sha256=sha256, chunk=chunk, missing=packed(missing), window=window)


def test_the_first_of_the_missing_are_sent_as_many_as_the_window_has() -> None:
    assert chosen(wanted(0b1111_0110, window=3), SIZE) == (1, 2, 4)


def test_chunks_behind_the_image_s_end_are_not_sent() -> None:
    assert chosen(wanted(1 << 40 | 1 << 41 | 1 << 511, window=32), SIZE) == (40,)
    assert judge(Rates(0.0), "pi-1", wanted(1 << 41), SIZE, 0.0) == Send(())


@given(st.integers(0, 2**limits.CHUNKS - 1), st.integers(1, 32), st.integers(1024, 65536), st.integers(1, 2**23))
def test_no_request_brings_more_than_its_window_nor_more_than_two_mebibytes(
    missing: int, window: int, chunk: int, size: int
) -> None:
    indexes = chosen(wanted(missing, window, chunk), size)
    assert len(indexes) <= window
    assert all(missing >> index & 1 and index * chunk < size for index in indexes)
    assert sum(min(chunk, size - index * chunk) for index in indexes) <= 2 * 1024 * 1024


def test_a_gateway_that_had_its_share_is_put_off_for_as_long_as_that_takes_and_others_are_not() -> None:
    rates = Rates(0.0, gateway=Rate(1024, 4096))
    many = wanted((1 << 40) - 1)
    assert judge(rates, "pi-1", many, SIZE, 0.0) == Send(tuple(range(8)))
    assert judge(rates, "pi-1", many, SIZE, 0.0) == ChunksRefused(transfer=7, why=Why.BUSY, after_s=5)
    assert judge(rates, "pi-2", many, SIZE, 0.0) == Send(tuple(range(8)))
    assert judge(rates, "pi-1", many, SIZE, 5.0) == Send(tuple(range(8)))


def test_all_gateways_together_have_a_share_too() -> None:
    rates = Rates(0.0, bridge=Rate(1024, 4096))
    many = wanted((1 << 40) - 1)
    assert judge(rates, "pi-1", many, SIZE, 0.0) == Send(tuple(range(8)))
    assert judge(rates, "pi-2", many, SIZE, 0.0) == ChunksRefused(transfer=7, why=Why.BUSY, after_s=5)


def test_over_a_minute_a_greedy_gateway_gets_its_burst_its_rate_and_one_request() -> None:
    rates, sent = Rates(0.0), 0
    everything = wanted((1 << 512) - 1, window=32, chunk=65536)
    for tick in range(6000):
        verdict = judge(rates, "pi-1", everything, 8 * 1024 * 1024, tick / 100)
        sent += len(verdict.indexes) * 65536 if isinstance(verdict, Send) else 0
    assert sent <= GATEWAY.burst + 60 * GATEWAY.per_s + 32 * 65536
    assert BRIDGE.per_s > GATEWAY.per_s


def test_names_without_number_take_no_memory_without_end() -> None:
    rates = Rates(0.0)
    for number in range(3 * GATEWAYS):
        rates.take(f"pi-{number}", 1, number / 10)
    assert len(rates._gateways) <= GATEWAYS


def test_an_unknown_digest_is_gone() -> None:
    assert judge(Rates(0.0), "pi-1", wanted(1), None, 0.0) == ChunksRefused(transfer=7, why=Why.GONE)


class Said:
    """A broker that keeps what is published."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes, int]] = []

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        self.said.append((topic, payload, qos))

    @property
    def frames(self) -> Sequence[Frame]:
        assert all((topic, qos) == ("ups/v1/pi-1/down/firmware/chunk", 0) for topic, _, qos in self.said)
        return [unpack(payload) for _, payload, _ in self.said]

    @property
    def reply(self) -> ChunksRefused:
        ((topic, payload, qos),) = self.said
        assert (topic, qos) == ("ups/v1/pi-1/down/firmware", 1)
        return codec.decode(payload, ChunksRefused)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "18").mkdir()
    (tmp_path / "18" / f"{IMAGE.sha256}.SMT18UPS_15-5.enc").write_bytes(DATA)
    return Shelf(tmp_path)


def heard(shelf: Shelf, request: ChunksWanted, said: Said, gateway: str = "pi-1") -> None:
    ChunkServer(said.publish, shelf.find).heard(gateway, codec.encode(request))


def test_chunks_come_from_the_repository_s_targets_with_the_request_s_transfer_id(shelf: Shelf) -> None:
    said = Said()
    heard(shelf, wanted(1 << 0 | 1 << 40), said)
    assert said.frames == [Frame(7, 0, DATA[:1024]), Frame(7, 40, DATA[40 * 1024 :])]


def test_a_server_that_was_started_in_between_goes_on(shelf: Shelf) -> None:
    said = Said()
    for first in range(0, 41, 8):
        heard(shelf, wanted((1 << 41) - 1 >> first << first), said)
    assert b"".join(frame.data for frame in said.frames) == DATA


def test_what_is_not_in_the_repository_is_gone(shelf: Shelf) -> None:
    said = Said()
    heard(shelf, wanted(1, sha256="0" * 64), said)
    assert said.reply == ChunksRefused(transfer=7, why=Why.GONE)


def test_a_gateway_that_is_no_longer_to_have_it_is_told_so(shelf: Shelf) -> None:
    said = Said()
    server = ChunkServer(said.publish, shelf.find, is_cancelled=lambda gateway, _sha256: gateway == "pi-1")
    server.heard("pi-1", codec.encode(wanted(1)))
    assert said.reply == ChunksRefused(transfer=7, why=Why.CANCELLED)


def test_only_whole_digests_of_targets_are_looked_for(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "18" / "metadata.json").write_bytes(b"{}")
    assert shelf.find(IMAGE.sha256) is not None
    for name in (IMAGE.sha256[:-1], "*", "metadata", "../" * 21 + "a", "", IMAGE.sha256 + "\n"):
        assert shelf.find(name) is None


def test_a_target_that_is_no_file_or_longer_than_any_image_is_gone(tmp_path: Path) -> None:
    target = tmp_path / "18" / f"{IMAGE.sha256}.x"
    target.mkdir(parents=True)
    said = Said()
    heard(Shelf(tmp_path), wanted(1), said)
    assert said.reply.why is Why.GONE
    target.rmdir()
    target.touch()
    os.truncate(target, limits.FIRMWARE_BYTES + 1)
    said = Said()
    heard(Shelf(tmp_path), wanted(1), said)
    assert said.reply.why is Why.GONE


@given(payload=st.binary(max_size=200))
def test_whatever_a_gateway_says_ends_in_chunks_or_a_declared_error(payload: bytes) -> None:
    said = Said()
    server = ChunkServer(said.publish, lambda _sha256: None)
    try:
        server.heard("pi-1", payload)
    except WireError:
        assert said.said == []


def test_the_longest_request_s_answers_pass_the_broker() -> None:
    assert chunks.FRAME_BYTES <= limits.PAYLOAD_BYTES
