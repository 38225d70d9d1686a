"""A repository of firmware on disk.

metadata/   what is published: N.ROLE.json and timestamp.json, as a TUF client names them; never altered, only added
staged/     ROLE.json: next versions that collect signatures
targets/    HARDWARE_ID/SHA256.NAME: images by their digest (consistent snapshots)
keys/       offline/ to be carried away, online/ for the server
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization import DeserializationError

from cloud_bridge.firmware.errors import NoRelease, NotARepository
from cloud_bridge.firmware.layout import ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from cloud_bridge.runtime.files import new_folder, replace, write_new
from gateway.wire.errors import Malformed
from gateway.wire.firmware import Facts
from gateway.wire.firmware_facts import read_facts, role_of

COUNTERS = "last_counters"
"""Field of a role: the highest release counter that it ever signed, by hardware id."""

FOLDERS = ("metadata", "staged", "targets", "keys", "keys/offline", "keys/online")


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._metadata = folder / "metadata"
        self._staged = folder / "staged"

    @classmethod
    def at(cls, folder: Path) -> Repository:
        """Raises NotARepository."""
        if not (folder / "metadata" / "1.root.json").is_file():
            raise NotARepository(f"{folder}: no firmware repository; make one: ridethrough firmware init {folder}")
        return cls(folder)

    @classmethod
    def made(cls, folder: Path) -> Repository:
        """An empty one, in a folder that is there and empty."""
        for name in FOLDERS:
            new_folder(folder / name)
        return cls(folder)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else changes it meanwhile."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def version(self, role: str) -> int:
        """Of what is published; 0 if nothing is. Raises NotARepository."""
        if role == ROOT:
            numbers = [int(path.name.split(".")[0]) for path in self._metadata.glob("*.root.json")]
            return max(numbers, default=0)
        if role == TIMESTAMP:
            published = self._loaded(self._metadata / "timestamp.json")
            return published.signed.version if published else 0
        if role == SNAPSHOT:
            timestamp = self._loaded(self._metadata / "timestamp.json")
            return timestamp.signed.snapshot_meta.version if timestamp else 0
        snapshot = self.published(SNAPSHOT)
        meta = snapshot.signed.meta.get(f"{role}.json") if snapshot else None
        return meta.version if meta else 0

    def published(self, role: str) -> Metadata[Any] | None:
        """Raises NotARepository if it is damaged or missing though others name it."""
        if role == TIMESTAMP:
            return self._loaded(self._metadata / "timestamp.json")
        version = self.version(role)
        if not version:
            return None
        path = self._metadata / f"{version}.{role}.json"
        found = self._loaded(path)
        if found is None:
            raise NotARepository(f"{path} is missing")
        return found

    def staged(self, role: str) -> Metadata[Any] | None:
        """The version after the published one, if somebody began it. Raises NotARepository."""
        found = self._loaded(self._staged / f"{role}.json")
        return found if found and found.signed.version > self.version(role) else None

    def newest(self, role: str) -> Metadata[Any]:
        """Raises NoRelease if there is no such role, NotARepository."""
        found = self.staged(role) or self.published(role)
        if found is None:
            raise NoRelease(f"{self.folder}: no role {role!r}; there are {', '.join(self.offline_roles())}")
        return found

    def root(self) -> Root:
        signed = self.newest(ROOT).signed
        assert isinstance(signed, Root)
        return signed

    def targets(self, role: str = TARGETS) -> Targets:
        signed = self.newest(role).signed
        if not isinstance(signed, Targets):
            raise NoRelease(f"{role} holds no releases")
        return signed

    def delegated(self) -> list[str]:
        delegations = self.targets().delegations
        return list(delegations.roles) if delegations and delegations.roles else []

    def offline_roles(self) -> list[str]:
        return [ROOT, TARGETS, *self.delegated()]

    def releases(self, role: str | None = None) -> dict[str, Facts]:
        """Of one role or of all, staged ones too. Raises NotARepository."""
        found: dict[str, Facts] = {}
        for name in [role] if role else self.delegated():
            for path, target in self.targets(name).targets.items():
                try:
                    found[path] = read_facts(target.custom, path, target.length, target.hashes.get("sha256", ""))
                except Malformed as error:
                    raise NotARepository(f"{self.folder}: {error.what}") from None
        return found

    def published_paths(self) -> set[str]:
        """Of the releases that are in force."""
        published = [self.published(role) for role in self.delegated()]
        return {path for metadata in published if metadata for path in metadata.signed.targets}

    def counters(self) -> dict[str, int]:
        """Highest release counter that was ever used, by hardware id; what was withdrawn counts too."""
        used: dict[str, int] = {}
        for role in self.delegated():
            for hardware_id, counter in msgspec.convert(
                self.targets(role).unrecognized_fields.get(COUNTERS, {}), dict[str, int]
            ).items():
                used[hardware_id] = max(counter, used.get(hardware_id, 0))
        return used

    def release(self, path: str) -> Facts:
        """Raises NoRelease."""
        role = role_of(path)
        found = self.releases(role).get(path) if role in self.delegated() else None
        if found is None:
            raise NoRelease(f"no release {path!r}; see: ridethrough firmware list {self.folder}")
        return found

    def stage(self, role: str, metadata: Metadata[Any]) -> None:
        replace(self._staged / f"{role}.json", metadata.to_bytes())

    def unstage(self, role: str) -> None:
        (self._staged / f"{role}.json").unlink(missing_ok=True)

    def publish_file(self, name: str, content: bytes) -> None:
        """On disk when it returns; a reader sees the old one or the new."""
        replace(self._metadata / name, content)

    def file(self, name: str) -> bytes:
        """Raises NotARepository."""
        try:
            return (self._metadata / name).read_bytes()
        except OSError as error:
            raise NotARepository(f"{self._metadata / name}: can't be read: {error.strerror}") from None

    def bundle(self, role: str) -> dict[str, bytes]:
        """The published metadata that a gateway needs for what this role signs, by file name. Raises NotARepository."""
        versions = {name: self.version(name) for name in (SNAPSHOT, TARGETS, role)}
        names = [f"{number}.root.json" for number in range(1, self.version(ROOT) + 1)]
        names += [f"{version}.{name}.json" for name, version in versions.items() if version]
        return {name: self.file(name) for name in (*names, "timestamp.json")}

    def image_path(self, path: str, sha256: str) -> Path:
        folder, _, name = path.partition("/")
        return self.folder / "targets" / folder / f"{sha256}.{name}"

    def keep_image(self, path: str, sha256: str, content: bytes) -> None:
        """One that is there with the same bytes, as after a stop half way, is left."""
        file = self.image_path(path, sha256)
        new_folder(file.parent)
        if not (file.exists() and file.read_bytes() == content):
            file.unlink(missing_ok=True)
            write_new(file, content)

    def _loaded(self, path: Path) -> Metadata[Any] | None:
        try:
            return Metadata[Any].from_bytes(path.read_bytes())
        except FileNotFoundError:
            return None
        except (DeserializationError, RepositoryError) as error:
            raise NotARepository(f"{path} is damaged: {error}") from None
        except OSError as error:
            raise NotARepository(f"{path}: can't be read: {error.strerror}") from None
