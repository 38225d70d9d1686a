"""A repository of firmware looked at as a gateway would, from a pinned root alone; and why a unit would refuse."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from tuf.api.metadata import Targets

from cloud_bridge.firmware.errors import NotARepository
from cloud_bridge.firmware.layout import RENEW_BEFORE, SNAPSHOT, TARGETS, TIMESTAMP, is_offline
from cloud_bridge.runtime.firmware import signing
from cloud_bridge.runtime.firmware.repository import Repository
from gateway.wire.errors import Malformed
from gateway.wire.firmware import Facts
from gateway.wire.firmware_facts import read_facts
from gateway.wire.firmware_trust import trusted_role
from gateway.wire.firmware_verified import NotTrusted


class Finding(msgspec.Struct, frozen=True):
    """`what`: a role or a release. `problem`: empty if it is right. `serious`: a gateway would refuse it."""

    what: str
    problem: str = ""
    serious: bool = True


class RoleState(msgspec.Struct, frozen=True):
    """`version`: published, 0 if none is. `pending`: signatures of what is staged, if anything."""

    role: str
    version: int
    expires_at: datetime | None
    keys: tuple[str, ...]
    pending: signing.Signed | None = None


def verify(repository: Repository, root: bytes | None, now: datetime) -> list[Finding]:
    """Every published role and release; `root`: the pinned one, the repository's first if None."""
    pinned = root if root is not None else repository.file("1.root.json")
    published = repository.published(TARGETS)
    delegations = published.signed.delegations if published else None
    findings = [*_ending(repository, now)]
    for role in delegations.roles if delegations else ():
        findings += _role(repository, pinned, role, now)
    return findings


def roles(repository: Repository) -> list[RoleState]:
    pending = {each.role: each for each in signing.pending(repository)}
    found = []
    for role in (*repository.offline_roles(), SNAPSHOT, TIMESTAMP):
        published = repository.published(role)
        expires_at = published.signed.expires if published else None
        keys = tuple(signing.keyids(repository, role))
        found.append(RoleState(role, repository.version(role), expires_at, keys, pending.get(role)))
    return found


def _ending(repository: Repository, now: datetime) -> Iterator[Finding]:
    """Offline roles that have to be renewed soon."""
    for state in roles(repository):
        if state.expires_at and is_offline(state.role) and now < state.expires_at < now + RENEW_BEFORE:
            problem = f"is good until {state.expires_at:%Y-%m-%d} only: ridethrough firmware renew DIR {state.role}"
            yield Finding(state.role, problem, serious=False)


def _role(repository: Repository, root: bytes, role: str, now: datetime) -> Iterator[Finding]:
    try:
        signed = trusted_role(root, repository.bundle(role), role, int(now.timestamp() * 1000))
    except (NotTrusted, NotARepository) as error:
        yield Finding(role, str(error))
        return
    yield Finding(role)
    yield from _releases(repository, signed)


def _releases(repository: Repository, signed: Targets) -> Iterator[Finding]:
    for path, target in signed.targets.items():
        try:
            facts = read_facts(target.custom, path, target.length, target.hashes.get("sha256", ""))
        except Malformed as error:
            yield Finding(path, error.what)
        else:
            yield Finding(path, image_problem(repository.image_path(path, facts.image.sha256), facts) or "")


def image_problem(file: Path, facts: Facts) -> str | None:
    """What is wrong with the image on disk."""
    try:
        content = file.read_bytes()
    except OSError as error:
        return f"{file}: can't be read: {error.strerror}"
    image = facts.image
    if len(content) != image.size:
        return f"{file}: {len(content)} bytes, {image.size} are signed"
    for index, digest in enumerate(image.chunks):
        if hashlib.sha256(content[index * image.chunk : (index + 1) * image.chunk]).hexdigest() != digest:
            return f"{file}: chunk {index}, from byte {index * image.chunk}, is not as it is signed"
    if hashlib.sha256(content).hexdigest() != image.sha256:
        return f"{file}: SHA-256 is not {image.sha256}"
    return None
