"""Changes to a repository of firmware: made, a hardware id more, a release more, new keys, a longer life."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Role, Root, TargetFile, Targets

from cloud_bridge.firmware import layout
from cloud_bridge.firmware.errors import BadKey, BadRelease, FirmwareError, NoRelease
from cloud_bridge.firmware.layout import ROOT, SNAPSHOT, TARGETS, TIMESTAMP, key_files, rule
from cloud_bridge.firmware.release import Wish, facts_of
from cloud_bridge.runtime.files import made_whole
from cloud_bridge.runtime.firmware import signing
from cloud_bridge.runtime.firmware.keys import keep_key, public_of
from cloud_bridge.runtime.firmware.repository import COUNTERS, Repository
from gateway.wire.firmware import Facts
from gateway.wire.firmware_facts import REISSUE, role_of
from gateway.wire.firmware_trust import FLOORS


def init(folder: Path, hardware_ids: tuple[str, ...], passphrase: bytes | None) -> None:
    """A repository with all its keys, signed and published, without a release. Raises AlreadyThere, FirmwareError.

    `passphrase`: for the keys that are carried away.
    """
    for hardware_id in hardware_ids:
        _check_hardware_id(hardware_id)
    with made_whole(folder) as making:
        repository = Repository.made(making)
        roles = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP, REISSUE, *hardware_ids)
        keys = {role: _made_keys(repository, role, passphrase) for role in roles}
        changed: dict[str, Metadata[Any]] = {ROOT: _new_root(keys)}
        changed[TARGETS] = _new_targets(keys, (REISSUE, *hardware_ids))
        changed |= {role: _fresh(Targets(), role) for role in (REISSUE, *hardware_ids)}
        for role, metadata in changed.items():
            for signer in keys[role]:
                metadata.sign(signer, append=True)
            repository.stage(role, metadata)
        signing.publish(repository)


def delegate(repository: Repository, hardware_id: str, passphrase: bytes | None) -> Path:
    """A role for one more hardware id, to be signed for by the top-level targets; its new key. Raises FirmwareError."""
    _check_hardware_id(hardware_id)
    if hardware_id in repository.delegated():
        raise FirmwareError(f"hardware id {hardware_id} has a role already")
    signer = _new_key_of(repository, hardware_id, key_files(hardware_id)[0], passphrase)
    metadata = signing.begin(repository, TARGETS)
    _delegate(metadata.signed, hardware_id, [signer])
    signing.finish(repository, TARGETS, metadata)
    empty = _fresh(Targets(), hardware_id)
    empty.sign(signer)
    repository.stage(hardware_id, empty)
    return repository.folder / "keys" / key_files(hardware_id)[0]


def add(repository: Repository, content: bytes, wish: Wish) -> Facts:
    """Stages a release, its image kept by its digest. Raises BadRelease, NoRelease, FirmwareError."""
    role = role_of(wish.path)
    if unknown := sorted(set(wish.hardware_ids) - set(repository.delegated())):
        hint = f"ridethrough firmware delegate {repository.folder} {unknown[0]}"
        raise NoRelease(f"hardware id {unknown[0]} has no role here; make one: {hint}")
    if role != REISSUE and len(wish.hardware_ids) > 1:
        raise BadRelease([f"the key of {role} signs for {role} alone: add it once for each hardware id"])
    now_ms = int(signing.now_utc().timestamp() * 1000)
    facts = facts_of(content, wish, repository.releases(), repository.counters(), now_ms)
    custom = msgspec.to_builtins(facts)
    hashes = {"sha256": facts.image.sha256}
    metadata = signing.begin(repository, role)
    metadata.signed.targets[wish.path] = TargetFile(len(content), hashes, wish.path, {"custom": custom})
    used = dict(metadata.signed.unrecognized_fields.get(COUNTERS, {}))
    used |= dict.fromkeys(facts.hardware_ids, facts.release_counter)
    metadata.signed.unrecognized_fields[COUNTERS] = used
    repository.keep_image(wish.path, facts.image.sha256, content)
    signing.finish(repository, role, metadata)
    return facts


def withdraw(repository: Repository, path: str) -> None:
    """Stages the role without this release. Its counter stays used. Raises NoRelease."""
    repository.release(path)
    metadata = signing.begin(repository, role_of(path))
    del metadata.signed.targets[path]
    signing.finish(repository, role_of(path), metadata)


def renew(repository: Repository, role: str) -> None:
    """Stages the role as it is, good for longer. Raises NoRelease, FirmwareError."""
    if not layout.is_offline(role):
        raise FirmwareError(f"{role} is renewed by the server: ridethrough firmware refresh {repository.folder}")
    signing.finish(repository, role, signing.begin(repository, role))


def set_floor(repository: Repository, hardware_id: str, counter: int) -> None:
    """Stages top-level targets with another lowest counter, which never falls. Raises FirmwareError."""
    if hardware_id not in repository.delegated() or hardware_id == REISSUE:
        raise NoRelease(f"hardware id {hardware_id} has no role here")
    metadata = signing.begin(repository, TARGETS)
    floors = dict(metadata.signed.unrecognized_fields.get(FLOORS, {}))
    if counter < (before := floors.get(hardware_id, 0)):
        raise FirmwareError(f"the floor of {hardware_id} is {before} already, and never falls")
    metadata.signed.unrecognized_fields[FLOORS] = {**floors, hardware_id: counter}
    signing.finish(repository, TARGETS, metadata)


def floors(repository: Repository) -> dict[str, int]:
    """Lowest counter that is signed for, by hardware id."""
    return msgspec.convert(repository.targets().unrecognized_fields.get(FLOORS, {}), dict[str, int])


def rotate(repository: Repository, role: str, old: str | None, passphrase: bytes | None) -> tuple[Path, list[str]]:
    """Another key for a role in place of `old` (key id or its beginning; the only one if None).

    The new key's file, and the roles that are staged and have to be signed. Raises BadKey, NoRelease, FirmwareError.
    """
    by = layout.delegator(role)
    if by == TARGETS and role not in repository.delegated():
        raise NoRelease(f"no role {role!r}; there are {', '.join(repository.offline_roles())}, snapshot, timestamp")
    metadata = signing.begin(repository, by)
    gone = _named_key(metadata.signed.get_delegated_role(role).keyids, role, old)
    key = Ed25519PrivateKey.generate()
    # By its id: the files of the others may have been carried away already.
    file = f"{'online' if rule(role).online else 'offline'}/{role}-{public_of(key).keyid[:8]}.pem"
    signer = _kept(repository, role, file, key, None if rule(role).online else passphrase)
    metadata.signed.revoke_key(gone, role)
    metadata.signed.add_key(signer.public_key, role)
    signing.finish(repository, by, metadata)
    staged = [by]
    if role not in (ROOT, SNAPSHOT, TIMESTAMP):
        signing.finish(repository, role, signing.begin(repository, role))
        staged.append(role)
    return repository.folder / "keys" / file, staged


def _named_key(known: list[str], role: str, old: str | None) -> str:
    found = [key for key in known if old is None or key.startswith(old)]
    if len(found) != 1:
        shown = ", ".join(key[:16] for key in known)
        raise BadKey(f"{role}: name the one key that goes, of {shown}")
    return found[0]


def _check_hardware_id(text: str) -> None:
    if problem := layout.hardware_id_problem(text):
        raise BadRelease([problem])


def _made_keys(repository: Repository, role: str, passphrase: bytes | None) -> list[CryptoSigner]:
    secret = None if rule(role).online else passphrase
    return [_new_key_of(repository, role, file, secret) for file in key_files(role)]


def _new_key_of(repository: Repository, role: str, file: str, passphrase: bytes | None) -> CryptoSigner:
    return _kept(repository, role, file, Ed25519PrivateKey.generate(), passphrase)


def _kept(
    repository: Repository, role: str, file: str, key: Ed25519PrivateKey, passphrase: bytes | None
) -> CryptoSigner:
    path = repository.folder / "keys" / file
    try:
        return keep_key(path, key, passphrase)
    except OSError as error:
        raise BadKey(f"{path}: the key of {role} can't be made: {error.strerror}") from None


def _new_root(keys: dict[str, list[CryptoSigner]]) -> Metadata[Root]:
    root = Root(roles={role: Role([], rule(role).threshold) for role in (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)})
    for role in root.roles:
        for signer in keys[role]:
            root.add_key(signer.public_key, role)
    return _fresh(root, ROOT)


def _new_targets(keys: dict[str, list[CryptoSigner]], roles: tuple[str, ...]) -> Metadata[Targets]:
    targets = Targets(delegations=Delegations({}, {}))
    for role in roles:
        _delegate(targets, role, keys[role])
    return _fresh(targets, TARGETS)


def _delegate(targets: Targets, role: str, signers: list[CryptoSigner]) -> None:
    """Terminating: nobody else is asked about this role's paths."""
    assert targets.delegations is not None
    assert targets.delegations.roles is not None
    delegated = DelegatedRole(role, [], rule(role).threshold, terminating=True, paths=[f"{role}/*"])
    targets.delegations.roles[role] = delegated
    for signer in signers:
        targets.add_key(signer.public_key, role)


def _fresh(signed: Any, role: str) -> Metadata[Any]:
    signed.expires = signing.now_utc() + rule(role).life
    return Metadata(signed)
