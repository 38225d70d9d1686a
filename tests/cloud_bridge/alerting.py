"""A cloud without broker and ingest: what gateways say is stored by the test, and the alerts role makes mails of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import msgspec
import yaml

from cloud_bridge.alerts.model import Alert
from cloud_bridge.alerts.notice import Notification
from cloud_bridge.alerts.terms import Channel, Device, Owner, Policy
from cloud_bridge.folder import Folder
from cloud_bridge.rows import EventFilter
from cloud_bridge.runtime.alerts.wake import ring
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.init import init, open_folder
from cloud_bridge.runtime.vault import Vault
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.database import FILE_NAME, open_writer
from cloud_bridge.store.reader import Reader
from cloud_bridge.store.registry import alerting, people, values, wishes
from cloud_bridge.store.registry.alert_tables import notifications
from cloud_bridge.store.registry.migrate import migrate
from cloud_bridge.store.registry.registry import Registry
from cloud_bridge.store.telemetry import Telemetry
from drivers.ups import Severity
from gateway.wire.messages import EventBody, Hello, Kind, Lane, LaneRange, Stamp, StatusBody
from tests.cloud_bridge.notify.peers import Mailbox, mail_server
from tests.cloud_bridge.talker import eventually
from tests.cloud_bridge.words import STREAM, parcel, record
from tests.conftest import Start
from tests.process import Process

G = "pi-a"
OWNER_ADDRESS = "ada@example.net"


class Mails:
    """A real mail server in a thread of its own."""

    def __init__(self, box: Mailbox) -> None:
        self.box = box

    @property
    def all(self) -> list[EmailMessage]:
        return self.box.messages

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.all]

    def wait(self, count: int, *, within_s: float = 20.0) -> list[str]:
        eventually(
            lambda: len(self.box.letters) >= count, f"{count} mails did not come: {self.subjects}", within_s=within_s
        )
        return self.subjects


@contextmanager
def mails() -> Iterator[Mails]:
    boxes: list[Mailbox] = []
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        async with mail_server() as box:
            loops.append(asyncio.get_running_loop())
            boxes.append(box)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="mail server")
    thread.start()
    assert ready.wait(20)
    try:
        yield Mails(boxes[0])
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


class House:
    """A cloud's folder with one owner, her mail channel and policy, and units of hers."""

    def __init__(
        self,
        folder: Path,
        mail_port: int,
        *,
        units: Sequence[str] = ("rack-1",),
        registry: str = "",
        per_minute: int = 600,
        **terms: object,
    ) -> None:
        self.root = folder
        init(folder, "127.0.0.1:8883", [G])
        self.change(
            smtp={
                "host": "127.0.0.1",
                "port": mail_port,
                "security": "none",
                "sender": "Ridethrough <ups@example.net>",
            },
            alerts={"on_battery_hold_s": 0, "end_hold_s": 0, **terms},
            **({"registry": registry} if registry else {}),
        )
        if registry:
            migrate(registry)
        self.telemetry = Telemetry(open_writer(self.database), now_ms)
        self.numbers: dict[str, int] = {}
        self.statuses = 0
        self._settle_in(per_minute)
        self.devices = {device.unit: device for device in self.owns({G: units})}

    def change(self, **sections: object) -> None:
        """Settings, for the next start."""
        path = Folder(self.root).settings
        settings = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**settings, **sections}))

    @property
    def settings(self) -> CloudSettings:
        return open_folder(self.root)[1]

    @property
    def database(self) -> Path:
        return self.root / "data" / FILE_NAME

    def close(self) -> None:
        self.telemetry.close()

    def registry(self) -> Registry:
        return Registry(self.settings.registry_at)

    def _settle_in(self, per_minute: int) -> None:
        vault = Vault(self.settings.channel_key)
        with self.registry() as registry, registry.writing(noticed=True) as connection:
            self.owner = values.added(connection, Owner(id=0, name="ada", email=OWNER_ADDRESS))
            channel = Channel(
                id=0, owner=self.owner.id, name="mail", kind="mail", target=OWNER_ADDRESS, per_minute=per_minute
            )
            self.channel = wishes.add_channel(connection, channel, vault.seal(channel.target))
            policy = Policy(id=0, owner=self.owner.id, name="default", channel=self.channel.id, group_s=0)
            self.policy = wishes.add_policy(connection, policy)

    def owns(self, units: Mapping[str, Sequence[str]]) -> list[Device]:
        """Devices, by gateway."""
        with self.registry() as registry, registry.writing(noticed=True) as connection:
            return [
                people.add_device(connection, Device(id=0, gateway=gateway, unit=unit, owner=self.owner.id))
                for gateway, names in units.items()
                for unit in names
            ]

    def add_channel(self, name: str, target: str) -> Channel:
        """Another mail channel of the owner, with a policy for everything."""
        vault = Vault(self.settings.channel_key)
        with self.registry() as registry, registry.writing(noticed=True) as connection:
            channel = Channel(id=0, owner=self.owner.id, name=name, kind="mail", target=target, per_minute=600)
            channel = wishes.add_channel(connection, channel, vault.seal(target))
            policy = Policy(id=0, owner=self.owner.id, name=name, channel=channel.id, group_s=0)
            wishes.add_policy(connection, policy)
        return channel

    def asks(self, alert: str, verb: alerting.Verb, text: str = "", by: str = "ada") -> None:
        """As the command line and the API do."""
        with self.registry() as registry, registry.writing(noticed=True) as connection:
            alerting.ask(connection, alert, verb, text, by, now_ms())
        ring(self.root / "data")

    def role(self, start: Start) -> Process:
        return start("cloud", "run", "--dir", self.root, "--only", "alerts", ready=["alerts"])

    # --- what the gateway says

    def says_hello(self, conn: str = "c1", next_: int = 1, gateway: str = G) -> None:
        lanes = {lane: LaneRange(stream=STREAM, oldest=1, next=next_ if lane is Lane.EVENTS else 1) for lane in Lane}
        hello = Hello(conn=conn, version="1", stamp=now_stamp(), host="pi", lanes=lanes)
        with self.telemetry.transaction():
            self.telemetry.greet(gateway, hello, now_ms())
            self.telemetry.see(gateway, now_ms())

    def tells(
        self,
        *types: str,
        unit: str = "rack-1",
        gateway: str = G,
        poke: bool = True,
        received_at: int | None = None,
        **details: object,
    ) -> None:
        """Events of one unit, in one transaction, as ingest stores them."""
        said = [(unit, type_, details) for type_ in types]
        self.tells_all(said, gateway=gateway, poke=poke, received_at=received_at)

    def tells_all(
        self,
        said: Sequence[tuple[str, str, dict[str, object]]],
        *,
        gateway: str = G,
        poke: bool = True,
        received_at: int | None = None,
    ) -> None:
        first = self.numbers.get(gateway, 0) + 1
        raws = [event_of(unit, type_, first + n, details) for n, (unit, type_, details) in enumerate(said)]
        with self.telemetry.transaction():
            for begin in range(0, len(raws), 100):
                some = parcel(first + begin, *raws[begin : begin + 100])
                self.telemetry.take(gateway, some, now_ms() if received_at is None else received_at)
        self.numbers[gateway] = first + len(raws) - 1
        if poke:
            ring(self.root / "data")

    def reports(self, unit: str = "rack-1", **values: object) -> None:
        """A full status of a unit, live."""
        number = self.statuses = self.statuses + 1
        raws = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in values.items()}
        one = record(Kind.STATUS, StatusBody(values=raws, full=True), unit=unit, stamped=now_stamp())
        with self.telemetry.transaction():
            self.telemetry.take(G, parcel(number, one, lane=Lane.STATUS), now_ms())

    # --- what became of it

    def alerts(self, **wanted: object) -> list[Alert]:
        with self.registry() as registry, registry.reading() as connection:
            return alerting.listed(connection, count=100_000, **wanted)  # type: ignore[arg-type]  # listed() checks nothing

    def notifications(self) -> list[Notification]:
        with self.registry() as registry, registry.reading() as connection:
            ids = list(connection.execute(notifications.select()).scalars())
            return alerting.find_notifications(connection, ids)

    def stored(self) -> int:
        with Reader(self.database) as reader:
            return len(list(reader.events(EventFilter())))


def event_of(unit: str, type_: str, number: int, details: dict[str, object]) -> bytes:
    body = EventBody(type=type_, severity=Severity.INFORMATIONAL, details={"number": number, **details})  # type: ignore[dict-item]  # scalars
    return record(Kind.EVENT, body, unit=unit, stamped=now_stamp())


def now_stamp() -> Stamp:
    at = now_ms()
    return Stamp(at=at, boot="boot", mono=at % 1_000_000_000, clock="synchronised")


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())
