"""Messages to bytes and back, within limits. A payload whose first byte is 0x78 is deflated JSON."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from gateway.wire import limits
from gateway.wire.errors import Malformed, TooLarge
from gateway.wire.messages import Batch, GapBody, Kind, Message, Record

M = TypeVar("M", bound=Message)

_DEFLATED = 0x78
_encoder = msgspec.json.Encoder()
_record_decoder = msgspec.json.Decoder(Record)


def encode(message: Message) -> bytes:
    """JSON, deflated where it is large."""
    text = _encoder.encode(message)
    return zlib.compress(text) if len(text) >= limits.DEFLATE_FROM_BYTES else text


def decode(payload: bytes, kind: type[M]) -> M:
    """Raises TooLarge or Malformed, nothing else, whatever the bytes."""
    return _parse(inflate(payload), kind)


def inflate(payload: bytes) -> bytes:
    """The JSON text of a payload, its size bounded before anything is parsed."""
    if len(payload) > limits.PAYLOAD_BYTES:
        raise TooLarge(f"payload of {len(payload)} bytes, {limits.PAYLOAD_BYTES} are allowed")
    if not payload or payload[0] != _DEFLATED:
        return payload
    machine = zlib.decompressobj()
    try:
        text = machine.decompress(payload, limits.INFLATED_BYTES)
    except zlib.error as error:
        raise Malformed(f"deflated payload does not inflate: {error}") from None
    if machine.unconsumed_tail:
        raise TooLarge(f"payload inflates to more than {limits.INFLATED_BYTES} bytes")
    if not machine.eof or machine.unused_data:
        raise Malformed("deflated payload is cut short or has bytes behind its end")
    return text


def encode_body(body: Message) -> msgspec.Raw:
    """A record's body; never deflated, since it stands inside the record."""
    return msgspec.Raw(_encoder.encode(body))


def encode_record(record: Record) -> bytes:
    """The frozen bytes of a record, as the outbox keeps them. Raises TooLarge."""
    text = _encoder.encode(record)
    if len(text) > limits.RECORD_BYTES:
        raise TooLarge(f"record of {len(text)} bytes, {limits.RECORD_BYTES} are allowed")
    return text


def decode_record(raw: bytes) -> Record:
    """One record of a batch. Raises TooLarge or Malformed."""
    if len(raw) > limits.RECORD_BYTES:
        raise TooLarge(f"record of {len(raw)} bytes, {limits.RECORD_BYTES} are allowed")
    return _guarded(raw, _record_decoder)


def decode_body(record: Record, kind: type[M]) -> M:
    """The body of a record as what its kind says. Raises Malformed."""
    return _parse(bytes(record.body), kind)


def digest(raw: bytes) -> bytes:
    """What tells two records of one name apart (S16): 16 bytes of SHA-256 over the frozen bytes."""
    return hashlib.sha256(raw).digest()[:16]


def numbered(batch: Batch) -> Iterator[tuple[int, int, bytes]]:
    """(first number, last number, raw bytes) of each record; the two differ for a gap only.

    A gap record that does not begin at its own number, or ends before it, covers that number alone.
    """
    number = batch.first
    for raw in batch.records:
        last = _last_number(number, bytes(raw))
        yield number, last, bytes(raw)
        number = last + 1


def _last_number(number: int, raw: bytes) -> int:
    if b'"gap"' not in raw:
        return number
    try:
        record = decode_record(raw)
        if record.kind != Kind.GAP:
            return number
        gap = decode_body(record, GapBody)
    except (Malformed, TooLarge):
        return number
    return gap.last if gap.first == number and gap.last >= number else number


def _parse(text: bytes, kind: type[M]) -> M:
    return _guarded(text, msgspec.json.Decoder(kind))


def _guarded(text: bytes, decoder: msgspec.json.Decoder[M]) -> M:
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(str(error)[:200]) from None
