"""A gateway as the process it is, with simulated units at one end and a cloud at the other; all of it
real."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cloud_bridge.rows import EventFilter, EventRow
from cloud_bridge.runtime.init import init
from cloud_bridge.store.database import FILE_NAME
from cloud_bridge.store.reader import Reader
from gateway.store.schema import FILE
from simulator.runtime.ctl import ask
from tests.cloud_bridge.talker import eventually, free_port
from tests.conftest import Start
from tests.process import PROGRAM, Process

NAME = "pi"
QUICK = "fast_s=0.2&full_s=1&reconnect_s=1"
"""A pace no real unit is asked to bear."""


class Site:
    """`cloud`: the folder of a cloud that has the gateway already; one is made if it is not given."""

    def __init__(self, folder: Path, start: Start, cloud: Path | None = None, name: str = NAME) -> None:
        self.start, self.cloud = start, cloud or folder / "cloud"
        if cloud is None:
            init(self.cloud, f"127.0.0.1:{free_port()}", [name])
        self.config = self.cloud / "gateways" / name / "gateway.yaml"
        self.data = self.config.parent / "data"

    @property
    def outbox(self) -> Path:
        return self.data / FILE

    def broker(self) -> Process:
        return self.start("cloud", "run", "--dir", self.cloud, "--only", "broker", ready=["broker"])

    def ingest(self) -> Process:
        return self.start("cloud", "run", "--dir", self.cloud, "--only", "ingest", ready=["ingest"])

    def unit(self, port: int = 0, *options: str) -> Process:
        listen = ("--modbus-tcp", f"127.0.0.1:{port}", "--control", "127.0.0.1:0")
        return self.start("sim", "run", *listen, *options, ready=["modbus-tcp", "control"])

    def gateway(self, *units: tuple[str, str]) -> Process:
        named = [f"--unit={name}=modbus+tcp://{address}?{QUICK}" for name, address in units]
        return self.start("gateway", "run", "--config", self.config, *named, ready=["gateway"])

    def events(self) -> list[EventRow]:
        if not (self.cloud / "data" / FILE_NAME).exists():
            return []
        with Reader(self.cloud / "data" / FILE_NAME) as reader:
            return list(reader.events(EventFilter()))

    def types(self, unit: str) -> list[str]:
        """Types of a unit's events in their order; those of no unit for ""."""
        return [row.type for row in self.events() if row.unit == unit]

    def wait_for(self, unit: str, types: Sequence[str], gateway: Process) -> list[EventRow]:
        """Waits until exactly these events of a unit are stored; fails with what the gateway logged."""
        try:
            eventually(lambda: self.types(unit) == list(types), f"{unit} should have told {types}")
        except AssertionError as error:
            raise AssertionError(f"{error}, told {self.types(unit)}\n{gateway.stderr}") from error
        return [row for row in self.events() if row.unit == unit]

    def wait_kept(self, count: int) -> None:
        """Waits until so many events are committed to the outbox file, acknowledged or not."""
        with closing(sqlite3.connect(f"file:{self.outbox}?mode=ro", uri=True)) as file:
            counting = "SELECT count(*) FROM record WHERE lane = 'events'"
            eventually(lambda: file.execute(counting).fetchone()[0] == count, f"{count} events kept")


def control(unit: Process, *verb: str) -> None:
    ask(unit.address("control"), " ".join(verb))


def ridethrough(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done
