"""All of it on this machine: simulated units, cloud and gateway as the processes they are."""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from cloud_bridge.folder import Folder
from cloud_bridge.rows import EventFilter
from cloud_bridge.runtime.init import init
from cloud_bridge.runtime.supervise import STEADY_S, Role, RoleMisused, Supervised
from cloud_bridge.store.database import FILE_NAME
from cloud_bridge.store.reader import Reader
from cloud_bridge.views import event_json
from simulator.history import Change
from simulator.rig.errors import FolderInUse, NotDone, NotReady
from simulator.rig.truth import Happened, Stored, transfers
from simulator.runtime.ctl import ask

GATEWAY = "demo"
ROLES = ("broker", "ingest", "alerts")
WIRES = {
    "tcp": ("modbus-tcp", "modbus+tcp"),
    "rtu": ("modbus-rtu", "modbus+rtu"),
    "upslink": ("upslink", "upslink"),
}
"""Listener of `sim run` and scheme of the driver's URL, by a plan's wire."""
READY_S = 60.0
"""Two busy cores may take their time to start seven interpreters."""

LOG_TAIL_CHARS = 500

T = TypeVar("T")


class UnitPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated unit: its wire, its model, more words for `sim run`, parameters of its URL, and more settings of it
    in gateway.yaml. `watched`: it is one of the gateway's.
    """

    name: str
    wire: str
    model: str
    options: tuple[str, ...] = ()
    parameters: str = "unit=1"
    settings: Mapping[str, float] = {}
    watched: bool = True


class World:
    """Units, one gateway, broker, ingest and alerts in `directory`. Every process is started again when it dies.

    `units_only`: neither cloud nor gateway. `later`: which of "cloud" and "gateway" the scene starts itself.
    `roles_apart`: broker, ingest and alerts as children of ours, not of `cloud run`. `steady_s`: who lived so long is
    started again without delay. `environment`: of every process, beside ours.
    """

    def __init__(
        self,
        directory: Path,
        plans: Sequence[UnitPlan],
        *,
        units_only: bool = False,
        later: Collection[str] = (),
        roles_apart: bool = False,
        steady_s: float = STEADY_S,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if directory.exists() and any(directory.iterdir()):
            raise FolderInUse(directory)
        self.directory = directory
        self.plans = tuple(plans)
        self.cloud = Folder(directory / "cloud")
        self.urls: dict[str, str] = {}
        self.roles: dict[str, Supervised] = {}
        self._controls: dict[str, str] = {}
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._units_only = units_only
        self._later = frozenset(later)
        self._environment = environment or {}
        self._roles_apart = roles_apart
        self._steady_s = steady_s

    async def play(self, scene: Callable[[World], Awaitable[T]]) -> T:
        """Starts everything, runs the scene, stops everything: gateway first, units last."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                try:
                    await self._ready(self._open())
                    return await scene(self)
                finally:
                    await self._close()
        except* RoleMisused:
            raise NotReady(self._said()) from None

    @property
    def database(self) -> Path:
        """The telemetry database."""
        return self.cloud.root / "data" / FILE_NAME

    @property
    def gateway_data(self) -> Path:
        """The gateway's own folder: outbox, black box, audit log."""
        return self.cloud.gateway(GATEWAY) / "data"

    async def start_cloud(self) -> None:
        """All its roles, until they serve. Raises NotReady."""
        await self._ready(self._open_cloud())

    async def start_gateway(self) -> None:
        """Until it watches; the cloud need not be there. Raises NotReady."""
        await self._ready(self._open_gateway())

    async def stop(self, name: str) -> None:
        """End a process for good."""
        task = self._keeping.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def restart(self, name: str) -> None:
        """End a process in good order, and wait until the next one serves as it did."""
        role = self.roles[name]
        listeners, starts = tuple(role.addresses), role.starts
        if role.process:
            role.process.terminate()
        await role.wait_started_again(starts)
        for listener in listeners:
            await role.wait_ready(listener)

    async def order(self, unit: str, verb: str) -> None:
        """An order from the cloud, as its owner gives it, carried out. Raises NotDone."""
        command = _command(("cloud", "command", "--dir", str(self.cloud.root), GATEWAY, unit, verb))
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
        said, _ = await process.communicate()
        if process.returncode:
            raise NotDone(f"{verb} of {unit}", said.decode(errors="replace"))

    async def tell(self, unit: str, words: str) -> list[dict[str, Any]]:
        """One line to a unit's control port; the lines of its answer."""
        return await asyncio.to_thread(ask, self._controls[unit], words)

    async def tell_all(self, words: str) -> None:
        """The same line to every unit, at once."""
        await asyncio.gather(*(self.tell(plan.name, words) for plan in self.plans))

    async def changes(self, unit: str) -> list[Change]:
        """The unit's own record of what changed."""
        _, *lines = await self.tell(unit, "history")
        return msgspec.convert(lines, list[Change])

    async def happened(self) -> list[Happened]:
        """Every transfer of every unit, in the order of time."""
        found: list[Happened] = []
        for plan in self.plans:
            found.extend(transfers(plan.name, await self.changes(plan.name)))
        return sorted(found, key=lambda each: each.at)

    def stored(self) -> list[Stored]:
        """Every event in the database, in the order of storing."""
        with Reader(self.database) as reader:
            return [msgspec.json.decode(event_json(row), type=Stored) for row in reader.events(EventFilter())]

    async def _ready(self, opening: Coroutine[Any, Any, None]) -> None:
        try:
            await asyncio.wait_for(opening, READY_S)
        except TimeoutError:
            raise NotReady(self._said()) from None

    def _said(self) -> dict[str, str]:
        """The end of what each process wrote on standard error."""
        logs = {name: role.role.log for name, role in self.roles.items()}
        return {name: log.read_text(errors="replace")[-LOG_TAIL_CHARS:] for name, log in logs.items() if log}

    async def _open(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "logs").mkdir()
        for number, plan in enumerate(self.plans, 1):
            self._start(plan.name, _unit_command(plan, f"AS{number:010}", self.directory))
        for plan in self.plans:
            await self._find(plan)
        if self._units_only:
            return
        self._make_cloud()
        if "cloud" not in self._later:
            await self._open_cloud()
        if "gateway" not in self._later:
            await self._open_gateway()

    def _make_cloud(self) -> None:
        mqtts, https = (f"127.0.0.1:{_free_port()}" for _ in range(2))
        watched = {plan.name: self.urls[plan.name] for plan in self.plans if plan.watched}
        init(self.cloud.root, mqtts, [GATEWAY], https=https, demo=True, units={GATEWAY: watched})
        settings = yaml.safe_load(self._gateway_yaml.read_text())
        for unit, plan in zip(settings.get("units", ()), (plan for plan in self.plans if plan.watched), strict=True):
            unit.update(plan.settings)
        self._gateway_yaml.write_text(yaml.safe_dump(settings))

    @property
    def _gateway_yaml(self) -> Path:
        return self.cloud.gateway(GATEWAY) / "gateway.yaml"

    async def _open_cloud(self) -> None:
        command = ("cloud", "run", "--dir", str(self.cloud.root))
        if self._roles_apart:
            for name in ROLES:
                await self._start(name, (*command, "--only", name)).wait_ready(name)
        else:
            cloud = self._start("cloud", command)
            for name in ROLES:
                await cloud.wait_ready(name)

    async def _open_gateway(self) -> None:
        gateway = self._start("gateway", ("gateway", "run", "--config", str(self._gateway_yaml)))
        await gateway.wait_ready("gateway")

    def _start(self, name: str, words: Sequence[str]) -> Supervised:
        if self._group is None:
            raise RuntimeError("processes are started while the world plays")
        log = self.directory / "logs" / f"{name}.log"
        command = ("/usr/bin/env", *(f"{key}={value}" for key, value in self._environment.items()), *_command(words))
        role = Supervised(Role(name, command, log, apart=True), _heard, steady_s=self._steady_s)
        self.roles[name] = role
        self._keeping[name] = self._group.create_task(role.keep_running(), name=name)
        return role

    async def _find(self, plan: UnitPlan) -> None:
        role = self.roles[plan.name]
        self._controls[plan.name] = await role.wait_ready("control")
        listener, scheme = WIRES[plan.wire]
        address = await role.wait_ready(listener)
        self.urls[plan.name] = f"{scheme}://{address}?{plan.parameters}".rstrip("?")

    async def _close(self) -> None:
        for name in reversed(tuple(self._keeping)):
            await self.stop(name)


def _unit_command(plan: UnitPlan, serial: str, directory: Path) -> tuple[str, ...]:
    where = "127.0.0.1:0" if plan.wire == "tcp" else str(directory / f"{plan.name}.tty")
    listeners = (f"--{WIRES[plan.wire][0]}", where, "--control", "127.0.0.1:0")
    return ("sim", "run", "--model", plan.model, "--name", plan.name, "--serial", serial, *listeners, *plan.options)


def _command(words: Sequence[str]) -> tuple[str, ...]:
    return (sys.executable, "-P", "-c", "from config.cli import main; main()", *words)


def _heard(_listener: str, _address: str) -> None:
    """Ready lines are looked up in Supervised.addresses; nobody else reads them here."""


def _free_port() -> int:
    """A port that was free a moment ago: the gateway's settings name it before the broker listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
