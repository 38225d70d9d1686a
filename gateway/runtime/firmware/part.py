"""An image on the disk: `SHA256.part` while its chunks come, `SHA256.img` once it is whole (gateway-ota.md A4).

What is there is what hashes, never what a record says: then no order of writes can be wrong, and a card that loses
what it had taken costs a chunk and no more. All of it blocks: for a thread, one call at a time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import msgspec

from gateway.firmware.download_state import Spent, chunk_bytes
from gateway.firmware.errors import DiskFailed, NoRoom, NotWhole
from gateway.wire.firmware import Facts, Image

RESERVE_BYTES = 64 * 1024 * 1024
"""What stays free on the disk, which is the outbox's too."""

SYNC_CHUNKS = 64
"""So many chunks at most are to be got again after a power cut."""

READ_BYTES = 64 * 1024
BLOCK_BYTES = 512
"""Unit of st_blocks (stat(2))."""

SPENT_BYTES = 1024
"""Most that is read of what was spent; it has about 60."""

Pwrite = Callable[[int, bytes, int], int]
Sync = Callable[[int], None]

_spent_decoder = msgspec.json.Decoder(Spent)


class PartFile:
    """A context manager. `pwrite`, `sync`: what writes a chunk, and has the disk keep what was written."""

    def __init__(
        self,
        folder: Path,
        image: Image,
        *,
        reserve_bytes: int = RESERVE_BYTES,
        pwrite: Pwrite = os.pwrite,
        sync: Sync = os.fdatasync,
    ) -> None:
        self.image = image
        self.part = folder / f"{image.sha256}.part"
        self.path = folder / f"{image.sha256}.img"
        self._spent = folder / f"{image.sha256}.spent"
        self._folder = folder
        self._reserve_bytes = reserve_bytes
        self._pwrite = pwrite
        self._sync = sync
        self._file = -1
        self._unsynced = 0

    def __enter__(self) -> PartFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> int:
        """Bitmap of the chunks that hash, once there is room for all. Raises NoRoom, DiskFailed."""
        with self._disk():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.exists():  # an image that rotted is repaired chunk by chunk
                self.path.replace(self.part)
            if self.part.is_file() and not self.part.is_symlink():  # killed while it was made the image
                self.part.chmod(0o600)
            self._file = os.open(self.part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            self._make_room()
            return self._there()

    def write(self, index: int, data: bytes) -> None:
        """A chunk whose digest was checked. Raises DiskFailed."""
        with self._disk():
            start, left = index * self.image.chunk, memoryview(data)
            while left:
                written = self._pwrite(self._file, bytes(left), start)
                start, left = start + written, left[written:]
            self._unsynced += 1
            if self._unsynced >= SYNC_CHUNKS:
                self._sync(self._file)
                self._unsynced = 0

    def finish(self) -> Path:
        """The image, whole and for reading only. Raises NotWhole, and then nothing is left of it, or DiskFailed."""
        with self._disk():
            self._sync(self._file)
            if _digest(self._file) != self.image.sha256:
                self.discard()
                raise NotWhole(self.part)
            os.fchmod(self._file, 0o400)
            os.fsync(self._file)
            self.part.replace(self.path)
            _sync_folder(self._folder)
            self.close()
            return self.path

    def close(self) -> None:
        """What is there is found again by `open`."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def discard(self) -> None:
        """Nothing is left of what was got. Raises DiskFailed."""
        with self._disk():
            self.close()
            for path in (self.part, self._spent):
                path.unlink(missing_ok=True)

    def spent(self) -> Spent:
        """What was kept of the budgets; nothing if that can't be read."""
        try:
            with self._spent.open("rb") as file:
                return _spent_decoder.decode(file.read(SPENT_BYTES))
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Spent()

    def keep(self, spent: Spent) -> None:
        """Not synced: after a power cut it may be an older one. Raises DiskFailed."""
        with self._disk():
            new = self._spent.with_suffix(".spent-new")
            new.write_bytes(msgspec.json.encode(spent))
            new.replace(self._spent)

    def forget_spent(self) -> None:
        """A later download of this image has budgets of its own. Raises DiskFailed."""
        with self._disk():
            self._spent.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Every byte has its place on the disk before the first chunk comes."""
        size, status = self.image.size, os.fstat(self._file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no regular file")
        disk = os.fstatvfs(self._file)
        free = disk.f_bavail * disk.f_frsize
        needed = max(0, size - status.st_blocks * BLOCK_BYTES) + self._reserve_bytes
        if free < needed:
            raise NoRoom(self._folder, needed, free)
        if status.st_size > size:
            os.ftruncate(self._file, size)
        try:
            os.posix_fallocate(self._file, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # file systems that can't reserve
                raise
            os.ftruncate(self._file, size)

    def _there(self) -> int:
        have = 0
        for index, digest in enumerate(self.image.chunks):
            data = os.pread(self._file, chunk_bytes(self.image, index), index * self.image.chunk)
            if hashlib.sha256(data).hexdigest() == digest:
                have |= 1 << index
        return have

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            raise DiskFailed(self.part, error.strerror or str(error), full=full) from error


def whole(path: Path, facts: Facts) -> bool:
    """Whether the file is the image, every byte of it read from the disk; asked again right before it is used."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        status = os.fstat(file)
        is_so_long = stat.S_ISREG(status.st_mode) and status.st_size == facts.image.size
        return is_so_long and _digest(file) == facts.image.sha256
    except OSError:
        return False
    finally:
        os.close(file)


def _digest(file: int) -> str:
    """Of what the disk has, as far as the kernel lets go of its own copy."""
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    found, start = hashlib.sha256(), 0
    while data := os.pread(file, READ_BYTES, start):
        found.update(data)
        start += len(data)
    return found.hexdigest()


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
