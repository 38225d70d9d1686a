"""The ingest role: hears the broker, commits, then acknowledges."""

from __future__ import annotations

import fcntl
import logging
import random
import signal
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cloud_bridge.addresses import Address
from cloud_bridge.alerts.terms import Terms
from cloud_bridge.answers import Answers, Asked
from cloud_bridge.backoff import delays
from cloud_bridge.broker.complaints import Complaints
from cloud_bridge.errors import BadAddress, CloudError
from cloud_bridge.ingest import Letter, unpack
from cloud_bridge.runtime.alerts.wake import Bell
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.runtime.inbox import Heard, Inbox
from cloud_bridge.runtime.link import Link, tls_context
from cloud_bridge.runtime.registry import Challenged, Greeted, Recorded, RegistryWatch, Word
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.database import FILE_NAME, open_writer
from cloud_bridge.store.registry.errors import RegistryFailed
from cloud_bridge.store.registry.registry import Registry
from cloud_bridge.store.telemetry import Telemetry
from config.runtime.ready import announce
from gateway.wire import codec
from gateway.wire.errors import BadTopic, WireError
from gateway.wire.health import Health
from gateway.wire.messages import Heartbeat, Hello, Lane, Offline
from gateway.wire.orders import Challenge, CommandBody
from gateway.wire.topics import Up, parse_up

log = logging.getLogger(__name__)

FLUSH_S = 10.0
"""How often "last heard" is written when nothing else is."""

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 5.0
"""Between tries to write a database that is locked or full."""

LOCK_NAME = "ingest.lock"

Publish = Callable[[str, bytes], None]


class Ingest:
    """Takes messages out of the inbox, many in one transaction, and answers after the commit.

    What can't be written stays with its gateway, unacknowledged, and is tried again. Nothing is taken before the
    registry has said who is revoked.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        inbox: Inbox,
        publish: Publish,
        connected_at: Callable[[], int | None],
        registry: RegistryWatch,
        bell: Bell,
        keep_queue_s: float = Terms().keep_queue_s,
    ) -> None:
        self._telemetry = telemetry
        self._inbox = inbox
        self._publish = publish
        self._connected_at = connected_at
        self._registry = registry
        self._bell = bell
        self._keep_queue_s = keep_queue_s
        self._alarming = False
        self._may_begin = threading.Event()
        self._stopping = threading.Event()
        self._asked = Asked()
        self._heartbeats: dict[str, tuple[int, Heartbeat]] = {}
        self._complaints = Complaints()
        self._started_at = now_ms()
        self._flush_at_s = 0.0
        self._written_connected_at: int | None = None
        self._trouble = ""

    def stop(self) -> None:
        self._stopping.set()
        self._may_begin.set()
        self._inbox.wake()

    def begin(self) -> None:
        """It is known who is revoked."""
        self._may_begin.set()

    def run(self) -> None:
        """Until stopped."""
        self._may_begin.wait()
        while not self._stopping.is_set():
            messages = self._inbox.take(self._flush_at_s - time.monotonic())
            if messages or self._flush_due():
                self._store(messages)

    def _flush_due(self) -> bool:
        return time.monotonic() >= self._flush_at_s or self._connected_at() != self._written_connected_at

    def _store(self, messages: Sequence[Heard]) -> None:
        """Commits and answers, however long the database can't be written."""
        waits = delays(FIRST_RETRY_S, LONGEST_RETRY_S, random.random)
        while not self._stopping.is_set():
            try:
                self._commit_each_if_one_fails(messages)
                self._tell_trouble("")
                return
            except sqlite3.OperationalError as error:
                self._tell_trouble(str(error))
                self._stopping.wait(next(waits))

    def _tell_trouble(self, trouble: str) -> None:
        """A line for each change."""
        if trouble and trouble != self._trouble:
            log.error("the database can't be written: %s; nothing is acknowledged until it can", trouble)
        if self._trouble and not trouble:
            log.warning("the database can be written again")
        self._trouble = trouble

    def _commit_each_if_one_fails(self, messages: Sequence[Heard]) -> None:
        """What breaks as no rule foresaw must not take other messages with it, nor come back for ever."""
        try:
            self._commit(messages)
        except sqlite3.OperationalError:
            raise
        except Exception:  # the loop of this process lives on, whatever one message holds
            log.exception("a transaction failed; its messages are taken one by one")
            for message in messages:
                self._commit_or_bury(message)

    def _commit_or_bury(self, message: Heard) -> None:
        try:
            self._commit([message])
        except sqlite3.OperationalError:
            raise
        except Exception as error:  # as above: this message is set aside, with its reason
            log.exception("a message on %s can't be taken", message.topic)
            gateway, kind = parse_up(message.topic)
            letter = Letter(reason=f"not foreseen: {type(error).__name__}", raw=message.payload, lane=kind)
            with self._telemetry.transaction():
                self._telemetry.bury(gateway, letter, message.received_at)

    def _commit(self, messages: Sequence[Heard]) -> None:
        answers = Answers()
        words: list[Word] = []
        flush, connected_at = self._flush_due(), self._connected_at()
        self._alarming = False
        with self._telemetry.transaction():
            for message in messages:
                self._absorb(message, answers, words)
            if flush:
                self._flush(connected_at)
        if self._alarming:
            self._bell.ring()
        if flush:
            self._heartbeats.clear()
            self._written_connected_at = connected_at
            self._flush_at_s = time.monotonic() + FLUSH_S
        for topic, payload in answers.messages(self._asked, time.monotonic()):
            self._publish(topic, payload)
        for word in words:
            self._registry.say(word)

    def _flush(self, connected_at: int | None) -> None:
        for gateway, (at_ms, heartbeat) in self._heartbeats.items():
            self._telemetry.see(gateway, at_ms, heartbeat.waiting)
        self._telemetry.prune_queue(now_ms() - round(self._keep_queue_s * 1000))
        self._telemetry.live(self._started_at, connected_at)

    def _absorb(self, message: Heard, answers: Answers, words: list[Word]) -> None:
        try:
            gateway, kind = parse_up(message.topic)
        except BadTopic as error:
            # The subscription's third level is the gateway's name.
            self._tell_of(message.topic.split("/")[2], "topic", f"dropped: {error.what}")
            return
        if gateway in (self._registry.revoked or ()):
            return
        try:
            self._take(gateway, kind, message, answers, words)
        except WireError as error:
            letter = Letter(reason=error.what, raw=message.payload, lane=kind)
            self._telemetry.bury(gateway, letter, message.received_at)
            self._tell_of(gateway, kind, f"a message on {kind} goes to the dead letters: {error.what}")

    def _tell_of(self, gateway: str, kind: str, what: str, level: int = logging.WARNING) -> None:
        """One line for what a gateway may repeat as often as it likes."""
        left_out = self._complaints.suffix(gateway, kind, time.monotonic())
        if left_out is not None:
            log.log(level, "gateway %s: %s%s", gateway, what, left_out)

    def _take(self, gateway: str, kind: Up, message: Heard, answers: Answers, words: list[Word]) -> None:
        at_ms, payload = message.received_at, message.payload
        match kind:
            case Up.EVENTS | Up.STATUS:
                words += self._take_batch(gateway, Lane(kind.value), message, answers)
            case Up.HELLO:
                hello = codec.decode(payload, Hello)
                answers.greet(gateway, hello, self._telemetry.greet(gateway, hello, at_ms))
                words.append(Greeted(gateway))
                self._tell_of(gateway, kind, f"says hello, version {hello.version}", logging.INFO)
            case Up.OFFLINE:
                self._telemetry.say_goodbye(gateway, codec.decode(payload, Offline), at_ms)
                return
            case Up.HEARTBEAT:
                self._heartbeats[gateway] = (at_ms, codec.decode(payload, Heartbeat))
                return
            case Up.HEALTH:
                if self._telemetry.keep_health(gateway, codec.decode(payload, Health), at_ms):
                    self._tell_of(gateway, "audit", "its audit log lost lines that it had")
            case Up.CHALLENGE:
                words.append(Challenged(gateway, codec.decode(payload, Challenge)))
        self._telemetry.see(gateway, at_ms)

    def _take_batch(self, gateway: str, lane: Lane, message: Heard, answers: Answers) -> list[Word]:
        verdict = self._telemetry.take(gateway, unpack(lane, message.payload), message.received_at)
        answers.acknowledge(gateway, lane, verdict.ack)
        self._alarming = self._alarming or verdict.alarming
        for letter in verdict.letters:
            what = f"record {letter.number} of {lane} goes to the dead letters: {letter.reason}"
            self._tell_of(gateway, f"record of {lane}", what)
        return [Recorded(entry.body.id) for entry in verdict.entries if isinstance(entry.body, CommandBody)]


def run(settings: CloudSettings) -> None:
    """The ingest role until SIGTERM or SIGINT. Raises CloudError, sqlite3.Error."""
    address, context = settings.bridge_connects_to, tls_context(settings.tls)
    if not address.port:
        raise BadAddress(f"mqtts: {address}: a port of 0 can't be connected to; name the one the broker listens at")
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(settings.data / LOCK_NAME):
        _run(settings, address, context)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two with one client id would throw each other out of the broker for ever. Raises CloudError."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CloudError(f"{lock}: locked, so another ingest runs on this folder") from None
        yield


def _run(settings: CloudSettings, address: Address, context: ssl.SSLContext) -> None:
    _check_registry(settings)
    telemetry = Telemetry(open_writer(settings.data / FILE_NAME), now_ms)
    inbox, ready = Inbox(), threading.Event()

    def changed() -> None:
        if link.connected and not ready.is_set():
            ready.set()
            announce("ingest", str(address))
        inbox.wake()

    def known() -> None:
        ingest.begin()
        link.start()

    link = Link(address, context, inbox.put, changed)
    registry = RegistryWatch(settings.registry_at, settings.data / FILE_NAME, link.publish, known)
    bell = Bell(settings.data)
    kept_s = settings.alerts.keep_queue_s
    ingest = Ingest(telemetry, inbox, link.publish, lambda: link.connected_at, registry, bell, kept_s)
    _call_on_signal(ingest.stop)
    registry.start()
    try:
        ingest.run()
    finally:
        registry.stop()
        link.stop()
        telemetry.close()
        bell.close()


def _check_registry(settings: CloudSettings) -> None:
    """Raises RegistryError if there is none, or another version's; one that is away is waited for."""
    try:
        Registry(settings.registry_at).close()
    except RegistryFailed as error:
        log.debug("%s", error)


def _call_on_signal(stop: Callable[[], None]) -> None:
    """A thread waits for SIGTERM or SIGINT, which no other thread of this process gets from here on."""
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def wait() -> None:
        signal.sigwait(signals)
        stop()

    threading.Thread(target=wait, name="signals", daemon=True).start()
