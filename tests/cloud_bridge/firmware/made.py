"""A real repository of firmware, and what somebody could do to it who holds some of its keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile, Snapshot

from cloud_bridge.firmware.release import Wish
from cloud_bridge.runtime.firmware import changing, signing
from cloud_bridge.runtime.firmware.keys import load_key, no_passphrase
from cloud_bridge.runtime.firmware.repository import Repository
from gateway.wire.firmware import Facts

IMAGE = bytes(range(256)) * 200
PATH = "18/a.enc"
WISH = Wish(hardware_ids=("18",), version="15.6", from_versions=("15.0..15.5",), output=("off",), name="a.enc")


def new_repository(folder: Path, *hardware_ids: str) -> Repository:
    changing.init(folder, hardware_ids or ("18", "21"), None)
    return Repository.at(folder)


def key(repository: Repository, name: str) -> CryptoSigner:
    """By its file below `keys/offline`."""
    return load_key(repository.folder / "keys" / "offline" / f"{name}.pem", no_passphrase)


def sign(repository: Repository, role: str, *names: str) -> None:
    for name in names:
        signing.sign(repository, role, key(repository, name))


def release(repository: Repository, wish: Wish = WISH, content: bytes = IMAGE) -> Facts:
    """Added, signed by as many as it takes, published."""
    facts = changing.add(repository, content, wish)
    if wish.reissues:
        sign(repository, "reissue", "reissue-1", "reissue-2")
    else:
        sign(repository, wish.hardware_ids[0], wish.hardware_ids[0])
    signing.publish(repository)
    return facts


def forged(
    repository: Repository, role: str, change: Callable[[Any], None], signers: Sequence[CryptoSigner]
) -> dict[str, bytes]:
    """What a server could offer whose online keys are stolen: another version of a role, under these signatures."""
    metadata = repository.published(role)
    assert metadata is not None
    metadata.signatures.clear()
    metadata.signed.version += 1
    change(metadata.signed)
    for signer in signers:
        metadata.sign(signer, append=True)
    files = repository.bundle(role)
    files[f"{metadata.signed.version}.{role}.json"] = content = metadata.to_bytes()
    meta = MetaFile.from_data(metadata.signed.version, content, ["sha256"])
    files |= _online(repository, lambda snapshot: snapshot.meta.update({f"{role}.json": meta}))
    return files


def _online(repository: Repository, change: Callable[[Snapshot], None]) -> dict[str, bytes]:
    snapshot, timestamp = repository.published("snapshot"), repository.published("timestamp")
    assert snapshot is not None
    assert timestamp is not None
    change(snapshot.signed)
    snapshot.signed.version += 1
    snapshot.sign(signing.online_signer(repository.folder, repository.root(), "snapshot"))
    content = snapshot.to_bytes()
    timestamp.signed.snapshot_meta = MetaFile.from_data(snapshot.signed.version, content, ["sha256"])
    timestamp.signed.version += 1
    timestamp.sign(signing.online_signer(repository.folder, repository.root(), "timestamp"))
    return {f"{snapshot.signed.version}.snapshot.json": content, "timestamp.json": timestamp.to_bytes()}
