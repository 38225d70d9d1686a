"""Orders on their whole way through a gateway: real envelopes, a real outbox file, and units kept in memory."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drivers.driver import Report
from drivers.ups import Command, Flag, Identity, Outcome, Snapshot, State, Verb
from gateway.audit import Line
from gateway.policy import Policy, UnitPolicy
from gateway.runtime.commands import Commands, Unit
from gateway.runtime.journal import Stamps
from gateway.runtime.outbox import Outbox
from gateway.runtime.prove import Answer, Question, answer
from gateway.seen import Seen
from gateway.settings import GatewaySettings, Tls
from gateway.store.commands import CommandsFile
from gateway.store.outbox import OutboxFile
from gateway.view import UnitSight
from gateway.wire.classes import CommandClass
from gateway.wire.codec import decode_body, decode_record
from gateway.wire.envelope import operator, public_text, seal
from gateway.wire.messages import Clock, Kind, Message, Stamp
from gateway.wire.orders import CLOUD, ORDER, By, Challenge, ChallengeWanted, CommandBody, Order
from gateway.wire.topics import Down, Up
from tests.gateway.polled import outbox_in

GATEWAY, UNIT, SERIAL = "pi", "rack-1", "AS1"
CLOUD_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ALICE = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
MALLORY = Ed25519PrivateKey.from_private_bytes(bytes(range(64, 96)))
BY_CLOUD = ((CLOUD, CLOUD_KEY),)
BY_BOTH = (*BY_CLOUD, (operator("alice"), ALICE))

NOW_MS = 1_795_489_200_000
REPORTED = frozenset({Flag.REPLACE_BATTERY, Flag.BATTERY_DISCONNECTED, Flag.OUTPUT_OVERLOAD})
IDENTITY = Identity(serial=SERIAL, reported_flags=REPORTED)
ALLOWED = Policy(
    allow=tuple(CommandClass),
    operators={"alice": public_text(ALICE.public_key())},
    units={UNIT: UnitPolicy(feeds={1: ()})},
)

_ids = itertools.count(1)


def well(at_ms: int = NOW_MS) -> Snapshot:
    """A unit to which nothing can be objected."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return Snapshot(at=at, full_at=at, state=State.ONLINE, charge_pct=100.0, load_pct=45.0)


class HandClock:
    """A clock that is set by hand, whose wall and monotonic time can part."""

    def __init__(self) -> None:
        self.at = NOW_MS
        self.mono = 1_000_000
        self.quality = Clock.SYNCHRONISED

    def stamp(self) -> Stamp:
        return Stamp(at=self.at, boot="b", mono=self.mono, clock=self.quality.value)

    def passes(self, seconds: float) -> None:
        self.at += round(seconds * 1000)
        self.mono += round(seconds * 1000)


class MemoryUnit:
    """A unit that obeys at once and keeps what it was told. `busy`: until it is set, it takes its time; `line`: until
    then something else has its line."""

    def __init__(self, name: str = UNIT, identity: Identity | None = IDENTITY) -> None:
        self.name = name
        self.identity = identity
        self.stranger: str | None = None
        self.snapshot = well()
        self.executed: list[Command] = []
        self.fails: Exception | None = None
        self.looked = 0
        self.began = asyncio.Event()
        self.busy = asyncio.Event()
        self.busy.set()
        self.line = asyncio.Event()
        self.line.set()

    async def execute(self, command: Command, before: Callable[[], None]) -> Report:
        await self.line.wait()
        before()
        self.executed.append(command)
        self.began.set()
        await self.busy.wait()
        if self.fails is not None:
            raise self.fails
        return Report(outcome=Outcome.DONE, detail="as asked")

    async def look(self) -> Snapshot:
        self.looked += 1
        if self.fails is not None:
            raise self.fails
        return self.snapshot

    def sight(self) -> UnitSight:
        return UnitSight(name=self.name, url="memory://", fast_s=1.0, identity=self.identity, stranger=self.stranger)


class Bench:
    def __init__(self, folder: Path, outbox: Outbox, policy: Policy = ALLOWED) -> None:
        self.clock = HandClock()
        self.stamps: Stamps = self.clock
        self.outbox = outbox
        self.said: list[tuple[Up, Message]] = []
        self.proved = asyncio.Event()
        self.unit = MemoryUnit()
        self.units: dict[str, Unit] = {UNIT: self.unit}
        key = folder / "command.pem"
        if not key.exists():
            key.write_bytes(CLOUD_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        self.settings = GatewaySettings(
            gateway=GATEWAY,
            cloud="mqtts://127.0.0.1:1",
            tls=Tls(Path("ca"), Path("certificate"), Path("key")),
            data=folder,
            command_key=key,
        )
        self.commands = self.new(policy)

    def new(self, policy: Policy = ALLOWED) -> Commands:
        return Commands(self.settings, policy, self.units, self.outbox, self.stamps, self._publish, self._prove)

    async def _prove(self, question: Question) -> Answer:
        """What a child would find, found in this process: thousands of orders are looked at here."""
        self.proved.set()
        return answer(question)

    def _publish(self, kind: Up, message: Message) -> bool:
        self.said.append((kind, message))
        return True

    def order(self, verb: Verb = Verb.BEEP, **fields: object) -> Order:
        order = Order(
            id=f"{next(_ids):032x}",
            gateway=GATEWAY,
            unit=UNIT,
            serial=SERIAL,
            verb=verb,
            by=By(role="owner", name="Ann"),
            issued_at=self.clock.at,
            expires_at=self.clock.at + 120_000,
        )
        return msgspec.structs.replace(order, **fields)

    def challenged(self, order: Order) -> Order:
        """The order with a challenge that the gateway has just issued for it."""
        before = len(self.said)
        self.commands.received(Down.CHALLENGE, msgspec.json.encode(ChallengeWanted(id=order.id)))
        (answer,) = self.said[before:]
        assert isinstance(answer[1], Challenge)
        return msgspec.structs.replace(order, challenge=answer[1].challenge)

    def hand_in(self, order: Order, keys: tuple[tuple[str, Ed25519PrivateKey], ...] = BY_CLOUD) -> bytes:
        """Send an order; the bytes that were sent. It is not waited for."""
        raw = msgspec.json.encode(seal(ORDER, order, keys))
        self.commands.received(Down.COMMAND, raw)
        return raw

    async def send(self, order: Order, keys: tuple[tuple[str, Ed25519PrivateKey], ...] = BY_CLOUD) -> list[str]:
        """Send an order and wait until nothing goes on; the stages and reasons that were told of it."""
        self.hand_in(order, keys)
        await self.settled()
        return [f"{body.stage.value} {body.reason}" for body in await self.bodies() if body.id == order.id]

    async def settled(self) -> None:
        running = [task for task in asyncio.all_tasks() if task.get_name().startswith("command ")]
        await asyncio.gather(*running)
        await self.outbox.flushed()

    def mains_were_good(self, seconds: float = 305.0, load_pct: float = 45.0, name: str = UNIT) -> None:
        """Readings, five seconds apart, of mains that are good for so long."""
        began_s = -seconds
        for _ in range(round(seconds / 5) + 1):
            self.sees(name, well(), began_s, load_pct)
            began_s += 5

    def sees(self, name: str, snapshot: Snapshot, seconds: float = 0.0, load_pct: float = 45.0) -> None:
        stamp = msgspec.structs.replace(self.clock.stamp(), mono=self.clock.mono + round(seconds * 1000))
        shown = msgspec.structs.replace(snapshot, load_pct=load_pct)
        self.commands.watch(Seen(unit=name, snapshot=shown, full=True, identity=IDENTITY, stamp=stamp))

    async def bodies(self) -> list[CommandBody]:
        """What the events lane of the file says of commands, oldest first."""

        def records(file: OutboxFile) -> list[bytes]:
            rows = file.connection.execute("SELECT raw FROM record WHERE lane = 'events' ORDER BY first")
            return [bytes(row[0]) for row in rows]

        found = [decode_record(raw) for raw in await self.outbox.writer.submit(records)]
        return [decode_body(record, CommandBody) for record in found if record.kind == Kind.COMMAND]

    async def audit(self) -> list[Line]:
        return await self.outbox.writer.submit(lambda file: list(CommandsFile(file.connection).lines()))


@asynccontextmanager
async def bench(folder: Path, policy: Policy = ALLOWED) -> AsyncIterator[Bench]:
    async with outbox_in(folder) as outbox:
        made = Bench(folder, outbox, policy)
        await made.commands.open()
        yield made
        await made.commands.close()
