"""Supervised roles, with programs made for the purpose and with the real ones."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import msgspec
import psutil
import pytest

from cloud_bridge.backoff import delays
from cloud_bridge.runtime.init import init
from cloud_bridge.runtime.roles import roles_of
from cloud_bridge.runtime.supervise import Role, RoleMisused, Supervised, supervise
from cloud_bridge.settings import CloudSettings
from config.runtime.files import load
from tests.cloud_bridge.talker import free_port
from tests.conftest import Start
from tests.process import Process

SERVES = "import signal; print('ready: one here', flush=True); print('noise', flush=True); signal.pause()"


def script(code: str) -> Role:
    return Role("role", (sys.executable, "-c", code))


@asynccontextmanager
async def supervised(role: Role) -> AsyncIterator[tuple[Supervised, list[tuple[str, str]]]]:
    told: list[tuple[str, str]] = []
    playing = Supervised(role, lambda name, address: told.append((name, address)))
    task = asyncio.create_task(supervise([playing]))
    try:
        yield playing, told
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_roles_ready_line_is_heard_and_other_lines_are_not() -> None:
    async with supervised(script(SERVES)) as (role, told):
        assert await role.wait_ready("one") == "here"
        assert told == [("one", "here")]


async def test_a_role_that_is_killed_is_started_again_and_told_ready_again() -> None:
    async with supervised(script(SERVES)) as (role, told):
        await role.wait_ready("one")
        first = role.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await role.wait_started_again(1)
        await role.wait_ready("one")
        assert role.pid != first
        assert told == [("one", "here")] * 2


async def test_stopping_ends_a_role_by_sigterm() -> None:
    async with supervised(script(SERVES)) as (role, _):
        await role.wait_ready("one")
        process = role.process
    assert process is not None
    assert process.returncode == -signal.SIGTERM


async def test_a_role_whose_settings_are_wrong_is_not_started_again() -> None:
    playing = Supervised(script("raise SystemExit(2)"), lambda _name, _address: None)
    with pytest.raises(RoleMisused) as raised:
        await supervise([playing])
    assert raised.value.role is playing.role
    assert playing.starts == 1


async def test_a_role_that_dies_again_and_again_is_told_twice_and_tried_more_slowly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with supervised(script("raise SystemExit(1)")) as (role, _):
        await role.wait_started_again(3)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == [
        "role ended with exit status 1; it is started again at once",
        "role ended with exit status 1 again; it is started ever more slowly, up to 15 s apart",
    ]


async def test_a_line_without_end_is_passed_over() -> None:
    long = "print('ready: ' + 'x' * 100_000, flush=True); " + SERVES
    async with supervised(script(long)) as (role, _):
        assert await role.wait_ready("one") == "here"


def test_delays_double_up_to_the_longest_and_keep_at_least_their_half() -> None:
    assert list(islice(delays(1, 5, lambda: 0.0), 5)) == [0.5, 1, 2, 2.5, 2.5]
    assert [round(wait, 6) for wait in islice(delays(1, 5, lambda: 1.0), 5)] == [1, 2, 4, 5, 5]


ROLES = ["broker", "ingest", "enrol", "alerts", "api"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init(tmp_path / "cloud", f"127.0.0.1:{free_port()}", ["pi-a"], https=f"127.0.0.1:{free_port()}")
    return tmp_path / "cloud"


@pytest.fixture
def running(folder: Path, start: Start) -> Process:
    return start("cloud", "run", "--dir", folder, ready=ROLES)


def children(process: Process) -> dict[str, psutil.Process]:
    """Its roles by name."""
    return {child.cmdline()[-1]: child for child in psutil.Process(process.pid).children()}


def test_cloud_run_plays_all_roles_in_one_process_group(running: Process) -> None:
    roles = children(running)
    assert set(roles) == set(ROLES)
    assert {os.getpgid(role.pid) for role in roles.values()} == {os.getpgid(running.pid)}
    assert all(line.startswith("ready: ") for line in running.stdout.splitlines())


@pytest.mark.parametrize("name", ROLES)
def test_a_role_that_dies_is_started_again(running: Process, name: str) -> None:
    children(running)[name].kill()
    running.said(f"ready: {name}", times=2)
    running.logged(f"{name} was ended by SIGKILL; it is started again at once")


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_roles(running: Process, with_signal: signal.Signals) -> None:
    roles = children(running)
    assert running.interrupt(with_signal) == 0
    assert not any(role.is_running() for role in roles.values())


def test_roles_end_when_their_supervisor_is_killed(running: Process) -> None:
    roles = list(children(running).values())
    running.kill()
    _, alive = psutil.wait_procs(roles, timeout=10)
    assert alive == []


def test_a_role_that_cannot_run_as_it_is_set_up_ends_all_with_status_2(folder: Path, start: Start) -> None:
    data = folder / "data" / "telemetry.db"
    data.write_bytes(b"somebody's novel " * 1000)
    process = start("cloud", "run", "--dir", folder)
    assert process.ended(within_s=30) == 2
    assert str(data) in process.stderr


def test_a_broker_of_ones_own_is_not_run(folder: Path) -> None:
    settings = load(folder / "cloud.yaml", CloudSettings)
    assert [role.name for role in roles_of(folder, settings)] == ROLES
    own = msgspec.structs.replace(settings, broker="mqtts://broker.example.net:8883")
    assert [role.name for role in roles_of(folder, own)] == ROLES[1:]


def test_links_are_served_where_an_address_for_them_is_named(folder: Path) -> None:
    settings = load(folder / "cloud.yaml", CloudSettings)
    served = msgspec.structs.replace(settings, listen_links="127.0.0.1:0")
    assert [role.name for role in roles_of(folder, served)] == [*ROLES, "links"]
