"""The simulator's image file."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bootloader.image import MAX_BODY_BYTES, Header, header_of, image, number_of, sample_body
from simulator.bootloader.reasons import Reason

BODY = b"123456789"
SHA256 = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"
HEADER = (
    b"RTHRUFW1" + b"18".ljust(16, b"\0") + b"15.6".ljust(8, b"\0") + b"09.4".ljust(8, b"\0") + b"\0\0\0\x09"
) + bytes.fromhex(SHA256)


def test_an_image_is_these_bytes() -> None:
    made = image("18", "15.6", BODY, least_version="09.4")
    assert made[:76] == HEADER
    assert made[80:128] == bytes(48)
    assert made[128:] == BODY


def test_a_header_is_read_back() -> None:
    expected = Header(
        hardware_id="18", version="15.6", least_version="09.4", length=9, sha256=hashlib.sha256(BODY).digest()
    )
    assert header_of(image("18", "15.6", BODY, least_version="09.4")) == expected


@given(st.integers(0, 79), st.integers(0, 7))
def test_every_wrong_bit_of_a_header_is_found(place: int, bit: int) -> None:
    damaged = bytearray(image("18", "15.6", BODY))
    damaged[place] ^= 1 << bit
    assert header_of(bytes(damaged)) in (Reason.NOT_AN_IMAGE, Reason.HEADER_CHECKSUM)


@given(st.binary(max_size=1024))
def test_any_bytes_are_a_header_or_a_reason(data: bytes) -> None:
    assert isinstance(header_of(data), Reason)
    assert header_of(b"RTHRUFW1" + data) in (Reason.NOT_AN_IMAGE, Reason.HEADER_CHECKSUM)


@pytest.mark.parametrize(
    ("hardware_id", "version", "least_version", "body"),
    [
        ("", "1", "0", BODY),
        ("x" * 17, "1", "0", BODY),
        ("18", "one", "0", BODY),
        ("18", "1.2.3", "0", BODY),
        ("18", "1", "", BODY),
        ("18", "1", "0", b""),
        ("18", "1", "0", bytes(MAX_BODY_BYTES + 1)),
    ],
)
def test_what_a_header_cannot_say_is_not_made(hardware_id: str, version: str, least_version: str, body: bytes) -> None:
    with pytest.raises(ValueError):
        image(hardware_id, version, body, least_version=least_version)


def test_versions_are_compared_as_numbers() -> None:
    assert number_of("04.1") == number_of("4.1") < number_of("09.4") < number_of("10.0") < number_of("15.6")


def test_a_sample_is_the_same_for_the_same_image() -> None:
    assert sample_body("18", "15.6", 300) == sample_body("18", "15.6", 400)[:300]
    assert sample_body("18", "15.6", 300) != sample_body("18", "15.7", 300)
