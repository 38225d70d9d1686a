"""A new release: its facts from an image's bytes and what its signer says, and what speaks against adding it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from cloud_bridge.firmware.errors import BadRelease
from gateway.wire import limits
from gateway.wire.firmware import After, Before, Facts, Image, OutputMode, Recover, Transfer
from gateway.wire.firmware_facts import REISSUE, chunks_of, contradictions, is_version
from gateway.wire.firmware_versions import ordered


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the signer says of an image. `release_counter`: None for the next one. `name`: last part of the path."""

    hardware_ids: tuple[str, ...]
    version: str
    from_versions: tuple[str, ...]
    output: tuple[str, ...]
    name: str
    release_counter: int | None = None
    step_before: str | None = None
    reissues: str | None = None
    chunk: int = limits.CHUNK_BYTES
    transfer: Transfer = Transfer()
    before: Before = Before()
    after: After = After()
    recover: Recover = Recover()
    notes: str = ""
    source_sha256: str | None = None

    @property
    def path(self) -> str:
        return f"{REISSUE if self.reissues else self.hardware_ids[0]}/{self.name}"


def image_of(content: bytes, chunk: int) -> Image:
    """Size and digests. Raises BadRelease."""
    if not content:
        raise BadRelease(["the image is empty"])
    if len(content) > limits.FIRMWARE_BYTES:
        raise BadRelease([f"the image has {len(content)} bytes, {limits.FIRMWARE_BYTES} are allowed"])
    if not limits.CHUNK_LEAST <= chunk <= limits.CHUNK_MOST:
        raise BadRelease([f"chunks of {chunk} bytes: {limits.CHUNK_LEAST} to {limits.CHUNK_MOST} are allowed"])
    if (count := chunks_of(len(content), chunk)) > limits.CHUNKS:
        raise BadRelease(
            [
                f"{len(content)} bytes in chunks of {chunk} are {count} chunks, {limits.CHUNKS} are allowed: "
                f"take chunks of {_smallest_chunk(len(content))} or more"
            ]
        )
    chunks = tuple(_sha256(content[at : at + chunk]) for at in range(0, len(content), chunk))
    return Image(size=len(content), sha256=_sha256(content), chunk=chunk, chunks=chunks)


def facts_of(content: bytes, wish: Wish, releases: Mapping[str, Facts], used: Mapping[str, int], now_ms: int) -> Facts:
    """`releases`: those of the repository by path; `used`: highest counter ever used, by hardware id.

    Raises BadRelease with every mistake.
    """
    image = image_of(content, wish.chunk)
    if not wish.hardware_ids:
        raise BadRelease(["no hardware id is named"])
    last = last_counter(used, wish.hardware_ids)
    counter = wish.release_counter if wish.release_counter is not None else last + 1
    if mistakes := [*_misspelled(wish)]:
        raise BadRelease(mistakes)
    try:
        facts = msgspec.convert(
            {
                "hardware_ids": wish.hardware_ids,
                "version": wish.version,
                "release_counter": counter,
                "from_versions": [_range(text) for text in wish.from_versions],
                "step_before": wish.step_before,
                "image": msgspec.to_builtins(image),
                "transfer": msgspec.to_builtins(wish.transfer),
                "output": wish.output,
                "before": msgspec.to_builtins(wish.before),
                "after": msgspec.to_builtins(wish.after),
                "recover": msgspec.to_builtins(wish.recover),
                "reissues": wish.reissues,
                "notes": wish.notes,
                "source_sha256": wish.source_sha256,
                "issued_at": now_ms,
            },
            Facts,
        )
    except msgspec.ValidationError as error:
        raise BadRelease([str(error)]) from None
    mistakes = [
        *contradictions(facts, wish.path, image.size, image.sha256),
        *_against(facts, wish.path, releases, last),
    ]
    if mistakes:
        raise BadRelease(mistakes)
    return facts


def last_counter(used: Mapping[str, int], hardware_ids: tuple[str, ...]) -> int:
    """Highest counter that was used for any of these hardware ids; 0 if none was."""
    return max((used.get(each, 0) for each in hardware_ids), default=0)


def _against(facts: Facts, path: str, releases: Mapping[str, Facts], last: int) -> Iterator[str]:
    """What the releases that are there say against it."""
    if path in releases:
        yield f"{path} is there already: a path means the same bytes for ever; choose another name"
    same = [each for each in releases.values() if set(each.hardware_ids) & set(facts.hardware_ids)]
    if facts.release_counter <= last:
        ids = ", ".join(facts.hardware_ids)
        yield f"release counter {facts.release_counter} is not above {last}, the last of hardware id {ids}"
    if facts.reissues is None:
        newest = max((each.version for each in same), key=ordered, default=None)
        if newest is not None and ordered(facts.version) <= ordered(newest):
            yield (
                f"version {facts.version} is not above {newest}, which is there: to go back to old code, "
                "name the digest of the old image as what this reissues; two have to sign that"
            )
    elif facts.reissues not in {each.image.sha256 for each in same}:
        yield f"no release for this hardware id has an image with SHA-256 {facts.reissues}"
    for name, other in (("step before", facts.step_before), ("fallback", facts.recover.fallback)):
        if other is not None and other not in releases:
            yield f"the {name} {other} is not in the repository: add it first"


def _misspelled(wish: Wish) -> Iterator[str]:
    if not is_version(wish.version):
        yield f"version {wish.version!r}: expected numbers with dots, as 15.6"
    for text in wish.from_versions:
        if not all(map(is_version, _range(text).values())):
            yield f"from {text!r}: expected a version or two, as 15.0 or 15.0..15.5"
    for mode in wish.output:
        if mode not in list(OutputMode):
            yield f"output {mode!r}: expected {', '.join(OutputMode)}"


def _range(text: str) -> dict[str, str]:
    lowest, dots, highest = text.partition("..")
    return {"lowest": lowest, "highest": highest if dots else lowest}


def _smallest_chunk(size: int) -> int:
    """The smallest multiple of CHUNK_LEAST with which an image has few enough chunks."""
    return chunks_of(chunks_of(size, limits.CHUNKS), limits.CHUNK_LEAST) * limits.CHUNK_LEAST


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
