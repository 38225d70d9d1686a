"""The sign of life to an outside service, at a real web server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic

import pytest

from cloud_bridge.runtime.alerts import deadman
from cloud_bridge.runtime.alerts.deadman import RECENTLY_S, keep_signalling
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.settings import DeadMan
from cloud_bridge.store.database import FILE_NAME, open_writer
from cloud_bridge.store.telemetry import Telemetry

SECRET = "a-secret-uuid"


class Service:
    """Counts what it hears and answers `status`."""

    def __init__(self) -> None:
        self.status, self.more = "200 OK", ""
        self.heard: list[str] = []
        self.news = asyncio.Condition()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        async with self.news:
            self.heard.append(request.partition("\r\n")[0])
            self.news.notify_all()
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\n{self.more}Connection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def hears(self, count: int) -> None:
        async with asyncio.timeout(20), self.news:
            await self.news.wait_for(lambda: len(self.heard) >= count)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made.url = f"http://127.0.0.1:{port}/ping/{SECRET}"
    yield made
    server.close()
    await server.wait_closed()


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    opened = Telemetry(open_writer(tmp_path / FILE_NAME), now_ms)
    yield opened
    opened.close()


class Logged(logging.Handler):
    """A context manager: waits for a line of the log that holds `text`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._found = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            self._found.set()

    async def __aenter__(self) -> None:
        logging.getLogger(deadman.__name__).addHandler(self)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            async with asyncio.timeout(20):
                await self._found.wait()
        finally:
            logging.getLogger(deadman.__name__).removeHandler(self)


def lives(telemetry: Telemetry, connected_at: int | None) -> None:
    with telemetry.transaction():
        telemetry.live(now_ms(), connected_at)


@contextlib.asynccontextmanager
async def signalling(service: Service, folder: Path, drained_at: float | None) -> AsyncIterator[None]:
    dead_man = DeadMan(url=service.url, every_s=1)
    task = asyncio.create_task(keep_signalling(dead_man, folder / FILE_NAME, lambda: drained_at, 0.0))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_is_said_again_and_again_while_ingest_hears_and_the_queue_is_empty(
    service: Service, telemetry: Telemetry, tmp_path: Path
) -> None:
    lives(telemetry, now_ms())
    async with signalling(service, tmp_path, monotonic()):
        await service.hears(2)
    assert set(service.heard) == {f"GET /ping/{SECRET} HTTP/1.1"}


@pytest.mark.parametrize(
    ("connected", "drained_ago_s", "trouble"),
    [
        pytest.param(False, 0.0, "ingest does not hear the broker", id="ingest hears nothing"),
        pytest.param(True, None, "the alert queue is not worked on", id="alerts are not made"),
        pytest.param(True, RECENTLY_S + 5, "the alert queue is not worked on", id="alerts were not made for a while"),
    ],
)
async def test_nothing_is_said_while(
    service: Service,
    telemetry: Telemetry,
    tmp_path: Path,
    connected: bool,
    drained_ago_s: float | None,
    trouble: str,
) -> None:
    lives(telemetry, now_ms() if connected else None)
    drained_at = None if drained_ago_s is None else monotonic() - drained_ago_s
    async with signalling(service, tmp_path, drained_at), Logged(trouble):
        pass
    assert service.heard == []


async def test_a_service_that_refuses_is_told_once_without_its_secret_and_its_return_too(
    service: Service, telemetry: Telemetry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lives(telemetry, now_ms())
    service.status = "503 Service Unavailable"
    async with signalling(service, tmp_path, monotonic()):
        await service.hears(2)
        async with Logged("gets signs of life again"):
            service.status = "200 OK"
    assert caplog.text.count("it answered with status 503") == 1
    assert SECRET not in caplog.text


async def test_s24_a_redirect_of_the_service_is_not_followed(
    service: Service, telemetry: Telemetry, tmp_path: Path
) -> None:
    lives(telemetry, now_ms())
    service.status, service.more = "302 Found", f"Location: {service.url.replace('/ping/', '/elsewhere/')}\r\n"
    async with signalling(service, tmp_path, monotonic()), Logged("redirects are not followed"):
        await service.hears(2)
    assert not [line for line in service.heard if "/elsewhere/" in line]


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/", "http://127.0.0.1:x/"])
async def test_a_url_with_no_port_that_can_be_is_told_and_ends_nothing(
    telemetry: Telemetry, tmp_path: Path, url: str
) -> None:
    lives(telemetry, now_ms())
    dead_man = DeadMan(url=url, every_s=3600)
    task = asyncio.create_task(keep_signalling(dead_man, tmp_path / FILE_NAME, monotonic, 0.0))
    async with Logged("its URL in cloud.yaml is none"):
        pass
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
