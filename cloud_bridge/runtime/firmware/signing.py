"""From a change to what gateways see: staged, signed by as many as the role asks for, published by the online keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from cloud_bridge.firmware.errors import BadKey, FirmwareError, NoRelease, NotSigned
from cloud_bridge.firmware.layout import ROOT, SNAPSHOT, TARGETS, TIMESTAMP, delegator, rule
from cloud_bridge.firmware.wording import changes
from cloud_bridge.runtime.firmware.keys import load_key, no_passphrase
from cloud_bridge.runtime.firmware.repository import Repository
from gateway.wire.errors import Malformed
from gateway.wire.firmware_facts import read_facts
from gateway.wire.firmware_trust import FILE_BYTES, ROLE_BYTES, trusted_role
from gateway.wire.firmware_verified import NotTrusted


class Signed(msgspec.Struct, frozen=True):
    """How many of the role's keys signed the staged version, and how many have to."""

    role: str
    version: int
    have: int
    want: int

    @property
    def complete(self) -> bool:
        return self.have >= self.want


def keyids(repository: Repository, role: str) -> list[str]:
    """Of the keys that sign for it from the next publication on. Raises NotARepository."""
    by: Root | Targets = repository.root() if delegator(role) == ROOT else repository.targets()
    return list(by.get_delegated_role(role).keyids)


def changes_of(repository: Repository, role: str) -> list[str]:
    """What a signature on the staged version would put into force."""
    staged, published = repository.staged(role), repository.published(role)
    if staged is None:
        return []
    releases = repository.releases(role) if role in repository.delegated() else {}
    return changes(published.signed.to_dict() if published else {}, staged.signed.to_dict(), releases)


def now_utc() -> datetime:
    return datetime.now(UTC)


def begin(repository: Repository, role: str) -> Metadata[Any]:
    """The role's next version to change, without signatures: the one that is staged, or one after the published."""
    metadata = repository.newest(role)
    metadata.signatures.clear()
    metadata.signed.version = repository.version(role) + 1
    metadata.signed.expires = now_utc() + rule(role).life
    return metadata


def finish(repository: Repository, role: str, metadata: Metadata[Any]) -> None:
    """Stages what was changed. Raises FirmwareError if no gateway would take so large a file."""
    most = FILE_BYTES.get(role, ROLE_BYTES)
    if (size := len(metadata.to_bytes())) > most:
        raise FirmwareError(f"{role}.json would have {size} bytes, {most} are allowed: take larger chunks")
    repository.stage(role, metadata)


def sign(repository: Repository, role: str, signer: CryptoSigner) -> Signed:
    """Adds a signature to the staged version. Raises NoRelease if there is none, BadKey if another role's key signs."""
    metadata = repository.staged(role)
    if metadata is None:
        repository.newest(role)
        raise NoRelease(
            f"{role}: nothing waits to be signed; the published version {repository.version(role)} is complete"
        )
    if signer.public_key.keyid not in _keyids(repository, role):
        keys = ", ".join(key[:16] for key in keyids(repository, role))
        raise BadKey(f"key {signer.public_key.keyid[:16]} does not sign for {role}; its keys are {keys}")
    metadata.sign(signer, append=True)
    repository.stage(role, metadata)
    return signatures(repository, role, metadata)


def signatures(repository: Repository, role: str, metadata: Metadata[Any]) -> Signed:
    """Of a root: by the old root's keys or its own, whichever lack more."""
    version = metadata.signed.version
    results = []
    for by in _delegators(repository, role, metadata):
        result = by.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
        results.append(Signed(role, version, len(result.signed), result.threshold))
    return min(results, key=lambda each: each.have - each.want)


def pending(repository: Repository) -> list[Signed]:
    """Every staged version, with its signatures."""
    staged = [(role, repository.staged(role)) for role in repository.offline_roles()]
    return [signatures(repository, role, metadata) for role, metadata in staged if metadata]


def publish(repository: Repository) -> list[str]:
    """Everything staged, by a new snapshot and timestamp; the roles that changed. Raises NotSigned, FirmwareError.

    Nothing is altered unless a gateway that knows the first root alone would trust all of it.
    """
    lacking = [each for each in _to_be_published(repository) if not each.complete]
    if lacking:
        raise NotSigned(repository.folder, [(each.role, each.have, each.want) for each in lacking])
    staged = {role: metadata for role in repository.offline_roles() if (metadata := repository.staged(role))}
    _online(repository, staged)
    for role in staged:
        repository.unstage(role)
    return list(staged)


def refresh(repository: Repository) -> datetime:
    """Snapshot and timestamp anew, before they expire; until when they are good. What is staged stays so."""
    _online(repository, {})
    published = repository.published(TIMESTAMP)
    assert published is not None
    expires: datetime = published.signed.expires
    return expires


def _to_be_published(repository: Repository) -> Iterator[Signed]:
    """Each offline role as it will be, for the keys of another may have changed."""
    for role in repository.offline_roles():
        yield signatures(repository, role, repository.newest(role))


def _keyids(repository: Repository, role: str) -> set[str]:
    metadata = repository.newest(role)
    return {key for by in _delegators(repository, role, metadata) for key in by.get_delegated_role(role).keyids}


def _delegators(repository: Repository, role: str, metadata: Metadata[Any]) -> list[Root | Targets]:
    if role != ROOT:
        return [repository.root() if delegator(role) == ROOT else repository.targets()]
    published = repository.published(ROOT)
    return [metadata.signed, *([published.signed] if published else [])]


def _online(repository: Repository, staged: Mapping[str, Metadata[Any]]) -> None:
    """Writes the staged roles, a snapshot that names them, and last of all the timestamp that makes them count."""
    files = {f"{metadata.signed.version}.{role}.json": metadata.to_bytes() for role, metadata in staged.items()}
    root = staged[ROOT].signed if ROOT in staged else _published_root(repository)
    snapshot = repository.published(SNAPSHOT) or Metadata(Snapshot(meta={}))
    for role, metadata in staged.items():
        if role != ROOT:
            content = files[f"{metadata.signed.version}.{role}.json"]
            snapshot.signed.meta[f"{role}.json"] = MetaFile.from_data(metadata.signed.version, content, ["sha256"])
    snapshot_bytes = _renewed(repository, root, SNAPSHOT, snapshot)
    files[f"{snapshot.signed.version}.snapshot.json"] = snapshot_bytes
    timestamp = repository.published(TIMESTAMP) or Metadata(Timestamp())
    timestamp.signed.snapshot_meta = MetaFile.from_data(snapshot.signed.version, snapshot_bytes, ["sha256"])
    files["timestamp.json"] = _renewed(repository, root, TIMESTAMP, timestamp)
    _try_out(repository, files, [name.removesuffix(".json") for name in snapshot.signed.meta])
    for name, content in files.items():
        repository.publish_file(name, content)


def _published_root(repository: Repository) -> Root:
    published = repository.published(ROOT)
    assert published is not None
    signed = published.signed
    assert isinstance(signed, Root)
    return signed


def _renewed(repository: Repository, root: Root, role: str, metadata: Metadata[Any]) -> bytes:
    metadata.signed.version = repository.version(role) + 1
    metadata.signed.expires = now_utc() + rule(role).life
    metadata.sign(online_signer(repository.folder, root, role))
    return metadata.to_bytes()


def online_signer(folder: Path, root: Root, role: str) -> CryptoSigner:
    """The role's key among those of the server. Raises BadKey."""
    online = folder / "keys" / "online"
    for path in sorted(online.glob("*.pem")):
        signer = load_key(path, no_passphrase)
        if signer.public_key.keyid in root.roles[role].keyids:
            return signer
    raise BadKey(f"{online}: no key of {role} is here")


def _try_out(repository: Repository, new: Mapping[str, bytes], roles: list[str]) -> None:
    """Raises FirmwareError if a gateway would refuse any of it."""
    first = new.get("1.root.json") or repository.file("1.root.json")
    judged_at = int(now_utc().timestamp() * 1000)
    roots = [f"{number}.root.json" for number in range(1, repository.version(ROOT) + 1)]
    snapshot = Metadata[Snapshot].from_bytes(
        next(data for name, data in new.items() if name.endswith(".snapshot.json"))
    )
    try:
        for role in roles:
            if role == TARGETS:
                continue
            names = [
                *roots,
                *(f"{snapshot.signed.meta[f'{each}.json'].version}.{each}.json" for each in (TARGETS, role)),
            ]
            offered = {name: repository.file(name) for name in names if name not in new}
            needed = {name: data for name, data in new.items() if _is_needed(name, role)}
            signed = trusted_role(first, {**offered, **needed}, role, judged_at)
            for path, target in signed.targets.items():
                read_facts(target.custom, path, target.length, target.hashes.get("sha256", ""))
    except (NotTrusted, Malformed) as error:
        raise FirmwareError(f"nothing was published, for a gateway would refuse it: {error.what}") from None


def _is_needed(name: str, role: str) -> bool:
    return name.removesuffix(".json").split(".")[-1] in (ROOT, TIMESTAMP, SNAPSHOT, TARGETS, role)
