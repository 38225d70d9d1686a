"""The part file on a real disk: what hashes is there, whatever happened before."""

from __future__ import annotations

import errno
import os
import resource
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gateway.firmware.download_state import Spent
from gateway.firmware.errors import DiskFailed, NoRoom, NotWhole
from gateway.runtime.firmware.part import PartFile, whole
from gateway.wire.firmware import Image
from tests.gateway.firmware.images import facts_of, image_bytes, image_of
from tests.process import Process

DATA = image_bytes(10 * 1024 + 100)
IMAGE = image_of(DATA)
ALL = (1 << 11) - 1


def part(folder: Path, image: Image = IMAGE, reserve_bytes: int = 0) -> PartFile:
    return PartFile(folder, image, reserve_bytes=reserve_bytes)


def chunk(index: int) -> bytes:
    return DATA[index * 1024 : (index + 1) * 1024]


def filled(folder: Path, indexes: range = range(11)) -> PartFile:
    file = part(folder)
    file.open()
    for index in indexes:
        file.write(index, chunk(index))
    return file


def test_a_whole_image_is_for_reading_only_and_leaves_nothing_else(tmp_path: Path) -> None:
    with filled(tmp_path) as file:
        path = file.finish()
    assert path == tmp_path / f"{IMAGE.sha256}.img"
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert list(tmp_path.iterdir()) == [path]
    assert whole(path, facts_of(IMAGE))


def test_every_byte_has_its_place_before_the_first_chunk_comes(tmp_path: Path) -> None:
    with part(tmp_path) as file:
        assert file.open() == 0
        status = file.part.stat()
    assert status.st_size == len(DATA)
    assert status.st_blocks * 512 >= len(DATA)
    assert stat.S_IMODE(status.st_mode) == 0o600


@pytest.mark.parametrize("damage", [(0, 0), (5000, 4), (len(DATA) - 1, 10)])
def test_i12_only_what_does_not_hash_is_missing_after_a_restart(tmp_path: Path, damage: tuple[int, int]) -> None:
    offset, lost = damage
    filled(tmp_path).close()
    with part(tmp_path) as file:
        assert file.open() == ALL
        bytes_there = bytearray(file.part.read_bytes())
        bytes_there[offset] ^= 1
        file.part.write_bytes(bytes_there)
    with part(tmp_path) as file:
        assert file.open() == ALL & ~(1 << lost)


@pytest.mark.parametrize("length", [0, 1, 1024, 5000, len(DATA) + 1, 3 * len(DATA)])
def test_a_part_file_of_any_length_is_made_right(tmp_path: Path, length: int) -> None:
    filled(tmp_path).close()
    with part(tmp_path) as file:
        os.truncate(file.part, length)
        have = file.open()
        assert have.bit_count() == min(11, length // 1024 + (length >= len(DATA)))
        assert file.part.stat().st_size == len(DATA)


def test_killed_between_the_mode_and_the_new_name_it_goes_on(tmp_path: Path) -> None:
    with filled(tmp_path) as file:
        file.part.chmod(0o400)
    with part(tmp_path) as file:
        assert file.open() == ALL
        assert file.finish().read_bytes() == DATA


def test_an_image_that_rotted_is_repaired_chunk_by_chunk(tmp_path: Path) -> None:
    with filled(tmp_path) as file:
        path = file.finish()
    path.chmod(0o600)
    path.write_bytes(DATA[:2000] + b"?" + DATA[2001:])
    assert not whole(path, facts_of(IMAGE))
    with part(tmp_path) as file:
        assert file.open() == ALL & ~0b10
        assert not path.exists()
        file.write(1, chunk(1))
        file.finish()
    assert whole(path, facts_of(IMAGE))


def test_chunks_that_match_in_a_whole_that_does_not_are_thrown_away(tmp_path: Path) -> None:
    contradictory = msgspec.structs.replace(IMAGE, sha256="0" * 64)
    with part(tmp_path, contradictory) as file:
        file.open()
        for index in range(11):
            file.write(index, chunk(index))
        with pytest.raises(NotWhole):
            file.finish()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", DATA[:-1], DATA + b"x", b"?" + DATA[1:]], ids=["empty", "-1", "+1", "bit"])
def test_what_is_not_the_image_is_not_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.img"
    assert not whole(path, facts_of(IMAGE))
    path.write_bytes(content)
    assert not whole(path, facts_of(IMAGE))


def test_a_link_or_a_folder_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(DATA)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert whole(tmp_path / "real", facts_of(IMAGE))
    assert not whole(tmp_path / "link", facts_of(IMAGE))
    assert not whole(tmp_path, facts_of(IMAGE))


def test_a_part_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "outbox.sqlite3"
    victim.write_bytes(b"events")
    folder = tmp_path / "firmware"
    folder.mkdir()
    (folder / f"{IMAGE.sha256}.part").symlink_to(victim)
    with part(folder) as file, pytest.raises(DiskFailed) as failed:
        file.open()
    assert not failed.value.full
    assert victim.read_bytes() == b"events"


def test_i22_without_room_for_the_image_and_the_reserve_nothing_is_begun(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    with part(tmp_path, reserve_bytes=2 * free) as file, pytest.raises(NoRoom) as refused:
        file.open()
    assert refused.value.needed_bytes == 2 * free + len(DATA)
    assert file.part.stat().st_size == 0


def test_what_is_on_the_disk_already_needs_no_room_again(tmp_path: Path) -> None:
    filled(tmp_path).close()
    disk = os.statvfs(tmp_path)
    with part(tmp_path, reserve_bytes=disk.f_bavail * disk.f_frsize - 2 * 1024 * 1024) as file:
        assert file.open() == ALL


def _refusing(error: int, after: int) -> Callable[[int, bytes, int], int]:
    """A disk that takes so many bytes and then nothing."""
    left = [after]

    def pwrite(file: int, data: bytes, offset: int) -> int:
        if not left[0]:
            raise OSError(error, os.strerror(error))
        written = os.pwrite(file, data[: left[0]], offset)
        left[0] -= written
        return written

    return pwrite


@pytest.mark.parametrize(("error", "full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False)])
def test_i22_a_disk_that_takes_no_more_is_a_named_failure_and_what_it_took_stays(
    tmp_path: Path, error: int, full: bool
) -> None:
    with PartFile(tmp_path, IMAGE, reserve_bytes=0, pwrite=_refusing(error, 2500)) as file:
        file.open()
        file.write(0, chunk(0))
        file.write(1, chunk(1))
        with pytest.raises(DiskFailed) as failed:
            file.write(2, chunk(2))
    assert failed.value.full is full
    with part(tmp_path) as file:
        assert file.open() == 0b11


def test_a_disk_that_takes_little_at_a_time_gets_every_byte(tmp_path: Path) -> None:
    def pwrite(file: int, data: bytes, offset: int) -> int:
        return os.pwrite(file, data[:100], offset)

    with PartFile(tmp_path, IMAGE, reserve_bytes=0, pwrite=pwrite) as file:
        file.open()
        for index in range(11):
            file.write(index, chunk(index))
        assert file.finish().read_bytes() == DATA


def test_a_power_cut_costs_at_most_sixty_four_chunks(tmp_path: Path) -> None:
    data = image_bytes(200 * 1024)
    written, kept_at = [0], list[int]()

    def pwrite(file: int, data: bytes, offset: int) -> int:
        written[0] += 1
        return os.pwrite(file, data, offset)

    def sync(file: int) -> None:
        kept_at.append(written[0])
        os.fdatasync(file)

    with PartFile(tmp_path, image_of(data), reserve_bytes=0, pwrite=pwrite, sync=sync) as file:
        file.open()
        for index in range(200):
            file.write(index, data[index * 1024 : (index + 1) * 1024])
        assert kept_at == [64, 128, 192]
        file.finish()
    assert kept_at == [64, 128, 192, 200]


LIMITED = """
import resource, signal, sys
from pathlib import Path
from tests.gateway.firmware.test_part import IMAGE, part
from gateway.firmware.errors import DiskFailed
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    part(Path(sys.argv[1])).open()
except DiskFailed as error:
    print("full" if error.full else "failed")
"""


def test_i22_a_real_limit_of_the_kernel_is_met_before_the_first_chunk(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", LIMITED, tmp_path], cwd=Path(__file__).parents[3])
    try:
        process.said("full")
    finally:
        process.clean_up()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096


def test_what_was_spent_is_kept_and_what_can_t_be_read_counts_as_nothing(tmp_path: Path) -> None:
    with filled(tmp_path) as file:
        assert file.spent() == Spent()
        file.keep(Spent(3, 4096, 7.5))
    with part(tmp_path) as file:
        assert file.spent() == Spent(3, 4096, 7.5)
        (tmp_path / f"{IMAGE.sha256}.spent").write_bytes(b"\xff" * 5000)
        assert file.spent() == Spent()
        file.forget_spent()
        file.forget_spent()
        assert not (tmp_path / f"{IMAGE.sha256}.spent").exists()
