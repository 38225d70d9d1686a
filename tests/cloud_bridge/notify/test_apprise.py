"""Apprise, in its own process, to a real web server that stands in for ntfy's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest

from cloud_bridge.alerts.model import What
from cloud_bridge.notify.apprise import Apprise
from cloud_bridge.notify.apprise_process import AppriseProcess
from cloud_bridge.notify.apprise_words import Ask
from cloud_bridge.notify.errors import NotSent
from cloud_bridge.notify.services import SERVICES
from tests.cloud_bridge.notify.notices import HOSTILE, item, notice
from tests.cloud_bridge.notify.peers import PATIENCE_S, web_server
from tests.conftest import lacking

AT_ONCE = 8
"""Threads of the process (apprise_child, which this process never imports)."""

log = logging.getLogger(__name__)


@pytest.fixture
async def process() -> AsyncIterator[AppriseProcess]:
    """With private targets allowed: the peers are on this machine."""
    process = AppriseProcess(allow_private=True)
    yield process
    await process.close()


async def test_a_notice_reaches_ntfy_as_plain_text(process: AppriseProcess) -> None:
    with web_server() as web:
        await Apprise(f"ntfy://127.0.0.1:{web.port}/ups", process).send(notice(item()))
    said = msgspec.json.decode(web.asked[0].body)
    assert said["topic"] == "ups"
    assert said["title"] == "(warning) rack-1: on battery"
    assert said["message"].startswith("The mains failed at rack-1. (2026-11-24 13:00:00 CET) Check the supply.")


async def test_a_notice_reaches_gotify_with_its_kind(process: AppriseProcess) -> None:
    with web_server() as web:
        await Apprise(f"gotify://127.0.0.1:{web.port}/AbCdEfGh", process).send(notice(item(what=What.RESOLVED)))
    assert web.asked[0].headers["x-gotify-key"] == "AbCdEfGh"
    assert msgspec.json.decode(web.asked[0].body)["title"] == "(over) rack-1: on battery"


async def test_s6_a_hostile_name_makes_no_header_link_or_mention(process: AppriseProcess) -> None:
    with web_server() as web:
        one = item(label=HOSTILE, happened=HOSTILE)
        await Apprise(f"ntfy://127.0.0.1:{web.port}/ups", process).send(notice(one, title=HOSTILE))
    (asked,) = web.asked
    assert "bcc" not in asked.headers
    said = msgspec.json.decode(asked.body)
    for text in (said["title"], said["message"]):
        assert not set("[]<>@`\r\x1b") & set(text)


FAILURES = [
    pytest.param(404, id="404"),
    pytest.param(429, id="429"),
    pytest.param(500, id="500"),
]


@pytest.mark.parametrize("status", FAILURES)
async def test_a_refusal_is_tried_again_with_what_apprise_logged(process: AppriseProcess, status: int) -> None:
    with web_server() as web:
        web.answers.append((status, {}, b"{}"))
        with pytest.raises(NotSent, match=str(status)) as caught:
            await Apprise(f"ntfy://127.0.0.1:{web.port}/secret-topic", process).send(notice(item()))
    assert caught.value.again
    assert "secret-topic" not in caught.value.reason, "the owner's secrets stay out of logs and registry"


async def test_s24_redirects_are_not_followed(process: AppriseProcess) -> None:
    with web_server() as other, web_server() as web:
        web.answers.append((307, {"Location": f"http://127.0.0.1:{other.port}/"}, b""))
        with pytest.raises(NotSent, match="307"):
            await Apprise(f"ntfy://127.0.0.1:{web.port}/ups", process).send(notice(item()))
    assert other.asked == []


async def test_s24_of_an_endless_answer_64_kib_are_read(process: AppriseProcess) -> None:
    with web_server() as web:
        web.answers.append((200, {}, b"x" * 5_000_000))
        with pytest.raises(NotSent):
            await Apprise(f"ntfy://127.0.0.1:{web.port}/ups", process).send(notice(item()))


def private_name() -> str:
    """A name that the rule of spelling takes and that this machine resolves to an address of its own."""
    names = [name for name in (socket.gethostname(), "ip6-loopback") if is_of_this_machine(name)]
    if not names:
        lacking("this machine has no name of its own in /etc/hosts")
    return names[0]


def is_of_this_machine(name: str) -> bool:
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)]
    except OSError:
        return False
    return all(address.startswith(("127.", "10.", "172.", "192.168.", "::1", "fd", "fe80")) for address in found)


async def test_s24_a_name_that_leads_to_this_machine_is_refused_when_the_plugin_connects() -> None:
    fenced = AppriseProcess(allow_private=False)
    with web_server() as web, pytest.raises(NotSent, match="allow_private_targets") as caught:
        await Apprise(f"ntfy://{private_name()}:{web.port}/ups", fenced).send(notice(item()))
    assert web.asked == []
    assert " is " in caught.value.reason
    await fenced.close()


FENCED = """
import socket, subprocess, sys
from cloud_bridge.notify.apprise_child import fence
fence(allow_private=False)
tries = {
    "connect": lambda: socket.create_connection(("127.0.0.1", 9), 1),
    "connect, mapped": lambda: socket.socket(socket.AF_INET6).connect(("::ffff:127.0.0.1", 9)),
    "connect_ex": lambda: socket.socket().connect_ex(("169.254.169.254", 80)),
    "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 514)),
    "unix socket": lambda: socket.socket(socket.AF_UNIX).connect("/dev/log"),
    "by name": lambda: socket.socket().connect(("localhost", 9)),
    "program": lambda: subprocess.run(["true"]),
    "shell": lambda: __import__("os").system("true"),
}
for name, attempt in tries.items():
    try:
        attempt()
    except PermissionError:
        continue
    sys.exit(f"{name}: let through")
"""


def test_s24_inside_the_fence_no_way_leads_to_this_machine_or_to_a_program() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FENCED], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


async def test_s24_a_local_service_is_refused_by_the_process_itself_too(process: AppriseProcess) -> None:
    for url in ("json://127.0.0.1/", "syslog://", "ntfy://127.0.0.1/a?attach=/etc/passwd"):
        with pytest.raises(NotSent) as caught:
            await process.send(Ask(url=url, title="t", body="b", kind="info"))
        assert not caught.value.again


def test_every_service_in_the_table_is_one_of_apprise_s() -> None:
    code = "from apprise.manager_plugins import NotificationManager as M; print(*M().schemas())"
    known = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert set(SERVICES) <= set(known.stdout.split())


async def test_one_process_serves_all_and_stays_small(process: AppriseProcess) -> None:
    with web_server() as web:
        targets = [Apprise(f"ntfy://127.0.0.1:{web.port}/topic-{n}", process) for n in range(20)]
        await asyncio.gather(*(target.send(notice(item())) for target in targets))
    assert len(web.asked) == 20
    assert process.pid
    resident = psutil.Process(process.pid).memory_info().rss
    log.info("Apprise's process: %.0f MiB", resident / 1024**2)
    assert resident < 120 * 1024**2
    assert "apprise" not in sys.modules, "the role itself never imports the library"


async def test_a_process_that_dies_fails_what_it_had_and_the_next_notice_starts_another(
    process: AppriseProcess,
) -> None:
    with web_server() as web:
        target = Apprise(f"ntfy://127.0.0.1:{web.port}/ups", process)
        await target.send(notice(item()))
        assert process.pid
        first = process.pid
        web.free.clear()
        web.arrived.clear()
        sending = asyncio.create_task(target.send(notice(item())))
        assert await asyncio.to_thread(web.arrived.wait, PATIENCE_S)
        psutil.Process(first).kill()
        with pytest.raises(NotSent, match="process ended") as caught:
            await sending
        assert caught.value.again
        web.free.set()
        await target.send(notice(item()))
        assert process.pid != first


async def test_an_idle_process_ends(tmp_path: Path) -> None:
    process = AppriseProcess(allow_private=True, idle_s=0.0)
    with web_server() as web:
        target = Apprise(f"ntfy://127.0.0.1:{web.port}/ups", process)
        await target.send(notice(item()))
        first = process.pid
        await target.send(notice(item()))
    await process.close()
    assert process.pid is None
    if first is not None:
        assert not psutil.pid_exists(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE


class Slow:
    """Says a header's bytes now and then, for ever: no single read takes long."""

    def __init__(self) -> None:
        self.serving: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self.serving.append(task)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while not reader.at_eof():
                writer.write(b"X: y\r\n")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await reader.read(1024)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()


@pytest.fixture
async def slow() -> AsyncIterator[int]:
    peer = Slow()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in peer.serving:
        task.cancel()
    await asyncio.gather(*peer.serving, return_exceptions=True)
    await server.wait_closed()


async def test_s24_peers_that_never_end_their_answer_take_no_thread_from_others(
    process: AppriseProcess, slow: int
) -> None:
    with web_server() as web:
        await Apprise(f"ntfy://127.0.0.1:{web.port}/ups", process).send(notice(item()))
        hostile = [Apprise(f"ntfy://127.0.0.1:{slow}/topic-{n}", process) for n in range(AT_ONCE)]
        ended = await asyncio.gather(*(one.send(notice(item())) for one in hostile), return_exceptions=True)
        assert all(isinstance(error, NotSent) and error.again for error in ended)
        await Apprise(f"ntfy://127.0.0.1:{web.port}/ups", process).send(notice(item()))
        assert len(web.asked) == 2


@pytest.mark.parametrize(
    ("url", "said", "secret"),
    [
        pytest.param("ntfy://host/topic?token=tk_0123456789", "bad tk_0123456789", "tk_0123", id="of the query"),
        pytest.param("tgram://123456:AbCdEf/99999", "POST /bot123456:AbCdEf/x", "AbCdEf", id="in the host's place"),
        pytest.param("ntfy://ada:p%40ssword@host/t", "for ada:p@ssword", "p@ssword", id="percent-encoded"),
    ],
)
def test_s24_no_secret_of_a_url_is_in_what_is_told_of_a_failure(url: str, said: str, secret: str) -> None:
    code = (
        "import sys\n"
        "from cloud_bridge.notify import apprise_child as child\n"
        "child.said.set([sys.argv[2]])\n"
        "print(child._reason(sys.argv[1], 'x'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, url, said], capture_output=True, text=True, check=True, timeout=60
    )
    assert "…" in done.stdout
    assert secret not in done.stdout
