"""Apprise's process: a line in, a notice out, a line back. Run as a module by apprise_process alone.

The fence is an audit hook (PEP 578): whatever a plugin resolves or follows, no connection is made to an address that
S24 refuses, and no program is started. A hook can't be taken away again.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import resource
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import requests
from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType
from requests.adapters import HTTPAdapter

from cloud_bridge.alerts.wording import line
from cloud_bridge.notify.apprise_words import PRIVATE, Ask, Told
from cloud_bridge.notify.channel import ANSWER_BYTES, SEND_S
from cloud_bridge.notify.errors import BadTarget
from cloud_bridge.notify.guard import ALLOW, is_this_machine, why_refused
from cloud_bridge.notify.services import SERVICES, Service
from cloud_bridge.notify.targets import check_target

AT_ONCE = 8
MEMORY_BYTES = 1024**3
"""Of address space: what runs away ends this process alone."""
CONNECT_S, READ_S = 4.0, 4.0
PAUSE_S = 0.5
"""Most between two requests of one notice: the channel's own rate is ours to keep, and a notice has SEND_S."""
ERROR_LENGTH = 300
PROGRAMS = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"}
)
CONNECTIONS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_CHUNK = 8192
_URL = re.compile(r"(?P<host>[a-z]+://[^/\s]+)/\S*")


said: ContextVar[list[str]] = ContextVar("said")
"""What was logged and refused while one notice is sent; Apprise hands the context to its own threads."""


_asking: ContextVar[bool] = ContextVar("asking")


class Listener(logging.Handler):
    """Remembers what Apprise says of a notice: its results say yes or no alone."""

    def emit(self, record: logging.LogRecord) -> None:
        said.get([]).append(record.getMessage())


class _Bounded(HTTPAdapter):
    """The transport of every request: short, of a bounded answer, past no proxy."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        until = time.monotonic() + SEND_S
        answer = super().send(request, stream=True, timeout=(CONNECT_S, READ_S), verify=verify, cert=cert)
        body = bytearray()
        for chunk in answer.iter_content(_CHUNK):
            body += chunk
            if len(body) > ANSWER_BYTES or time.monotonic() > until:
                answer.close()
                raise requests.ConnectionError(f"an answer of over {ANSWER_BYTES} bytes or {SEND_S:.0f} s")
        answer._content = bytes(body)
        return answer


def fence(allow_private: bool) -> None:
    """Up for good."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in PROGRAMS:
            raise PermissionError("no program is started here")
        if event in CONNECTIONS and not allow_private and arguments[1] is not None and not _asking.get(False):
            _check(arguments[1])

    sys.addaudithook(watch)


def _check(address: object) -> None:
    """Raises PermissionError unless a connection may be made there."""
    host = str(address[0]) if isinstance(address, tuple) else ""
    try:
        why = why_refused(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        why = "no address of the internet"
    else:
        why = why or ("this machine" if _is_this_machine(host, address) else "")
    if why:
        said.get([]).append(f"{host} is {why}; {ALLOW}")
        raise PermissionError(f"{host} is {why}")


def _is_this_machine(host: str, address: object) -> bool:
    """Asks by a socket that sends nothing, which the fence itself has to let through."""
    port = address[1] if isinstance(address, tuple) else 0
    asking = _asking.set(True)
    try:
        return is_this_machine(host, port)
    finally:
        _asking.reset(asking)


def send(ask: Ask, allow_private: bool) -> Told:
    """Through a plugin of its own, so that no state and no pause is carried over."""
    said.set([])
    try:
        check_target("apprise", ask.url, allow_private)
    except BadTarget as error:
        return Told(number=ask.number, error=str(error), again=False)
    asset = AppriseAsset(
        app_id="Ridethrough",
        app_desc="Ridethrough",
        async_mode=False,
        http_redirects=False,
        storage_mode="memory",
        image_url_mask="",
    )
    plugin = Apprise.instantiate(ask.url, asset=asset)
    if plugin is None or urlsplit(ask.url).scheme not in _schemes(plugin):
        return Told(number=ask.number, error=_reason(ask.url, "not a URL that this service has"), again=False)
    plugin.request_rate_per_sec = min(plugin.request_rate_per_sec, PAUSE_S)
    sender = Apprise(plugin, asset=asset)
    if sender.notify(ask.body, ask.title, NotifyType(ask.kind), body_format=NotifyFormat.TEXT):
        return Told(number=ask.number)
    return Told(number=ask.number, error=_reason(ask.url, "refused; it does not say why"))


def _schemes(plugin: NotifyBase) -> set[str]:
    """Those that it answers to; what it calls its own scheme is http for some."""
    found: set[str] = set()
    both: tuple[Any, ...] = (plugin.protocol, plugin.secure_protocol)
    for names in both:  # none, one or several
        found |= {names} if isinstance(names, str) else set(names or ())
    return found


def _reason(url: str, otherwise: str) -> str:
    """What was logged, without what is secret in the URL."""
    text = _URL.sub(r"\g<host>/…", " ".join(dict.fromkeys(said.get([]))) or otherwise)
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, "…")
    return line(text, ERROR_LENGTH)


def _secrets(url: str) -> Iterable[str]:
    parts = urlsplit(url)
    fixed = SERVICES.get(parts.scheme) is Service.FIXED
    asked = [value for _, value in parse_qsl(parts.query)]
    named = [parts.username, parts.password, parts.netloc if fixed else "", *parts.path.split("/"), parts.query, *asked]
    return {form for part in named if part and len(part) > 3 for form in (part, unquote(part))}


def _answer(ask: Ask, allow_private: bool, out: BinaryIO, one: threading.Lock) -> None:
    try:
        told = send(ask, allow_private)
    except Exception as error:  # noqa: BLE001  (a plugin's mistake must not end what others send by)
        told = Told(number=ask.number, error=_reason(ask.url, type(error).__name__))
    with one:
        out.write(msgspec.json.encode(told) + b"\n")
        out.flush()


def main() -> None:
    """Ends with its standard input."""
    allow_private = PRIVATE in sys.argv[1:]
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a plugin prints is no answer
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logger = logging.getLogger("apprise")
    logger.addHandler(Listener(logging.WARNING))
    logger.propagate = False
    requests.sessions.HTTPAdapter = _Bounded  # type: ignore[attr-defined]  # what Session mounts
    fence(allow_private)
    one = threading.Lock()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for text in sys.stdin.buffer:
            pool.submit(_answer, msgspec.json.decode(text, type=Ask), allow_private, out, one)


if __name__ == "__main__":
    main()
