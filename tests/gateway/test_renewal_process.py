"""Renewal at work: its process, its files, and connections to a broker that takes whom it likes."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509

from gateway.enrolment import load_key, pem
from gateway.renewal import Outcome, Task
from gateway.runtime import pair
from gateway.runtime.clock import SystemClock
from gateway.runtime.renew import perform
from gateway.runtime.renewal import Renewal
from gateway.settings import GatewaySettings, Tls
from gateway.wire import enrolment as wire
from gateway.wire.messages import Clock
from tests.cloud_bridge.talker import eventually
from tests.gateway.desk import Desk, refused
from tests.gateway.papers import DAY, NOW, Papers, gateway_pair, new_key, usable

WAIT_S = 30.0


class RightClock(SystemClock):
    """As a machine has it whose NTP works."""

    def quality(self) -> Clock:
        return Clock.SYNCHRONISED


class UnsetClock(SystemClock):
    """As a Pi has it that has just come up."""

    def quality(self) -> Clock:
        return Clock.UNSYNCHRONISED


class Place:
    """A gateway's folder, the cloud's enrolment endpoint, and a broker that believes `taken`."""

    def __init__(
        self, folder: Path, desk: Desk, days: float, clock: SystemClock | None = None, tls: Tls | None = None
    ) -> None:
        self.desk = desk
        self.folder = folder
        self.tls = tls or gateway_pair(folder / "gateway", desk.services, desk.gateways, ends=NOW + days * DAY)
        self.settings = GatewaySettings(
            gateway="pi", cloud="mqtts://127.0.0.1:8883", tls=self.tls, data=folder, enrolment=desk.url
        )
        self.changes = asyncio.Queue[bool]()
        self.renewal = Renewal(self.settings, clock or RightClock(), lambda: self.changes.put_nowait(True))

    @property
    def new(self) -> Tls:
        return pair.beside(self.tls)

    def serial(self, tls: Tls) -> str:
        return f"{x509.load_pem_x509_certificate(tls.certificate.read_bytes()).serial_number:X}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Renewal]:
        task = asyncio.create_task(self.renewal.run())
        try:
            yield self.renewal
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def changed(self) -> None:
        await asyncio.wait_for(self.changes.get(), WAIT_S)

    async def connects(self, *believed: Papers, context: ssl.SSLContext | None = None) -> str:
        """As the gateway does it: what it connects with is told by the broker, which believes `believed`."""
        server = self.desk.services.server(self.folder / "broker")
        server.verify_mode = ssl.CERT_REQUIRED
        for each in believed:
            server.load_verify_locations(cadata=pem(each.certificate))
        try:
            return await _shown(server, context or self.renewal.context())
        except (OSError, asyncio.IncompleteReadError) as error:
            self.renewal.failed(str(error))
            return ""


async def _shown(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """Serial number of the certificate that a client showed and the server took."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("peercert")
        writer.write(certificate["serialNumber"].lstrip("0").encode())
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server) as serving:
        port = int(serving.sockets[0].getsockname()[1])
        return await asyncio.to_thread(_connected, port, client)


def _connected(port: int, client: ssl.SSLContext) -> str:
    with (
        socket.create_connection(("127.0.0.1", port), WAIT_S) as raw,
        client.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        if not (shown := connection.recv(100)):
            raise ConnectionError("closed without a word")
        return shown.decode()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path / "desk") as serving:
        yield serving


async def until(come: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(eventually, come, what)


async def test_a_certificate_past_half_its_life_is_replaced_once_the_new_one_has_worked(
    tmp_path: Path, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    place = Place(tmp_path, desk, days=35)
    old = place.serial(place.tls)
    async with place.running() as renewal:
        await place.changed()
        assert desk.posted == [wire.RENEW]
        assert place.serial(place.tls) == old, "it stays until the new one has worked"
        new = place.serial(place.new)
        assert await place.connects(desk.gateways) == new
        renewal.worked()
        await until(lambda: not place.new.certificate.exists(), "it takes the old one's place")
        assert place.serial(place.tls) == new
        assert usable(place.tls)
        assert renewal.days_left(NOW) == 90
        assert await place.connects(desk.gateways) == new
    assert "works and takes the old one's place" in caplog.text


BY_A_CLOCK_THAT_SAYS_NOTHING = pytest.mark.parametrize(
    ("days", "clock"), [(80, RightClock()), (35, UnsetClock()), (-1, UnsetClock())], ids=["early", "unset", "expired"]
)


@BY_A_CLOCK_THAT_SAYS_NOTHING
async def test_a_certificate_that_a_broker_refuses_in_so_many_words_is_renewed_whatever_its_dates(
    tmp_path: Path, desk: Desk, days: float, clock: SystemClock
) -> None:
    place = Place(tmp_path, desk, days, clock)
    async with place.running() as renewal:
        await until(lambda: renewal.days_left(NOW) == days, "it was looked at")
        assert desk.asked == [], "by its dates it is not"
        renewal.failed("sslv3 alert certificate expired", hopeless=True)
        await place.changed()
        assert desk.posted == [wire.RENEW]
        assert await place.connects(desk.gateways) == place.serial(place.new)


@BY_A_CLOCK_THAT_SAYS_NOTHING
async def test_a_broker_that_only_hangs_up_is_taken_to_refuse_it_the_third_time(
    tmp_path: Path, desk: Desk, days: float, clock: SystemClock
) -> None:
    """Under TLS 1.3 a client may find the connection reset before it has read why."""
    place = Place(tmp_path, desk, days, clock)
    async with place.running():
        for _ in range(3):
            assert desk.asked == []
            assert await place.connects() == ""
        await place.changed()
        assert desk.posted == [wire.RENEW]


async def test_a_gateway_that_was_off_longer_than_its_certificate_lives_needs_no_visit(
    tmp_path: Path, desk: Desk
) -> None:
    place = Place(tmp_path, desk, days=-400)
    async with place.running() as renewal:
        await place.changed()
        assert await place.connects(desk.gateways) == place.serial(place.new)
        renewal.worked()
        await until(lambda: not place.new.certificate.exists(), "it takes the old one's place")


async def test_a_new_pair_that_the_broker_refuses_hands_back_to_the_old_one_which_goes_on(
    tmp_path: Path, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(tmp_path, desk, days=35)
    old = place.serial(place.tls)
    async with place.running() as renewal:
        await place.changed()
        assert await place.connects(Papers("others")) == ""
        await place.changed()
        assert await place.connects(desk.gateways) == old
        renewal.worked()
        renewal.worked()
        assert await place.connects(desk.gateways) == old
    assert caplog.text.count("the cloud does not take the new certificate; the old one goes on") == 1
    assert place.serial(place.tls) == old
    assert pair.is_waiting(place.tls), "it may be taken later"


async def test_a_connection_from_before_proves_nothing_of_the_new_pair(tmp_path: Path, desk: Desk) -> None:
    place = Place(tmp_path, desk, days=35)
    old = place.serial(place.tls)
    before = place.renewal.context()
    async with place.running() as renewal:
        await place.changed()
        assert await place.connects(desk.gateways, context=before) == old
        renewal.worked()
        assert await place.connects(desk.gateways) == place.serial(place.new)
        assert place.serial(place.tls) == old


async def test_a_new_pair_from_before_a_restart_is_tried_first(tmp_path: Path, desk: Desk) -> None:
    first = Place(tmp_path, desk, days=35)
    async with first.running():
        await first.changed()
    second = Place(tmp_path, desk, days=35, tls=first.tls)
    async with second.running():
        await second.changed()
        assert await second.connects(desk.gateways) == second.serial(second.new)
    assert desk.posted == [wire.RENEW]


async def test_what_was_cut_short_by_the_power_is_brought_to_its_end(tmp_path: Path, desk: Desk) -> None:
    place = Place(tmp_path, desk, days=80)
    place.tls.certificate.rename(place.new.certificate)
    assert await place.connects(desk.gateways)
    async with place.running() as renewal:
        await until(lambda: renewal.days_left(NOW) == 80, "it was looked at")
    assert usable(place.tls)
    assert not place.new.certificate.exists()


async def test_a_new_pair_that_is_damaged_is_passed_over(tmp_path: Path, desk: Desk) -> None:
    place = Place(tmp_path, desk, days=35)
    async with place.running():
        await place.changed()
        place.new.certificate.write_text("hello")
        assert await place.connects(desk.gateways) == place.serial(place.tls)


async def test_a_renewal_that_is_refused_is_told_and_the_old_certificate_goes_on(
    tmp_path: Path, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.ahead[wire.RENEW] = lambda _: refused()
    place = Place(tmp_path, desk, days=35)
    async with place.running():
        await until(lambda: "is not renewed" in caplog.text, "it was told")
        assert "the cloud's log says why" in caplog.text
        assert await place.connects(desk.gateways) == place.serial(place.tls)
    assert not place.new.certificate.exists()


async def test_a_process_that_fails_ends_nothing(tmp_path: Path, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that nobody can write to stands for whatever may be wrong with the disk."""
    place = Place(tmp_path, desk, days=35)
    place.new.key.mkdir()
    async with place.running():
        await until(lambda: "is not renewed" in caplog.text, "it was told")
        assert "gateway-new.key" in caplog.text
        assert await place.connects(desk.gateways) == place.serial(place.tls)


def test_the_running_gateway_pays_for_no_certificates() -> None:
    loaded = "import sys, gateway.runtime.renewal; print('cryptography' in sys.modules, 'http.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split()[0] == "False"


# the process alone


def renewed(place: Place) -> str:
    """What was the trouble."""
    return perform(Task("pi", place.tls, place.desk.url)).trouble


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "pi-2"}, "names pi-2"),
        ({"key": new_key()}, "another key"),
        ({"ca": True}, "an authority"),
        ({"signer": Papers("gateways")}, "not come from the authority"),
        ({"use": None}, "what it is for"),
        ({"ends": NOW + 35 * DAY}, "no longer than the one that we have"),
        ({"ends": NOW + 34 * DAY}, "no longer than the one that we have"),
    ],
    ids=["name", "key", "ca", "signer", "use", "same-end", "shorter"],
)
async def test_s12_a_renewed_certificate_that_was_not_asked_for_is_not_kept(
    tmp_path: Path, desk: Desk, wrong: dict[str, Any], told: str
) -> None:
    place = Place(tmp_path, desk, days=35)

    def edit(issued: wire.Issued) -> wire.Issued:
        key = x509.load_pem_x509_certificate(issued.certificate.encode()).public_key()
        given = {"name": "pi", "key": key, "signer": desk.gateways, "ends": desk.ends, **wrong}
        signer = given.pop("signer")
        return msgspec.structs.replace(issued, certificate=pem(signer.leaf(**given)), issuer=pem(signer.certificate))

    desk.edit = edit
    assert told in renewed(place)
    assert not place.new.certificate.exists()


async def test_s12_the_endpoint_has_to_be_of_the_cloud_of_the_enrolment(tmp_path: Path, desk: Desk) -> None:
    place = Place(tmp_path, desk, days=35)
    with Desk(tmp_path / "other") as other:
        assert "does not come from the cloud's authority" in perform(Task("pi", place.tls, other.url)).trouble
        assert other.asked == []


async def test_the_key_of_a_new_pair_is_new_and_its_owners_alone(tmp_path: Path, desk: Desk) -> None:
    place = Place(tmp_path, desk, days=35)
    assert renewed(place) == ""
    assert place.new.key.stat().st_mode & 0o777 == 0o600
    assert place.new.key.read_bytes() != place.tls.key.read_bytes()
    for _, body in desk.asked:
        assert b"PRIVATE" not in body


async def test_a_pair_that_waits_so_long_that_it_is_due_itself_is_renewed_by_its_own_key(
    tmp_path: Path, desk: Desk
) -> None:
    place = Place(tmp_path, desk, days=35)
    assert renewed(place) == ""
    key = place.new.key.read_bytes()
    desk.ends = NOW + 150 * DAY
    outcome = perform(Task("pi", place.tls, desk.url))
    assert (outcome.trouble, outcome.ends_at, outcome.new_ends_at) == ("", NOW + 35 * DAY, desk.ends)
    assert place.new.key.read_bytes() == key
    assert usable(place.new)
    shown = msgspec.json.decode(desk.asked[-1][1], type=wire.Renew).certificate
    assert x509.load_pem_x509_certificate(shown.encode()).public_key() == load_key(key).public_key()


async def test_a_look_asks_nobody(tmp_path: Path, desk: Desk) -> None:
    place = Place(tmp_path, desk, days=35)
    assert perform(Task("pi", place.tls)) == Outcome(ends_at=NOW + 35 * DAY)
    assert desk.asked == []
