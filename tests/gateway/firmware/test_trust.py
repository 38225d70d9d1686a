"""The gateway's own check of a release: what it takes, and that nothing else does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tuf.api.metadata import TargetFile

from cloud_bridge.runtime.firmware import changing, signing
from cloud_bridge.runtime.firmware.repository import Repository
from gateway.runtime.firmware.trust import check
from gateway.wire.firmware import Facts
from gateway.wire.firmware_trust import BUILT_AT, FILES, Outcome, Reading, Target, verify
from gateway.wire.firmware_verified import Distrust, NotTrusted, Verified
from gateway.wire.messages import Clock, Stamp
from tests.cloud_bridge.firmware.made import IMAGE, PATH, forged, key, new_repository, release, sign

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return new_repository(tmp_path / "repository")


@pytest.fixture
def facts(repository: Repository) -> Facts:
    return release(repository)


def now() -> int:
    return time.time_ns() // 1_000_000


def stamp(at: int | None = None, clock: Clock = Clock.SYNCHRONISED) -> Stamp:
    return Stamp(at=now() if at is None else at, boot="b", mono=1, clock=clock.value)


def looked_at(
    repository: Repository,
    offered: dict[str, bytes],
    stored: dict[str, bytes] | None = None,
    *,
    path: str = PATH,
    sha256: str,
    clock: Reading | None = None,
) -> Outcome:
    root = repository.file("1.root.json")
    return verify(root, stored or {}, offered, Target(path, sha256), clock or Reading(now(), True))


def refused(
    repository: Repository, offered: dict[str, bytes], stored: dict[str, bytes] | None = None, **said: Any
) -> Distrust:
    with pytest.raises(NotTrusted) as caught:
        looked_at(repository, offered, stored, **said)
    assert caught.value.what
    return caught.value.reason


async def ask(repository: Repository, store: Path, offered: dict[str, bytes], sha256: str) -> Verified:
    return await check(repository.file("1.root.json"), store, offered, PATH, sha256, stamp())


async def test_a_process_of_its_own_says_the_signed_facts_and_remembers_what_it_trusted(
    repository: Repository, facts: Facts, tmp_path: Path
) -> None:
    found = await ask(repository, tmp_path / "store", repository.bundle("18"), facts.image.sha256)
    assert found.facts == facts
    assert found.clock_trusted
    assert found.versions == {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 1, "18": 2}
    again = await ask(repository, tmp_path / "store", {}, facts.image.sha256)
    assert again.facts == facts
    assert (tmp_path / "store" / "trusted.json").stat().st_mode & 0o077 == 0


async def test_metadata_that_was_replaced_is_refused_from_then_on(
    repository: Repository, facts: Facts, tmp_path: Path
) -> None:
    old = repository.bundle("18")
    signing.refresh(repository)
    await ask(repository, tmp_path / "store", repository.bundle("18"), facts.image.sha256)
    with pytest.raises(NotTrusted) as caught:
        await ask(repository, tmp_path / "store", old, facts.image.sha256)
    assert caught.value.reason == Distrust.VERSION


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b"[" * 90_000])
async def test_a_store_that_can_not_be_read_is_refused_and_named(
    repository: Repository, facts: Facts, tmp_path: Path, damage: bytes
) -> None:
    await ask(repository, tmp_path / "store", repository.bundle("18"), facts.image.sha256)
    (tmp_path / "store" / "trusted.json").write_bytes(damage)
    with pytest.raises(NotTrusted, match=r"trusted\.json") as caught:
        await ask(repository, tmp_path / "store", repository.bundle("18"), facts.image.sha256)
    assert caught.value.reason == Distrust.STORE


async def test_a_process_that_could_not_look_proves_nothing(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(NotTrusted, match="exit status 1") as caught:
        await check(b"{}", tmp_path, {}, PATH, "0" * 64, stamp(), (sys.executable, "-c", "raise SystemExit(1)"))
    assert caught.value.reason == Distrust.NOT_LOOKED_AT


def test_who_asks_loads_nothing_of_it() -> None:
    code = "import sys, gateway.runtime.firmware.trust; sys.exit('tuf' in sys.modules or 'cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "1.targets.json", "2.18.json"])
def test_a_file_that_is_empty_or_missing_is_refused(repository: Repository, facts: Facts, name: str) -> None:
    offered = repository.bundle("18")
    assert refused(repository, offered | {name: b""}, sha256=facts.image.sha256) == Distrust.MALFORMED
    del offered[name]
    assert refused(repository, offered, sha256=facts.image.sha256) == Distrust.MISSING


@pytest.mark.parametrize("name", ["../18.json", "18.txt", "0.root.json", "Root.json", "1.1.root.json", "x\n.json", ""])
def test_a_file_of_no_name_of_ours_is_refused(repository: Repository, facts: Facts, name: str) -> None:
    offered = repository.bundle("18") | {name: b"{}"}
    assert refused(repository, offered, sha256=facts.image.sha256) == Distrust.UNKNOWN_FILE


def test_too_many_or_too_large_files_are_refused_unread(repository: Repository, facts: Facts) -> None:
    many = {f"{number}.x.json": b"{}" for number in range(1, FILES + 2)}
    assert refused(repository, many, sha256=facts.image.sha256) == Distrust.TOO_LARGE
    large = repository.bundle("18") | {"timestamp.json": b" " * 5000 + b"{}"}
    assert refused(repository, large, sha256=facts.image.sha256) == Distrust.TOO_LARGE


@pytest.mark.parametrize("text", [b'{"a":1,"a":2}', b'{"a":1.0}', b'{"a":NaN}', b"[]", b'{"a":' + b"9" * 9000 + b"}"])
def test_json_that_could_be_read_in_two_ways_is_refused(repository: Repository, facts: Facts, text: bytes) -> None:
    offered = repository.bundle("18") | {"9.unused.json": text}
    assert refused(repository, offered, sha256=facts.image.sha256) == Distrust.MALFORMED


def test_another_digest_or_path_than_the_order_names_is_refused(repository: Repository, facts: Facts) -> None:
    offered = repository.bundle("18")
    assert refused(repository, offered, sha256="0" * 64) == Distrust.DIGEST
    for path in ("18/b.enc", "19/a.enc", "targets/a", "root/x", "timestamp/x", "snapshot/a", "a", "", "*/a.enc"):
        assert refused(repository, offered, path=path, sha256=facts.image.sha256) == Distrust.NO_SUCH_TARGET, path


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_invariant_4_any_flipped_bit_of_any_file_is_refused_or_says_the_same(
    repository: Repository, facts: Facts, data: st.DataObject
) -> None:
    root, offered = repository.file("1.root.json"), repository.bundle("18")
    stored = looked_at(repository, offered, sha256=facts.image.sha256).keep
    files = {"pinned": root} | {f"stored {name}": content for name, content in stored.items()}
    files |= {f"offered {name}": content for name, content in offered.items()}
    name = data.draw(st.sampled_from(sorted(files)))
    bit = data.draw(st.integers(0, len(files[name]) * 8 - 1))
    content = bytearray(files[name])
    content[bit // 8] ^= 1 << bit % 8
    files[name] = bytes(content)
    kept = {each: files[f"stored {each}"] for each in stored} if name.startswith("stored") else {}
    given_ = {each: files[f"offered {each}"] for each in offered}
    try:
        outcome = verify(files["pinned"], kept, given_, Target(PATH, facts.image.sha256), Reading(now(), True))
    except NotTrusted:
        return
    assert outcome.verified.facts == facts


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_invariant_4_stolen_online_keys_do_not_alter_a_fact(
    repository: Repository, facts: Facts, data: st.DataObject
) -> None:
    """Hashes in snapshot and timestamp are right again: what refuses is the offline signature."""
    published = repository.published("18")
    assert published is not None
    signature = dict(published.signatures)
    whole = msgspec.json.encode(facts)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    altered = bytearray(whole)
    altered[bit // 8] ^= 1 << bit % 8
    try:
        custom = msgspec.json.decode(bytes(altered))
        msgspec.json.encode(custom)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return

    def change(signed: Any) -> None:
        signed.version -= 1
        signed.targets[PATH].unrecognized_fields["custom"] = custom

    offered = forged(repository, "18", change, [])
    name = f"{published.signed.version}.18.json"
    assert name in offered
    tree = msgspec.json.decode(offered[name])
    tree["signatures"] = [each.to_dict() for each in signature.values()]
    offered[name] = msgspec.json.encode(tree)
    with pytest.raises(NotTrusted):
        looked_at(repository, offered, sha256=facts.image.sha256)


def _add(path: str, custom: object) -> Callable[[Any], None]:
    def change(signed: Any) -> None:
        target = TargetFile.from_data(path, IMAGE, ["sha256"])
        signed.targets[path] = TargetFile(target.length, target.hashes, path, {"custom": custom})

    return change


def test_the_key_of_one_hardware_id_signs_for_no_other(repository: Repository, facts: Facts) -> None:
    mine, sha256 = key(repository, "18"), facts.image.sha256
    for_21 = msgspec.to_builtins(msgspec.structs.replace(facts, hardware_ids=("21",)))
    for_both = msgspec.to_builtins(msgspec.structs.replace(facts, hardware_ids=("18", "21")))
    theirs = forged(repository, "21", _add("21/x", for_21), [mine])
    assert refused(repository, theirs, path="21/x", sha256=sha256) == Distrust.SIGNATURE
    own = forged(repository, "18", _add("21/x", for_21), [mine]) | {"1.21.json": repository.file("1.21.json")}
    assert refused(repository, own, path="21/x", sha256=sha256) == Distrust.NO_SUCH_TARGET
    for custom in (for_21, for_both):
        lie = forged(repository, "18", _add("18/x", custom), [mine])
        assert refused(repository, lie, path="18/x", sha256=sha256) == Distrust.FACTS


def test_a_reissue_takes_two_signatures(repository: Repository, facts: Facts) -> None:
    again = msgspec.structs.replace(facts, reissues=facts.image.sha256, release_counter=2)
    first, second = key(repository, "reissue-1"), key(repository, "reissue-2")
    change, path = _add("reissue/x", msgspec.to_builtins(again)), "reissue/x"
    sha256 = facts.image.sha256
    assert refused(repository, forged(repository, "reissue", change, [first]), path=path, sha256=sha256) == (
        Distrust.SIGNATURE
    )
    both = forged(repository, "reissue", change, [first, second])
    assert looked_at(repository, both, path=path, sha256=sha256).verified.facts == again


def test_a_reissue_that_one_key_may_sign_is_refused_even_if_the_targets_say_so(
    repository: Repository, facts: Facts
) -> None:
    def ask_for_one(signed: Any) -> None:
        signed.delegations.roles["reissue"].threshold = 1

    signers = [key(repository, "targets-1"), key(repository, "targets-2")]
    offered = repository.bundle("reissue") | forged(repository, "targets", ask_for_one, signers)
    reason = refused(repository, offered, path="reissue/x", sha256=facts.image.sha256)
    assert reason == Distrust.SIGNATURE


def test_going_back_without_a_reissue_is_refused_whatever_its_counter(repository: Repository, facts: Facts) -> None:
    older = msgspec.structs.replace(facts, version="15.1", release_counter=99)
    offered = forged(repository, "18", _add("18/x", msgspec.to_builtins(older)), [key(repository, "18")])
    assert refused(repository, offered, path="18/x", sha256=facts.image.sha256) == Distrust.FACTS


@pytest.mark.parametrize("where", [(), ("image",), ("from_versions", 0), ("before",)])
def test_a_signed_fact_that_this_version_does_not_know_is_refused(
    repository: Repository, facts: Facts, where: tuple[str | int, ...]
) -> None:
    custom = msgspec.to_builtins(facts) | {"before": {"charge_pct": 95}}
    place: Any = custom
    for step in where:
        place = place[step]
    place["critical"] = 1
    offered = forged(repository, "18", _add("18/x", custom), [key(repository, "18")])
    assert refused(repository, offered, path="18/x", sha256=facts.image.sha256) == Distrust.FACTS


def test_a_timestamp_that_expired_is_refused_by_a_clock_that_is_right(repository: Repository, facts: Facts) -> None:
    offered, sha256 = repository.bundle("18"), facts.image.sha256
    late = now() + 8 * DAY_MS
    assert refused(repository, offered, sha256=sha256, clock=Reading(late, True)) == Distrust.EXPIRED
    stored = looked_at(repository, offered, sha256=sha256).keep
    assert refused(repository, {}, stored, sha256=sha256, clock=Reading(late, True)) == Distrust.EXPIRED


@pytest.mark.parametrize("at", [0, 10 * 365 * DAY_MS, BUILT_AT + 3650 * DAY_MS])
def test_a21_a_clock_that_nothing_keeps_right_judges_no_expiry_and_that_is_said(
    repository: Repository, facts: Facts, at: int
) -> None:
    found = looked_at(repository, repository.bundle("18"), sha256=facts.image.sha256, clock=Reading(at, False)).verified
    assert found.facts == facts
    assert not found.clock_trusted
    assert found.judged_at == max(BUILT_AT, facts.issued_at)


def test_a_clock_before_this_program_or_the_newest_release_is_not_believed(
    repository: Repository, facts: Facts
) -> None:
    for at in (BUILT_AT - 1, facts.issued_at - 1):
        clock = Reading(at, True)
        found = looked_at(repository, repository.bundle("18"), sha256=facts.image.sha256, clock=clock).verified
        assert not found.clock_trusted
        assert found.judged_at == max(BUILT_AT, facts.issued_at)


def test_a_clock_before_this_program_is_not_believed_though_no_release_is_newer(
    repository: Repository, facts: Facts
) -> None:
    old = msgspec.structs.replace(facts, issued_at=1)

    def change(signed: Any) -> None:
        signed.targets.clear()
        _add(PATH, msgspec.to_builtins(old))(signed)

    offered = forged(repository, "18", change, [key(repository, "18")])
    found = looked_at(repository, offered, sha256=facts.image.sha256, clock=Reading(BUILT_AT - 1, True)).verified
    assert not found.clock_trusted
    assert found.judged_at == BUILT_AT


def test_a_stored_root_that_is_damaged_is_refused_as_that(repository: Repository, facts: Facts) -> None:
    changing.rotate(repository, "timestamp", None, None)
    sign(repository, "root", "root-1", "root-2")
    signing.publish(repository)
    stored = looked_at(repository, repository.bundle("18"), sha256=facts.image.sha256).keep
    stored["2.root.json"] = stored["2.root.json"].replace(b'"version":2', b'"version":3')
    assert refused(repository, {}, stored, sha256=facts.image.sha256) == Distrust.STORE


def test_a_release_dated_far_ahead_holds_nothing_up_once_it_is_withdrawn(repository: Repository, facts: Facts) -> None:
    ahead = msgspec.structs.replace(facts, issued_at=facts.issued_at + 9000 * DAY_MS)
    poisoned = forged(repository, "18", _add("18/x", msgspec.to_builtins(ahead)), [key(repository, "18")])
    sha256 = facts.image.sha256
    assert refused(repository, poisoned, sha256=sha256) == Distrust.EXPIRED
    for _ in range(2):
        changing.renew(repository, "18")
        sign(repository, "18", "18")
        signing.publish(repository)
    assert looked_at(repository, repository.bundle("18"), sha256=sha256).verified.clock_trusted


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "18", "root"])
def test_a_key_replaced_by_its_owners_is_followed_from_the_pinned_root(
    repository: Repository, facts: Facts, role: str
) -> None:
    sha256 = facts.image.sha256
    stored = looked_at(repository, repository.bundle("18"), sha256=sha256).keep
    old = signing.keyids(repository, role)[0]
    made, staged = changing.rotate(repository, role, old, None)
    new = made.stem
    if "root" in staged or role == "root":
        sign(repository, "root", "root-1", "root-2", *([new] if role == "root" else []))
    if "targets" in staged:
        sign(repository, "targets", "targets-2", *([new] if role == "targets" else ["targets-1"]))
    if role == "18":
        sign(repository, "18", new)
    signing.publish(repository)
    for kept in ({}, stored):
        found = looked_at(repository, repository.bundle("18"), kept, sha256=sha256)
        assert found.verified.facts == facts


def test_a_root_signed_by_one_of_three_is_refused(repository: Repository, facts: Facts) -> None:
    def longer(signed: Any) -> None:
        signed.expires = signed.expires + timedelta(days=1)

    offered = repository.bundle("18")
    forged_root = forged(repository, "root", longer, [key(repository, "root-1")])["2.root.json"]
    offered["2.root.json"] = forged_root
    assert refused(repository, offered, sha256=facts.image.sha256) == Distrust.SIGNATURE


def test_floors_are_said_as_the_targets_sign_them(repository: Repository, facts: Facts) -> None:
    changing.set_floor(repository, "18", 7)
    sign(repository, "targets", "targets-1", "targets-2")
    signing.publish(repository)
    found = looked_at(repository, repository.bundle("18"), sha256=facts.image.sha256).verified
    assert found.floors == {"18": 7}


def test_another_pinned_root_trusts_nothing_of_this_repository(
    repository: Repository, facts: Facts, tmp_path: Path
) -> None:
    other = new_repository(tmp_path / "other", "18")
    assert refused(other, repository.bundle("18"), sha256=facts.image.sha256) == Distrust.SIGNATURE
