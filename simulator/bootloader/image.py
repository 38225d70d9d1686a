"""The simulator's firmware image: a header of 128 bytes and a body that means nothing.

APC's files (SMT18UPS_09-4.enc) are encrypted and their format is not public (apc-modbus.md section 16); this one is
ours, so that an upgrade has something to refuse. Big-endian, text in ASCII filled up with NUL:

    0 magic `RTHRUFW1` | 8 hardware id (16) | 24 version (8) | 32 least version to come from (8)
    40 length of the body (4) | 44 SHA-256 of the body (32) | 76 CRC-32 of what is before it (4) | 80 zeros (48)
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib

import msgspec

from simulator.bootloader.reasons import Reason

MAGIC = b"RTHRUFW1"
HEADER_BYTES = 128
MAX_BODY_BYTES = 4 * 1024 * 1024
_FIELDS = struct.Struct(">8s16s8s8sI32sI")
_CHECKED = _FIELDS.size - 4
HARDWARE_ID = re.compile(r"[0-9A-Za-z.]{1,16}", re.ASCII)
VERSION = re.compile(r"\d{1,3}(\.\d{1,3})?", re.ASCII)


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What an image says of itself. `least_version`: a unit that runs an older one has a step to take before."""

    hardware_id: str
    version: str
    least_version: str
    length: int
    sha256: bytes


def number_of(version: str) -> tuple[int, ...]:
    """A version as it is compared; `04.1` is 4.1."""
    return tuple(int(part) for part in version.split("."))


def image(hardware_id: str, version: str, body: bytes, *, least_version: str = "0") -> bytes:
    """The bytes of an image file; ValueError for what its header cannot say."""
    for what, text, form in (
        ("hardware id", hardware_id, HARDWARE_ID),
        ("version", version, VERSION),
        ("least version", least_version, VERSION),
    ):
        if not form.fullmatch(text):
            raise ValueError(f"{what}: {text[:40]!r} is not like {form.pattern}")
    if not 0 < len(body) <= MAX_BODY_BYTES:
        raise ValueError(f"length: {len(body)} is not between 1 and {MAX_BODY_BYTES}")
    fields = _FIELDS.pack(
        MAGIC,
        hardware_id.encode(),
        version.encode(),
        least_version.encode(),
        len(body),
        hashlib.sha256(body).digest(),
        0,
    )[:_CHECKED]
    return (fields + zlib.crc32(fields).to_bytes(4, "big")).ljust(HEADER_BYTES, b"\0") + body


def sample_body(hardware_id: str, version: str, length: int) -> bytes:
    """A body for tests and drills: the same for the same image, and nothing that compresses."""
    return hashlib.shake_256(f"{hardware_id} {version}".encode()).digest(length)


def header_of(block: bytes) -> Header | Reason:
    """The header at the beginning of these bytes, or what is wrong with it."""
    if len(block) < HEADER_BYTES or not block.startswith(MAGIC):
        return Reason.NOT_AN_IMAGE
    _, hardware_id, version, least, length, sha256, crc = _FIELDS.unpack_from(block)
    if zlib.crc32(block[:_CHECKED]) != crc:
        return Reason.HEADER_CHECKSUM
    texts = [text.rstrip(b"\0").decode("latin-1") for text in (hardware_id, version, least)]
    forms = (HARDWARE_ID, VERSION, VERSION)
    if not all(form.fullmatch(text) for form, text in zip(forms, texts, strict=True)):
        return Reason.NOT_AN_IMAGE
    if not 0 < length <= MAX_BODY_BYTES:
        return Reason.TOO_LONG
    return Header(hardware_id=texts[0], version=texts[1], least_version=texts[2], length=length, sha256=sha256)
