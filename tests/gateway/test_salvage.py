"""A damaged outbox file: set aside, told, and what can be read of it goes on in a new stream."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import OutboxDamaged
from gateway.store.outbox import OutboxFile
from gateway.store.prepare import prepare
from gateway.store.schema import FILE
from gateway.store.writer import Writer
from gateway.wire.messages import Lane
from tests.gateway.damaged import ACKED, PAGE, RECORDS, assert_true, history, raw, started, started_on

WAITING = {lane: [raw(lane, number) for number in range(ACKED[lane] + 1, RECORDS + 1)] for lane in Lane}


class History:
    """The file's bytes and its streams' names."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        with closing(sqlite3.connect(path)) as connection:
            self.streams = {lane: kept.stream for lane, kept in OutboxFile(connection).kept().items()}
            names = "SELECT rootpage FROM sqlite_master WHERE name = 'record'"
            self.record_root: int = connection.execute(names).fetchone()[0]

    @property
    def pages(self) -> int:
        return len(self.content) // PAGE

    def before(self, cut: int, lane: Lane) -> set[bytes]:
        """The waiting records that lie in whole pages below `cut`."""
        part = self.content[: cut // PAGE * PAGE]
        return {each for each in WAITING[lane] if each in part and self.content.count(each) == 1}

    def without_page(self, number: int, rubbish: bytes = b"\xa5" * PAGE) -> bytes:
        start = (number - 1) * PAGE
        return self.content[:start] + rubbish + self.content[start + PAGE :]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(history(tmp_path_factory.mktemp("old") / "data"))


def test_a_whole_file_is_gone_on_with_as_it_is(old: History, tmp_path: Path) -> None:
    found = started_on(old.content, tmp_path / "data")
    assert (found.aside, found.streams) == ([], old.streams)
    assert {lane: found.raws(lane) for lane in Lane} == WAITING


def test_one_lost_page_costs_no_more_than_what_lay_on_it(old: History, tmp_path: Path) -> None:
    lost: dict[int, int] = {}
    for page in range(1, old.pages + 1):
        found = started_on(old.without_page(page), tmp_path / f"page-{page}")
        assert len(found.aside) == 1
        assert_true(found, old.streams)
        lost[page] = sum(len(set(WAITING[lane]) - set(found.raws(lane))) for lane in Lane)
    del lost[old.record_root]
    assert max(lost.values()) <= 16
    assert sum(lost.values()) <= sum(map(len, WAITING.values()))


def test_a_lost_first_page_costs_nothing(old: History, tmp_path: Path) -> None:
    """With it go the header and the names of all tables."""
    found = started_on(old.without_page(1), tmp_path / "data")
    assert {lane: found.raws(lane) for lane in Lane} == WAITING
    assert (found.unit.serial, found.note, found.audit) == ("AS1", b"value", 1)


def test_what_belongs_to_no_lane_is_taken_over_too(old: History, tmp_path: Path) -> None:
    found = started_on(old.without_page(old.pages), tmp_path / "data")
    assert (found.unit.serial, found.note, found.audit) == ("AS1", b"value", 1)


def test_the_damage_is_told_by_an_event_behind_what_was_saved(
    old: History, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = started_on(old.without_page(old.pages), tmp_path / "data")
    (told,) = found.damage_told
    saved = {lane.value: len(found.raws(lane)) for lane in Lane}
    assert told.details == {**told.details, **saved, "kept_as": found.aside[0].name}
    assert found.aside[0].name in caplog.text
    assert "damaged" in caplog.text


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.3, 0.5, 0.77, 0.9, 0.999])
def test_a_file_that_was_cut_keeps_what_is_left_of_it(old: History, tmp_path: Path, share: float) -> None:
    cuts = {int(len(old.content) * share), int(len(old.content) * share) // PAGE * PAGE}
    for cut in cuts - {0}:
        found = started_on(old.content[:cut], tmp_path / str(cut))
        assert_true(found, old.streams)
        if old.record_root * PAGE <= cut:
            assert {lane: old.before(cut, lane) - set(found.raws(lane)) for lane in Lane} == {
                lane: set() for lane in Lane
            }


def test_bits_that_flip_anywhere_never_put_a_wrong_record_on_its_way(old: History, tmp_path: Path) -> None:
    chance = random.Random(20261124)
    for trial in range(60):
        content = bytearray(old.content)
        for _ in range(chance.choice((1, 1, 4, 40))):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        found = started_on(bytes(content), tmp_path / str(trial))
        assert_true(found, old.streams)


def test_torn_writes_of_many_pages_are_read_around(old: History, tmp_path: Path) -> None:
    chance = random.Random(7)
    for trial in range(20):
        content = bytearray(old.content)
        for _ in range(5):
            start = chance.randrange(old.pages) * PAGE + chance.choice((0, 512, 2048))
            content[start : start + 512] = chance.randbytes(512)
        assert_true(started_on(bytes(content), tmp_path / str(trial)), old.streams)


def test_an_empty_file_beside_its_journal_is_damage_and_the_journal_is_not_thrown_away(tmp_path: Path) -> None:
    path = history(tmp_path / "data")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        OutboxFile(connection).pin("rack-1", "AS2")
        wal = Path(f"{path}-wal").read_bytes()
    path.write_bytes(b"")
    Path(f"{path}-wal").write_bytes(wal)
    found = started(path.parent)
    assert len(found.aside) == len(found.damage_told) == 1


async def test_damage_noticed_while_running_is_salvaged_by_the_next_start(old: History, tmp_path: Path) -> None:
    """Also if the file looks whole to the quick check of a start."""
    found = started_on(old.content, tmp_path / "data")
    assert found.aside == []
    path = tmp_path / "data" / FILE
    await asyncio.to_thread(lose_a_row_that_the_index_has, path)
    writer = Writer(path, asyncio.get_running_loop())
    with pytest.raises(OutboxDamaged, match="after a restart"):
        await writer.submit(lambda file: file.connection.execute("SELECT serial FROM unit WHERE name = 'x'").fetchall())
    await writer.close()
    again = await asyncio.to_thread(started, tmp_path / "data")
    assert_true(again, old.streams)
    assert len(again.aside) == len(again.damage_told) == 1
    assert {lane: again.raws(lane) for lane in Lane} == WAITING
    assert (await asyncio.to_thread(started, tmp_path / "data")).aside == again.aside


def lose_a_row_that_the_index_has(path: Path) -> None:
    """The unit x, deleted while SQLite is made to believe that its table has no index."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        OutboxFile(connection).pin("x", "AS9")
        sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'unit'").fetchone()
        index = connection.execute("SELECT * FROM sqlite_master WHERE name = 'sqlite_autoindex_unit_1'").fetchone()
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = 'sqlite_autoindex_unit_1'")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' PRIMARY KEY', '') WHERE name = 'unit'")
        connection.execute("PRAGMA schema_version = 901")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM unit WHERE name = 'x'")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'unit'", sql)
        connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", index)
        connection.execute("PRAGMA schema_version = 902")


def test_a_second_damage_keeps_both_files_and_every_name(old: History, tmp_path: Path) -> None:
    first = started_on(old.without_page(old.pages), tmp_path / "data")
    path = tmp_path / "data" / FILE
    content = bytearray(path.read_bytes())
    content[-PAGE:] = b"\x5a" * PAGE
    path.write_bytes(content)
    second = started(path.parent)
    assert len(second.aside) == len(second.damage_told) == 2
    assert set(second.raws(Lane.EVENTS)) <= set(first.raws(Lane.EVENTS))


def test_no_more_than_two_damaged_files_are_kept(old: History, tmp_path: Path) -> None:
    path = tmp_path / "data" / FILE
    found = started_on(old.without_page(old.pages), tmp_path / "data")
    for _ in range(3):
        path.write_bytes(old.without_page(old.pages))
        found = started(path.parent)
    assert len(found.aside) == 2


@pytest.mark.parametrize("done", range(5))
def test_a_start_killed_while_it_reads_out_is_made_good_by_the_next(old: History, tmp_path: Path, done: int) -> None:
    """The steps by which the new file takes the damaged one's place, as far as `done`."""
    folder = tmp_path / "data"
    reference = started_on(old.without_page(old.pages), folder)
    (aside,) = reference.aside
    _undo(folder, aside, done)
    found = started(folder)
    assert {lane: found.raws(lane) for lane in Lane} == {lane: reference.raws(lane) for lane in Lane}
    assert not list(folder.glob("outbox-new*"))


def _journal(folder: Path) -> bytes:
    """Of another file: whoever finds it beside the new one would put its pages into that."""
    path = history(folder)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM record")
        return Path(f"{path}-wal").read_bytes()


def _undo(folder: Path, aside: Path, done: int) -> None:
    """As it was after so many steps: half a new file; a whole one; damaged file, journal moved; all of it."""
    path, new = folder / FILE, folder / "outbox-new.sqlite3"
    path.rename(new)
    if done <= 1:
        aside.rename(path)
    if done == 0:
        new.write_bytes(new.read_bytes()[:PAGE])
    if done == 2:
        Path(f"{path}-wal").write_bytes(_journal(folder.with_name("another")))
    if done == 4:
        new.rename(path)


@pytest.mark.parametrize("column", ["acked = next", "stream = 'STREAM'", "next = 0", "acked = -1", "name = 'x'"])
def test_a_lane_that_can_not_be_is_damage(old: History, tmp_path: Path, column: str) -> None:
    started_on(old.content, tmp_path / "data")
    with closing(sqlite3.connect(tmp_path / "data" / FILE, isolation_level=None)) as connection:
        connection.execute(f"UPDATE lane SET {column} WHERE name = 'events'")
    found = started(tmp_path / "data")
    assert len(found.aside) == 1
    assert set(WAITING[Lane.EVENTS]) <= set(found.raws(Lane.EVENTS)) or column == "acked = next"


def test_a_healthy_start_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    prepare(tmp_path / "data")
    assert [each.name for each in (tmp_path / "data").iterdir()] == [FILE]
