"""Keys, signatures and publication, on disk."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import Metadata

from cloud_bridge.errors import AlreadyThere
from cloud_bridge.firmware.errors import BadKey, BadRelease, FirmwareError, NoRelease, NotARepository, NotSigned
from cloud_bridge.runtime.firmware import changing, signing
from cloud_bridge.runtime.firmware.keys import keep_key, load_key, no_passphrase
from cloud_bridge.runtime.firmware.looking import roles, verify
from cloud_bridge.runtime.firmware.repository import Repository
from tests.cloud_bridge.firmware.made import IMAGE, PATH, WISH, key, new_repository, release, sign


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return new_repository(tmp_path / "repository")


def problems(repository: Repository, days: int = 0, root: bytes | None = None) -> dict[str, str]:
    findings = verify(repository, root, datetime.now(UTC) + timedelta(days=days))
    return {each.what: each.problem for each in findings if each.problem}


def test_a_new_repository_is_right_and_every_key_is_its_owners_alone(repository: Repository) -> None:
    assert problems(repository) == {}
    keys = sorted((repository.folder / "keys").glob("*/*.pem"))
    assert len(keys) == 11
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    assert {path.parent.name for path in keys if path.stem in ("snapshot", "timestamp")} == {"online"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (repository.folder, keys[0].parent)} == {0o700}


def test_nothing_is_made_where_something_is_or_for_an_odd_hardware_id(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(AlreadyThere):
        changing.init(repository.folder, (), None)
    for odd in ("", "root", "reissue", "UPS", "a/b", "*", "1" * 33):
        with pytest.raises(BadRelease):
            changing.init(tmp_path / "odd", (odd,), None)
        assert not (tmp_path / "odd").exists()
    with pytest.raises(NotARepository, match="firmware init"):
        Repository.at(tmp_path / "none")


def test_a_release_is_in_force_once_it_is_signed_and_published_and_its_image_lies_by_its_digest(
    repository: Repository,
) -> None:
    facts = changing.add(repository, IMAGE, WISH)
    assert repository.published_paths() == set()
    with pytest.raises(NotSigned) as caught:
        signing.publish(repository)
    assert caught.value.lacking == (("18", 0, 1),)
    sign(repository, "18", "18")
    assert signing.publish(repository) == ["18"]
    assert repository.published_paths() == {PATH}
    assert repository.release(PATH) == facts
    assert (repository.folder / "targets" / "18" / f"{facts.image.sha256}.a.enc").read_bytes() == IMAGE
    assert problems(repository) == {}


def test_a_threshold_is_met_by_two_people_one_after_the_other_and_not_by_one_twice(repository: Repository) -> None:
    facts = release(repository)
    changing.add(repository, IMAGE, msgspec.structs.replace(WISH, reissues=facts.image.sha256))
    sign(repository, "reissue", "reissue-1", "reissue-1")
    assert [(each.have, each.want) for each in signing.pending(repository)] == [(1, 2)]
    with pytest.raises(NotSigned):
        signing.publish(repository)
    sign(repository, "reissue", "reissue-2")
    assert signing.publish(repository) == ["reissue"]
    assert problems(repository) == {}


def test_a_change_after_a_signature_needs_it_again(repository: Repository) -> None:
    changing.add(repository, IMAGE, WISH)
    sign(repository, "18", "18")
    changing.add(repository, IMAGE, msgspec.structs.replace(WISH, name="b.enc", version="15.7"))
    assert [(each.version, each.have) for each in signing.pending(repository)] == [(2, 0)]


def test_a_key_signs_for_its_own_role_alone(repository: Repository) -> None:
    changing.add(repository, IMAGE, WISH)
    for name in ("21", "root-1", "targets-1", "reissue-1"):
        with pytest.raises(BadKey, match="does not sign for 18"):
            sign(repository, "18", name)
    with pytest.raises(NoRelease, match="nothing waits"):
        sign(repository, "21", "21")
    with pytest.raises(NoRelease, match="no role"):
        sign(repository, "22", "21")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_may_read_is_refused(repository: Repository, mode: int) -> None:
    path = repository.folder / "keys" / "offline" / "18.pem"
    path.chmod(mode)
    with pytest.raises(BadKey, match="chmod 600"):
        key(repository, "18")
    online = repository.folder / "keys" / "online" / "timestamp.pem"
    online.chmod(mode)
    with pytest.raises(BadKey, match="chmod 600"):
        signing.refresh(repository)


def test_a_key_under_a_passphrase_opens_with_that_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = keep_key(path, Ed25519PrivateKey.generate(), b"correct horse")
    assert load_key(path, lambda _: b"correct horse").public_key == made.public_key
    assert b"ENCRYPTED" in path.read_bytes()
    with pytest.raises(BadKey, match="wrong passphrase"):
        load_key(path, lambda _: b"wrong")
    with pytest.raises(BadKey, match="encrypted"):
        load_key(path, no_passphrase)
    with pytest.raises(FileExistsError):
        keep_key(path, Ed25519PrivateKey.generate(), None)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(BadKey, match=r"key\.pem"):
        load_key(path, no_passphrase)


def test_a_refresh_keeps_what_is_staged_out_of_force(repository: Repository) -> None:
    changing.add(repository, IMAGE, WISH)
    sign(repository, "18", "18")
    before = repository.version("timestamp")
    assert signing.refresh(repository) > datetime.now(UTC) + timedelta(days=6)
    assert repository.version("timestamp") == before + 1
    assert repository.published_paths() == set()
    assert len(signing.pending(repository)) == 1


def test_an_expired_timestamp_is_found_and_a_refresh_mends_it(repository: Repository) -> None:
    release(repository)
    assert all("expired" in problem for problem in problems(repository, days=8).values())
    assert set(problems(repository, days=8)) == {"18", "21", "reissue"}
    signing.refresh(repository)
    assert problems(repository, days=6) == {}


def test_what_ends_soon_is_told_before_it_does(repository: Repository) -> None:
    late = problems(repository, days=2 * 365 - 20)
    assert "firmware renew DIR targets" in late["targets"]
    changing.renew(repository, "targets")
    assert [state.role for state in roles(repository) if state.pending] == ["targets"]
    with pytest.raises(FirmwareError, match="refresh"):
        changing.renew(repository, "timestamp")


@pytest.mark.parametrize("at", [0, 20_000, len(IMAGE) - 1])
def test_a_flipped_bit_of_an_image_is_found_with_its_chunk(repository: Repository, at: int) -> None:
    facts = release(repository)
    file = repository.image_path(PATH, facts.image.sha256)
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(bytes(content))
    assert f"chunk {at // facts.image.chunk}," in problems(repository)[PATH]
    file.write_bytes(IMAGE[:-1])
    assert "are signed" in problems(repository)[PATH]
    file.unlink()
    assert "can't be read" in problems(repository)[PATH]


def test_metadata_that_was_altered_on_the_server_is_found(repository: Repository) -> None:
    release(repository)
    file = repository.folder / "metadata" / "2.18.json"
    file.write_bytes(file.read_bytes().replace(b'"15.6"', b'"15.7"'))
    assert set(problems(repository)) == {"18"}


def test_a_release_taken_back_keeps_its_counter_used(repository: Repository) -> None:
    release(repository)
    changing.withdraw(repository, PATH)
    sign(repository, "18", "18")
    signing.publish(repository)
    assert repository.releases() == {}
    assert release(repository).release_counter == 2
    with pytest.raises(NoRelease, match="firmware list"):
        changing.withdraw(repository, "18/none")


def test_one_more_hardware_id_takes_both_keys_of_the_targets(repository: Repository) -> None:
    with pytest.raises(NoRelease, match="firmware delegate"):
        changing.add(repository, IMAGE, msgspec.structs.replace(WISH, hardware_ids=("30",)))
    changing.delegate(repository, "30", None)
    sign(repository, "targets", "targets-1")
    with pytest.raises(NotSigned):
        signing.publish(repository)
    sign(repository, "targets", "targets-2")
    signing.publish(repository)
    release(repository, msgspec.structs.replace(WISH, hardware_ids=("30",)))
    assert problems(repository) == {}
    with pytest.raises(FirmwareError, match="already"):
        changing.delegate(repository, "30", None)


def test_a_floor_never_falls(repository: Repository) -> None:
    changing.set_floor(repository, "18", 7)
    assert changing.floors(repository) == {"18": 7}
    with pytest.raises(FirmwareError, match="never falls"):
        changing.set_floor(repository, "18", 6)
    with pytest.raises(NoRelease):
        changing.set_floor(repository, "99", 1)


def test_a_root_key_that_was_lost_is_replaced_by_the_two_others(repository: Repository) -> None:
    first = repository.file("1.root.json")
    made, staged = changing.rotate(repository, "root", signing.keyids(repository, "root")[2], None)
    assert staged == ["root"]
    sign(repository, "root", "root-1", made.stem)
    with pytest.raises(NotSigned):
        signing.publish(repository)
    sign(repository, "root", "root-2")
    signing.publish(repository)
    assert repository.version("root") == 2
    assert problems(repository, root=first) == {}
    assert problems(repository, root=repository.file("2.root.json")) == {}
    with pytest.raises(BadKey, match="name the one key"):
        changing.rotate(repository, "root", None, None)
    with pytest.raises(NoRelease):
        changing.rotate(repository, "99", None, None)


def test_the_key_of_a_hardware_id_replaced_while_its_role_is_not_signed_anew_publishes_nothing(
    repository: Repository,
) -> None:
    release(repository)
    changing.rotate(repository, "18", None, None)
    repository.unstage("18")
    sign(repository, "targets", "targets-1", "targets-2")
    with pytest.raises(NotSigned) as caught:
        signing.publish(repository)
    assert caught.value.lacking == (("18", 0, 1),)


def test_a_stop_between_the_files_of_a_publication_is_mended_by_the_next(repository: Repository) -> None:
    """The timestamp counts last: without it, all is as it was."""
    changing.add(repository, IMAGE, WISH)
    sign(repository, "18", "18")
    staged, timestamp = repository.staged("18"), repository.file("timestamp.json")
    assert isinstance(staged, Metadata)
    signing.publish(repository)
    repository.publish_file("timestamp.json", timestamp)
    repository.stage("18", staged)
    assert problems(repository) == {}
    assert repository.published_paths() == set()
    signing.publish(repository)
    assert repository.published_paths() == {PATH}
    repository.stage("18", staged)
    assert signing.pending(repository) == []
    assert problems(repository) == {}


def test_damage_is_named_by_its_file(repository: Repository) -> None:
    (repository.folder / "metadata" / "timestamp.json").write_bytes(b"{")
    with pytest.raises(NotARepository, match=r"timestamp\.json is damaged"):
        repository.version("18")


def test_whoever_looks_at_the_help_loads_nothing_of_it() -> None:
    code = "import cloud_bridge.cli_firmware, sys; sys.exit(bool({'tuf', 'cryptography'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
