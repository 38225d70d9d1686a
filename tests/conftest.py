"""What every test may use: real peer programs, and programs of ours as real processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn, Protocol

import pytest
from hypothesis import settings

from tests.process import PROGRAM, READY_S, Process

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".peers"

# No deadline an example: two busy cores prove nothing about the code. CI draws the same examples every time.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


class Start(Protocol):
    """Starts a program and returns once each listener in `ready` serves."""

    def __call__(
        self,
        *command: str | Path,
        ready: Sequence[str] = (),
        within_s: float = READY_S,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Process: ...


@pytest.fixture
def start_peer() -> Iterator[Start]:
    """Starts any program; whatever the test leaves running is ended, newest first."""
    started: list[Process] = []

    def start_one(
        *command: str | Path,
        ready: Sequence[str] = (),
        within_s: float = READY_S,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Process:
        process = Process(command, env=env, cwd=cwd)
        started.append(process)
        for name in ready:
            process.address(name, within_s=within_s)
        return process

    yield start_one
    for process in reversed(started):
        process.clean_up()


@pytest.fixture
def start(start_peer: Start) -> Start:
    """Starts `ridethrough ...`: `start("sim", "run", "--control", "127.0.0.1:0", ready=["control"])`."""
    return partial(start_peer, PROGRAM)


@pytest.fixture(scope="session")
def apcupsd_dir() -> Path:
    """The folder with apcupsd's programs, `apcupsd` and `apcaccess`."""
    return _peer("apcupsd/sbin/apcupsd").parent


@pytest.fixture(scope="session")
def lrzsz_dir() -> Path:
    """The folder with lrzsz's programs, `sx` and `rx`: the two ends of XMODEM."""
    return _peer("lrzsz/usr/bin/sx").parent


@pytest.fixture(scope="session")
def mbpoll() -> Path:
    """The program mbpoll, a Modbus master on libmodbus."""
    return _peer("mbpoll/usr/bin/mbpoll")


@pytest.fixture(scope="session")
def nut_dir() -> Path:
    """The folder with NUT's programs: upsd and the drivers in lib/nut, its clients in bin."""
    return _peer("nut/lib/nut/upsd").parents[2]


@pytest.fixture(scope="session")
def mosquitto() -> Path:
    """The broker's program."""
    return _peer("mosquitto/usr/sbin/mosquitto")


def _peer(program: str) -> Path:
    path = PEERS / program
    if not path.exists():
        lacking(f"{path} is not there: run tests/peers/install")
    return path


def lacking(what: str) -> NoReturn:
    """Ends a test for which something is not there: as failed where CI=true, else as skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
