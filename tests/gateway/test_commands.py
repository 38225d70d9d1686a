"""An order from the cloud, from its bytes to what the unit was told and what was written down of it."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from drivers.errors import LineDown
from drivers.ups import Command, Outcome, Verb
from gateway.audit import Head, entry, verify
from gateway.policy import Policy
from gateway.runtime.commands import WAITING_AT_MOST
from gateway.store.outbox import OutboxFile
from gateway.store.schema import FILE
from gateway.unproven import LOOKED_AT_MOST, TOLD_EVERY_S, WINDOW_S
from gateway.wire.classes import CommandClass
from gateway.wire.orders import CLOUD, Stage
from gateway.wire.topics import Down
from tests.gateway.commanded import (
    BY_BOTH,
    MALLORY,
    SERIAL,
    UNIT,
    Bench,
    bench,
    well,
)
from tests.gateway.polled import outbox_in

DONE = ["accepted accepted", "finished done"]


async def test_a_quiet_order_is_done_once_and_every_step_of_it_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        order = at.order(Verb.BEEP)
        assert await at.send(order) == DONE
        assert at.unit.executed == [Command(verb=Verb.BEEP, serial=SERIAL)]
        accepted, finished = await at.bodies()
        lines = {line.digest: entry(line) for line in await at.audit()}
        assert (finished.verb, finished.serial, finished.by, finished.outcome) == (
            "beep",
            SERIAL,
            order.by,
            Outcome.DONE,
        )
        assert lines[accepted.audit].stage == "accepted"
        assert (lines[finished.audit].outcome, lines[finished.audit].by) == ("done", "owner Ann")


async def test_what_an_order_says_reaches_the_unit_whole(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        order = at.order(Verb.OUTLET_REBOOT, groups=(1,), use_off_delay=True, use_on_delay=True, cold_boot=True)
        assert await at.send(at.challenged(order), BY_BOTH) == DONE
        assert at.unit.executed == [
            Command(
                verb=Verb.OUTLET_REBOOT,
                serial=SERIAL,
                groups=(1,),
                use_off_delay=True,
                use_on_delay=True,
                cold_boot=True,
            )
        ]
        assert (await at.bodies())[0].detail == "signed by alice too"


async def test_a_repeated_order_is_answered_by_nothing_new(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        done, refused = at.order(Verb.BEEP), at.order(Verb.SHUTDOWN)
        assert await at.send(done) == DONE
        assert await at.send(refused) == ["refused challenge_missing"]
        before = len(await at.audit())
        at.clock.passes(3600)
        assert await at.send(done) == DONE
        assert await at.send(refused) == ["refused challenge_missing"]
        assert len(at.unit.executed) == 1
        assert len(await at.audit()) == before


async def test_a_repetition_that_comes_while_the_first_is_under_way_is_dropped(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.unit.busy.clear()
        order = at.order(Verb.BEEP)
        at.hand_in(order)
        await at.unit.began.wait()
        at.hand_in(order)
        at.unit.busy.set()
        await at.settled()
        assert len(at.unit.executed) == 1


async def test_an_order_is_done_at_most_once_across_restarts(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        order = at.order(Verb.BEEP)
        assert await at.send(order) == DONE
    async with bench(tmp_path) as at:
        assert await at.send(order) == DONE
        assert at.unit.executed == []


async def test_a_restart_between_acceptance_and_outcome_ends_in_unknown_and_nothing_is_sent_again(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as at:
        order = at.order(Verb.BEEP)
        assert await at.send(order) == DONE
    with closing(sqlite3.connect(tmp_path / FILE)) as file:  # as a kill would have left it
        (body,) = file.execute("SELECT body FROM command").fetchone()
        kept = {**json.loads(body), "stage": "accepted"}
        del kept["outcome"]
        file.execute("UPDATE command SET stage = 'accepted', body = ?", (json.dumps(kept).encode(),))
        file.commit()
    async with bench(tmp_path) as at:
        assert await at.send(order) == [*DONE, "finished gateway_restarted"]
        assert (await at.bodies())[-1].outcome is Outcome.UNKNOWN
        assert at.unit.executed == []
    async with bench(tmp_path) as at:
        assert await at.send(order) == [*DONE, "finished gateway_restarted"]


async def test_nothing_is_sent_before_the_acceptance_is_on_the_disk(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        order = at.order(Verb.BEEP)
        at.unit.busy.clear()
        at.hand_in(order)
        await at.unit.began.wait()
        with closing(sqlite3.connect(f"file:{tmp_path / FILE}?mode=ro", uri=True)) as other:
            stage = other.execute("SELECT stage FROM command WHERE id = ?", (order.id,)).fetchone()
            records = other.execute("SELECT count(*) FROM record WHERE instr(raw, ?)", (order.id.encode(),)).fetchone()
        assert (stage, records) == (("accepted",), (1,))
        at.unit.busy.set()
        await at.settled()


async def test_an_order_is_not_judged_while_the_disk_does_not_say_whether_it_was_done(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        order = at.order()
        await at.outbox.writer.submit(lambda file: _renamed(file, "command", "hidden"))
        assert await at.send(order) == []
        await at.outbox.writer.submit(lambda file: _renamed(file, "hidden", "command"))
        assert await at.send(order) == DONE
        assert len(at.unit.executed) == 1


async def test_what_the_disk_does_not_take_is_not_sent_and_the_cloud_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.outbox.writer.submit(_takes_no_more)
        orders = [at.order() for _ in range(40)]
        for order in orders:
            await at.send(order)
        assert 0 < len(at.unit.executed) < len(orders)
        await at.outbox.writer.submit(_takes_more)
        at.outbox.moved()  # what is owed to the disk is tried again
        await at.outbox.flushed()
        told = [
            [f"{each.stage} {each.reason}" for each in await at.bodies() if each.id == order.id] for order in orders
        ]
        assert told.count(DONE) == len(at.unit.executed)
        assert told.count(["accepted accepted", "finished not_kept"]) == len(orders) - len(at.unit.executed)
        assert isinstance(verify(await at.audit()), Head)


async def test_an_error_of_the_line_before_anything_was_written_is_no_unknown_outcome(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.unit.fails = LineDown(1.0, "gone")
        assert await at.send(at.order(Verb.BEEP)) == ["accepted accepted", "finished not_sent"]
        assert (await at.bodies())[-1].outcome is Outcome.NOT_TAKEN


async def test_forged_orders_fill_neither_log_nor_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with bench(tmp_path) as at:
        with caplog.at_level(logging.WARNING):
            for _ in range(50):
                at.hand_in(at.order(), ((CLOUD, MALLORY),))
                await at.settled()
            at.clock.passes(TOLD_EVERY_S)
            at.hand_in(at.order(), ((CLOUD, MALLORY),))
        await at.settled()
        lines = [entry(line) for line in await at.audit()]
        assert [line.what for line in lines] == ["policy", "envelope", "envelope"]
        assert lines[-1].detail.startswith("50 since the last such line")
        assert len(caplog.records) == 2
        assert at.unit.executed == []
        year = 365 * 24 * 3600 / TOLD_EVERY_S * len((await at.audit())[-1].text)
        assert year < 10_000_000, "of a log that is never cut, whoever owns the broker fills so much"


async def test_after_a_flood_of_forged_orders_a_true_one_that_is_repeated_is_taken(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for _ in range(LOOKED_AT_MOST):
            await at.send(at.order(), ((CLOUD, MALLORY),))
        order = at.order()
        assert await at.send(order) == []
        at.clock.passes(WINDOW_S)
        assert await at.send(order) == DONE


async def test_a_flood_of_orders_waits_for_the_cloud_to_say_them_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.unit.busy.clear()
        orders = [at.order() for _ in range(WAITING_AT_MOST + 5)]
        for order in orders:
            at.hand_in(order)
        at.unit.busy.set()
        await at.settled()
        assert len(at.unit.executed) == WAITING_AT_MOST
        for order in orders:
            at.hand_in(order)
        await at.settled()
        assert len(at.unit.executed) == len(orders)


async def test_closing_waits_for_what_was_accepted_and_begins_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.unit.busy.clear()
        first, second = at.order(), at.order()
        at.hand_in(first)
        await at.unit.began.wait()
        at.hand_in(second)
        closing_ = asyncio.ensure_future(at.commands.close())
        at.unit.busy.set()
        await closing_
        await at.outbox.flushed()
        assert [(body.id, body.stage) for body in await at.bodies()] == [
            (first.id, Stage.ACCEPTED),
            (first.id, Stage.FINISHED),
        ]
        assert await at.send(at.order()) == []


async def test_the_audit_log_is_one_chain_across_restarts_and_its_head_is_known(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        await at.send(at.order())
        at.commands.noted("certificate", detail="renewed")
        await at.settled()
    async with bench(tmp_path) as at:
        await at.send(at.order(serial="AS2"))
        found = verify(await at.audit())
        assert isinstance(found, Head)
        assert (found.digest, found.length) == at.commands.head
        whats = [entry(line).what for line in await at.audit()]
        assert whats == ["policy", "command", "command", "certificate", "command"]


async def test_another_policy_and_another_unit_under_a_name_are_lines_of_the_audit_log(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.sees(UNIT, well())
        at.sees(UNIT, well())
    async with bench(tmp_path) as at:
        at.sees(UNIT, well())
        at.commands.replace(Policy(allow=(CommandClass.TO_BATTERY,)))
        await at.settled()
        lines = [entry(line) for line in await at.audit()]
        assert [(line.what, line.reason) for line in lines] == [
            ("policy", "changed"),
            ("unit", "pinned"),
            ("policy", "changed"),
        ]
        assert lines[1].serial == SERIAL


async def test_without_the_clouds_key_no_order_is_taken_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with outbox_in(tmp_path) as outbox:
        at = Bench(tmp_path, outbox)
        for key in (None, tmp_path / "nowhere.pem"):
            at.settings = msgspec.structs.replace(at.settings, command_key=key)
            at.commands = at.new()
            caplog.clear()
            at.hand_in(at.order())
            at.hand_in(at.order())
            await at.settled()
            assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert at.unit.executed == []


async def test_nothing_that_the_cloud_says_raises_or_stops_the_next_order(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for payload in (b"", b"\x78\x9c", b"{}", b"[" * 9000, b'{"id":"' + b"z" * 32 + b'"}', b"\xff" * 20):
            for kind in Down:
                at.commands.received(kind, payload)
        assert await at.send(at.order()) == DONE


async def test_an_error_nobody_expects_ends_the_gateway_and_is_not_lost(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.unit.fails = ZeroDivisionError()
        at.hand_in(at.order())
        with pytest.raises(ZeroDivisionError):
            await at.outbox.failed


def _renamed(file: OutboxFile, table: str, to: str) -> None:
    file.connection.execute(f"ALTER TABLE {table} RENAME TO {to}")


def _takes_no_more(file: OutboxFile) -> None:
    (pages,) = file.connection.execute("PRAGMA page_count").fetchone()
    file.connection.execute(f"PRAGMA max_page_count = {pages}")


def _takes_more(file: OutboxFile) -> None:
    file.connection.execute("PRAGMA max_page_count = 1000000")
