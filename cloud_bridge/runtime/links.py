"""The small public application behind the links in notices (S23), and its process: `cloud run --only links`.

A GET changes nothing, since mail scanners open every link: it shows one button, whose POST acts. So does a mail
program's one-click POST (RFC 8058). Nothing is asked but the token, nothing is remembered of a visitor.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from cloud_bridge.addresses import Address, exposure, parse_address
from cloud_bridge.attempts import Attempts
from cloud_bridge.host_header import host_of_url
from cloud_bridge.links import Purpose
from cloud_bridge.runtime.alerts.wake import ring
from cloud_bridge.runtime.doors import AtMost, OnlyFor
from cloud_bridge.runtime.https import CONNECTIONS, serving
from cloud_bridge.runtime.leaving import Leaving, Page, gone, sorry
from cloud_bridge.runtime.link_key import load_link_key
from cloud_bridge.runtime.listening import listening
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry.errors import RegistryError
from cloud_bridge.store.registry.registry import Registry
from config.errors import SettingsError
from config.runtime.ready import announce

BODY_BYTES = 4096
"""A form of one field, however a mail program encodes it."""
WORK_BURST, WORK_PER_S = 60.0, 5.0
"""Visits with a token of ours, of everybody together: only those reach the registry, and an address is worth nothing
behind a proxy."""
RETRY_AFTER_S = 30

_PAGES = Path(__file__).with_name("links_pages")
_STYLE = (_PAGES / "style.css").read_text()
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}

log = logging.getLogger(__name__)

Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Step:
    """What a link is for. `fields`: names and values of which one has to be in the form that is posted; the page's
    button sends the first."""

    ask: Callable[[str], Page]
    act: Callable[[str], Page]
    fields: tuple[tuple[str, str], ...]


BUTTON = ("confirm", "yes")
ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""RFC 8058, section 3.2."""


def application(leaving: Leaving, public_url: str) -> Starlette:
    """Serves the links of `public_url`, with its path and without, since a proxy may take that off."""
    visits = _Visits()
    steps = {
        Purpose.UNSUBSCRIBE: Step(leaving.ask_to_unsubscribe, leaving.unsubscribe, (BUTTON, ONE_CLICK)),
        Purpose.TURN_ON: Step(leaving.ask_to_turn_on, leaving.turn_on, (BUTTON,)),
    }
    routes: list[BaseRoute] = []
    for purpose, step in steps.items():
        path = f"/{purpose}/{{token}}"
        routes += [Route(path, visits.asking(step)), Route(path, visits.acting(step), methods=["POST"])]
    if prefix := urlsplit(public_url).path:
        routes.append(Mount(prefix, routes=list(routes)))
    doors = [
        Middleware(OnlyFor, hosts=frozenset({host_of_url(public_url)}), refusal=_refusal),
        Middleware(AtMost, most=BODY_BYTES, refusal=_refusal),
    ]
    app = Starlette(routes=routes, middleware=doors, exception_handlers={HTTPException: _not_found, 500: _failed})
    app.router.redirect_slashes = False
    return app


class _Visits:
    """What becomes of each request: how much work there is already, and what the registry has to say."""

    def __init__(self) -> None:
        self._work = Attempts(WORK_BURST, WORK_PER_S)

    def asking(self, step: Step) -> Answer:
        async def ask(request: Request) -> Response:
            return await self._answer(request, step.ask, step)

        return ask

    def acting(self, step: Step) -> Answer:
        async def act(request: Request) -> Response:
            async with request.form(max_files=0, max_fields=8) as form:
                meant = any(form.get(name) == value for name, value in step.fields)
            # Whoever posts something else is no mail program and pressed no button.
            return await self._answer(request, step.act if meant else step.ask, step, 200 if meant else 400)

        return act

    async def _answer(self, request: Request, made: Callable[[str], Page], step: Step, status: int = 200) -> Response:
        if self._work.wait_s("", monotonic()):
            return _shown(sorry("too many people are here just now"))
        try:
            page = await run_in_threadpool(made, request.path_params["token"])
        except RegistryError as error:
            log.error("%s", error)
            return _shown(sorry("the cloud can't do it just now"))
        if page.is_ours:
            self._work.count("", monotonic())
        return _shown(page, status)


def _refusal(status: int) -> Response:
    titles = {413: "That is too much", 414: "That is too long", 421: "Nothing is here"}
    return _shown(Page(titles.get(status, "That is no page"), (), status=status))


async def _not_found(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _shown(gone() if status == 404 else Page("That is not done here", (), status=status))


async def _failed(_request: Request, _error: Exception) -> Response:
    return _shown(sorry("the cloud can't do it just now"))


_templates = Environment(loader=FileSystemLoader(_PAGES), autoescape=True, undefined=StrictUndefined)


def _shown(page: Page, status: int = 200) -> Response:
    name, value = BUTTON
    template = _templates.get_template("ask.html" if page.button else "said.html")
    text = template.render(
        title=page.title,
        lines=page.lines,
        button=page.button,
        field=name,
        value=value,
        style=Markup(_STYLE),  # ours, and named by its digest in the policy
    )
    shown = page.status if page.status != 200 else status
    again = {"Retry-After": str(RETRY_AFTER_S)} if shown == 503 else {}
    return HTMLResponse(text, shown, HEADERS | again)


def run_links(settings: CloudSettings) -> None:
    """Serves until SIGTERM or SIGINT; says `ready: links ADDRESS` once it does. Raises CloudError, SettingsError."""
    if not settings.listen_links:
        raise SettingsError(reason="listen_links: empty: name an ADDRESS:PORT to listen at, as in 127.0.0.1:8480")
    if not settings.public_url:
        raise SettingsError(reason="listen_links: public_url is not set, without which there are no links to serve")
    # Strangers can draw uvicorn's warnings as often as they like.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    with Registry(settings.registry_at) as registry:
        leaving = Leaving(registry, load_link_key(settings.link_key), partial(ring, settings.data))
        asyncio.run(_run(application(leaving, settings.public_url), parse_address(settings.listen_links)))


async def _run(app: Starlette, listen: Address) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listener = listening(listen)
    if warning := exposure(listen):
        log.warning("%s: links are served without TLS, for a proxy to add it", warning)
    # A proxy is one address.
    async with serving(app, listener, None, each=CONNECTIONS):
        host, port = listener.getsockname()[:2]
        announce("links", str(Address(host, port)))
        await stop.wait()
