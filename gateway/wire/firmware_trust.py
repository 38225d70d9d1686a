"""From metadata files to a release that is trusted (TUF specification 1.0.31, section 5.3), by python-tuf's own rules.

Bytes in, trust out: files and clocks are the caller's. Imports tuf, so a gateway loads it in a short-lived child alone.
What was trusted before is loaded first, so that no version goes back; what is offered comes on top of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
from tuf.api import exceptions
from tuf.api.metadata import Targets
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from gateway.wire import limits
from gateway.wire.errors import Malformed
from gateway.wire.firmware import Facts
from gateway.wire.firmware_facts import REISSUE, read_facts, role_of
from gateway.wire.firmware_verified import Distrust, NotTrusted, Verified

BUILT_AT = 1_795_478_400_000
"""2026-11-24, UTC milliseconds: no clock that is right says less to this program."""

FLOORS = "counter_floors"
"""Field of the top-level targets: lowest release counter by hardware id."""

REISSUE_THRESHOLD = 2

FILE_BYTES: Mapping[str, int] = {
    "root": limits.ROOT_METADATA_LENGTH,
    "timestamp": 4 * 1024,
    "snapshot": 64 * 1024,
    "targets": 128 * 1024,
}
ROLE_BYTES = 512 * 1024
"""Of a hardware id's role: 15 images of CHUNKS chunks, 200 of a MiB in chunks of CHUNK_BYTES."""

FILES = 64
"""Most files that are offered at once."""

_NAME = re.compile(r"(?:[1-9][0-9]{0,8}\.)?(?P<role>[a-z0-9-]{1,32})\.json\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_REASONS: tuple[tuple[type[exceptions.RepositoryError], Distrust], ...] = (
    (exceptions.ExpiredMetadataError, Distrust.EXPIRED),
    (exceptions.BadVersionNumberError, Distrust.VERSION),
    (exceptions.UnsignedMetadataError, Distrust.SIGNATURE),
    (exceptions.LengthOrHashMismatchError, Distrust.DIGEST),
    (exceptions.RepositoryError, Distrust.MALFORMED),
)

_OUTDATED = (
    exceptions.ExpiredMetadataError,
    exceptions.BadVersionNumberError,
    exceptions.LengthOrHashMismatchError,
)

Files = Mapping[str, bytes]


class Reading(msgspec.Struct, frozen=True):
    """A look at the clock: UTC milliseconds, and whether NTP or PTP keeps it right."""

    at: int
    synchronised: bool


class Outcome(msgspec.Struct, frozen=True):
    """`keep`: the files to trust from now on, in place of those that were given as `stored`."""

    verified: Verified
    keep: dict[str, bytes]


class Target(msgspec.Struct, frozen=True):
    path: str
    sha256: str


def check_offered(offered: Files) -> None:
    """Raises NotTrusted if a file has no name of ours, is empty, too large or no strict JSON."""
    if len(offered) > FILES:
        raise NotTrusted(Distrust.TOO_LARGE, f"{len(offered)} files, {FILES} are allowed")
    for name, data in offered.items():
        match = _NAME.match(name)
        if not match:
            raise NotTrusted(Distrust.UNKNOWN_FILE, f"{name[:80]!r} is no metadata file of a firmware repository")
        most = FILE_BYTES.get(match["role"], ROLE_BYTES)
        if len(data) > most:
            raise NotTrusted(Distrust.TOO_LARGE, f"{name}: {len(data)} bytes, {most} are allowed")
        _strict(name, data, Distrust.MALFORMED)


def verify(root: bytes, stored: Files, offered: Files, target: Target, clock: Reading) -> Outcome:
    """`root`: the pinned one. Raises NotTrusted, nothing else.

    Expiry counts by the clock only if it can be right; otherwise by the newest time that is known to have passed, which
    is not remembered: a date far ahead, once withdrawn, holds up nothing any more.
    """
    check_offered(offered)
    for name, data in stored.items():
        _strict(name, data, Distrust.STORE)
    trusted = clock.synchronised and clock.at >= BUILT_AT
    judged_at = clock.at if trusted else BUILT_AT
    walk = _Walk(root, stored, offered, judged_at)
    role = walk.role(target.path)
    if (newest := _newest_issue(role)) > judged_at:
        trusted, judged_at = False, newest
        walk = _Walk(root, stored, offered, judged_at)
        role = walk.role(target.path)
    facts = _facts(role, target)
    verified = Verified(
        path=target.path,
        facts=facts,
        versions=walk.versions(target.path),
        floors=_floors(walk.trust.targets),
        clock_trusted=trusted,
        judged_at=judged_at,
    )
    return Outcome(verified, {**stored, **walk.keep})


def trusted_role(root: bytes, offered: Files, role: str, judged_at: int) -> Targets:
    """All that a role signs, as somebody trusts it who has nothing but the pinned root. Raises NotTrusted."""
    check_offered(offered)
    return _Walk(root, {}, offered, judged_at).role(f"{role}/all")


class _Walk:
    """One time through roots, timestamp, snapshot, targets and the role of a path."""

    def __init__(self, root: bytes, stored: Files, offered: Files, judged_at: int) -> None:
        self._stored = stored
        self._offered = offered
        self.keep: dict[str, bytes] = {}
        _strict("the pinned root", root, Distrust.ROOT)
        try:
            self.trust = TrustedMetadataSet(root, EnvelopeType.METADATA)
        except exceptions.RepositoryError as error:
            raise NotTrusted(Distrust.ROOT, f"the pinned root can't be used: {error}") from None
        self.trust.reference_time = _EPOCH + timedelta(milliseconds=judged_at)

    def role(self, path: str) -> Targets:
        """The metadata that may speak of this path. Raises NotTrusted."""
        self._roots()
        self._timestamp()
        self._snapshot()
        self._targets("targets", "root", self.trust.update_targets)
        name = role_of(path)
        self._check_delegation(path, name)
        self._targets(name, "targets", lambda data: self.trust.update_delegated_targets(data, name, "targets"))
        role = self.trust[name]
        assert isinstance(role, Targets)
        return role

    def versions(self, path: str) -> dict[str, int]:
        return {name: self.trust[name].version for name in ("root", "timestamp", "snapshot", "targets", role_of(path))}

    def _roots(self) -> None:
        while (data := self._stored.get(name := self._next_root())) is not None:
            if not self._again(name, partial(self.trust.update_root, data)):
                raise NotTrusted(Distrust.STORE, f"{name}, as it was trusted before, is damaged")
        while (data := self._offered.get(name := self._next_root())) is not None:
            self._take(name, partial(self.trust.update_root, data))
            self.keep[name] = data

    def _next_root(self) -> str:
        return f"{self.trust.root.version + 1}.root.json"

    def _keys_may_have_changed(self) -> bool:
        """Since the stored files were: a newer root came on top of the stored ones."""
        return any(name.endswith(".root.json") for name in self.keep)

    def _timestamp(self) -> None:
        stored, offered = self._stored.get("timestamp.json"), self._offered.get("timestamp.json")
        if stored is not None:
            self._again("timestamp.json", lambda: self.trust.update_timestamp(stored))
        if offered is not None:
            try:
                self._take("timestamp.json", lambda: self.trust.update_timestamp(offered))
                self.keep["timestamp.json"] = offered
            except _Same:
                pass
        elif stored is None:
            raise _missing("timestamp.json")
        if "timestamp" not in self.trust:
            raise NotTrusted(Distrust.EXPIRED, "root.json is expired, or its keys are newer than timestamp.json")
        if self.trust.timestamp.is_expired(self.trust.reference_time):
            raise NotTrusted(Distrust.EXPIRED, "timestamp.json is expired")

    def _snapshot(self) -> None:
        stored = self._stored.get("snapshot.json")
        if stored is not None and self._again(
            "snapshot.json", lambda: self.trust.update_snapshot(stored, trusted=True)
        ):
            return
        name = f"{self.trust.timestamp.snapshot_meta.version}.snapshot.json"
        data = self._needed(name)
        self._take(name, lambda: self.trust.update_snapshot(data))
        self.keep["snapshot.json"] = data

    def _targets(self, role: str, delegator: str, update: Callable[[bytes], object]) -> None:
        stored = self._stored.get(f"{role}.json")
        meta = self.trust.snapshot.meta.get(f"{role}.json")
        if meta is None:
            raise NotTrusted(Distrust.NO_SUCH_TARGET, f"the snapshot knows no {role}.json")
        if stored is not None and self._again(f"{role}.json", lambda: update(stored)):
            return
        name = f"{meta.version}.{role}.json"
        data = self._needed(name)
        self._take(name, lambda: update(data))
        self.keep[f"{role}.json"] = data

    def _check_delegation(self, path: str, name: str) -> None:
        """The first role that the top-level targets give this path to has to be the one that bears its name."""
        delegations = self.trust.targets.delegations
        given = list(delegations.get_roles_for_target(path)) if delegations else []
        if not given or given[0][0] != name:
            raise NotTrusted(Distrust.NO_SUCH_TARGET, f"{path}: the repository has no role that signs for {name}/")
        if name == REISSUE:
            role = self.trust.targets.get_delegated_role(name)
            keys = {str(self.trust.targets.get_key(keyid).keyval.get("public")) for keyid in role.keyids}
            if role.threshold < REISSUE_THRESHOLD or len(keys) < len(role.keyids):
                raise NotTrusted(Distrust.SIGNATURE, f"{name}: two different keys have to sign, this asks for less")

    def _again(self, name: str, update: Callable[[], object]) -> bool:
        """Loads what was trusted before; whether it is still all that is needed.

        Old or expired it guards against going back. Signed by keys that a newer root replaced, it counts no more.
        """
        try:
            update()
        except _OUTDATED:
            return False
        except exceptions.UnsignedMetadataError as error:
            if self._keys_may_have_changed() or name not in ("timestamp.json", "snapshot.json"):
                return False
            raise NotTrusted(Distrust.STORE, f"{name}, as it was trusted before, is damaged: {error}") from None
        except exceptions.RepositoryError as error:
            raise NotTrusted(Distrust.STORE, f"{name}, as it was trusted before, is damaged: {error}") from None
        return True

    def _take(self, name: str, update: Callable[[], object]) -> None:
        try:
            update()
        except exceptions.EqualVersionNumberError:
            raise _Same from None
        except exceptions.RepositoryError as error:
            reason = next(reason for kind, reason in _REASONS if isinstance(error, kind))
            raise NotTrusted(reason, f"{name}: {str(error)[:200]}") from None

    def _needed(self, name: str) -> bytes:
        data = self._offered.get(name)
        if data is None:
            raise _missing(name)
        return data


class _Same(Exception):
    """The version that is trusted already: it stays."""


def _missing(name: str) -> NotTrusted:
    return NotTrusted(Distrust.MISSING, f"{name} is needed and was not offered")


def _facts(role: Targets, target: Target) -> Facts:
    found = role.targets.get(target.path)
    if found is None:
        raise NotTrusted(Distrust.NO_SUCH_TARGET, f"{target.path}: there is no such release")
    if (sha256 := found.hashes.get("sha256", "")) != target.sha256:
        raise NotTrusted(Distrust.DIGEST, f"{target.path} has SHA-256 {sha256}, asked for was {target.sha256}")
    try:
        return read_facts(found.custom, target.path, found.length, sha256)
    except Malformed as error:
        raise NotTrusted(Distrust.FACTS, error.what) from None


def _floors(targets: Targets) -> dict[str, int]:
    try:
        return msgspec.convert(targets.unrecognized_fields.get(FLOORS, {}), dict[str, int])
    except msgspec.ValidationError as error:
        raise NotTrusted(Distrust.MALFORMED, f"targets.json: {FLOORS}: {error}") from None


def _newest_issue(role: Targets) -> int:
    """UTC milliseconds; 0 if there is none that can be read."""
    said = [each.custom.get("issued_at") for each in role.targets.values() if isinstance(each.custom, dict)]
    return max((at for at in said if isinstance(at, int) and 0 <= at <= limits.INSTANT_MAX), default=0)


def _strict(name: str, data: bytes, reason: Distrust) -> None:
    """A JSON object in which each object has each key once and each number is whole. Raises NotTrusted."""
    try:
        tree = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_number, parse_float=_no_number)
    except (ValueError, RecursionError) as error:
        raise NotTrusted(reason, f"{name}: {str(error)[:150] if data else 'empty'}") from None
    if not isinstance(tree, dict):
        raise NotTrusted(reason, f"{name}: expected a JSON object")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_number(text: str) -> object:
    raise ValueError(f"{text[:40]} is no whole number")
