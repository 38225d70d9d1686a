"""What a release may say of itself: read strictly from the `custom` part of its target, and free of contradictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from gateway.wire.errors import Malformed
from gateway.wire.firmware import Facts, TargetPath, VersionText
from gateway.wire.firmware_versions import ordered

REISSUE = "reissue"
"""Role, and first part of the path, of old code under a new counter; no hardware id bears this name."""


def role_of(path: str) -> str:
    """Who signs for a target: its path's first part, which is a hardware id or REISSUE."""
    return path.partition("/")[0]


def chunks_of(size: int, chunk: int) -> int:
    """How many chunks an image of `size` bytes has."""
    return -(-size // chunk)


def read_facts(custom: object, path: str, size: int, sha256: str) -> Facts:
    """The facts of a target of this path, length and digest. Raises Malformed.

    What this version does not know is refused: whoever signed it meant something by it.
    """
    try:
        facts = msgspec.convert(custom, Facts)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Malformed(f"facts of {path[:140]!r}: {str(error)[:200]}") from None
    if unknown := sorted(_unknown(custom, facts)):
        raise Malformed(f"facts of {path[:140]!r}: this version does not know what {unknown[0][:40]!r} means")
    if wrong := contradictions(facts, path, size, sha256):
        raise Malformed(f"facts of {path[:140]!r}: {'; '.join(wrong)[:500]}")
    return facts


def contradictions(facts: Facts, path: str, size: int, sha256: str) -> list[str]:
    """Everything about the facts that can't be right for a target of this path, length and digest."""
    found = [*_of_the_path(facts, path), *_of_the_image(facts, size, sha256), *_of_the_versions(facts)]
    for name, values in (("hardware id", facts.hardware_ids), ("output mode", facts.output)):
        if len(set(values)) != len(values):
            found.append(f"a {name} is named twice")
    return found


def within(version: str, lowest: str, highest: str) -> bool:
    """Both ends are in it. Raises ValueError."""
    return ordered(lowest) <= ordered(version) <= ordered(highest)


def _of_the_path(facts: Facts, path: str) -> Iterator[str]:
    if not _is_path(path):
        yield "the path is no HARDWARE_ID/FILE of letters, digits, dots, underscores and hyphens"
    role = role_of(path)
    if REISSUE in facts.hardware_ids:
        yield f"{REISSUE!r} is no hardware id"
    if role != REISSUE and facts.hardware_ids != (role,):
        yield f"it is for hardware id {', '.join(facts.hardware_ids)}, but the role of its path signs for {role} alone"
    if (role == REISSUE) != (facts.reissues is not None):
        yield f"a release that says what it reissues lies under {REISSUE}/, and no other does"
    for name, other in (("step before", facts.step_before), ("fallback", facts.recover.fallback)):
        if other is None:
            continue
        if other == path:
            yield f"the {name} is the release itself"
        if role_of(other) not in (*facts.hardware_ids, REISSUE):
            yield f"the {name} {other} is for another hardware id"


def _of_the_image(facts: Facts, size: int, sha256: str) -> Iterator[str]:
    image = facts.image
    if image.size != size:
        yield f"they are of an image of {image.size} bytes, the target has {size}"
    if image.sha256 != sha256:
        yield f"they are of an image with SHA-256 {image.sha256}, the target has {sha256}"
    if len(image.chunks) != (wanted := chunks_of(image.size, image.chunk)):
        yield f"{len(image.chunks)} digests of chunks, {image.size} bytes in chunks of {image.chunk} have {wanted}"


def _of_the_versions(facts: Facts) -> Iterator[str]:
    for each in facts.from_versions:
        if ordered(each.lowest) > ordered(each.highest):
            yield f"from-versions {each.lowest} to {each.highest} hold nothing: the lower one comes first"
        elif facts.reissues is None and ordered(each.highest) > ordered(facts.version):
            yield f"it may be put on {each.highest}, which is above {facts.version}: only a reissue goes back"


def _is_path(path: str) -> bool:
    try:
        msgspec.convert(path, TargetPath)
    except msgspec.ValidationError:
        return False
    return True


def is_version(text: str) -> bool:
    """Whether it is a version without its family's prefix, as `15.5`."""
    try:
        msgspec.convert(text, VersionText)
    except msgspec.ValidationError:
        return False
    return True


def _unknown(tree: object, value: object) -> Iterator[str]:
    """Keys of the tree that the message made of it has no field for."""
    if isinstance(value, msgspec.Struct) and isinstance(tree, Mapping):
        known = {field.encode_name: getattr(value, field.name) for field in msgspec.structs.fields(value)}
        yield from (str(key) for key in tree if key not in known)
        for name, inner in known.items():
            yield from _unknown(tree.get(name), inner)
    elif isinstance(value, tuple) and isinstance(tree, Sequence):
        for branch, inner in zip(tree, value, strict=True):
            yield from _unknown(branch, inner)
