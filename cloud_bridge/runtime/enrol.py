"""The enrolment endpoint's process: `cloud run --only enrol`.

It alone, beside `cloud gateway`, opens the issuing key; see gateway.wire.enrolment for what is said.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from cloud_bridge.addresses import exposure
from cloud_bridge.attempts import Guard
from cloud_bridge.broker.complaints import Complaints
from cloud_bridge.enrolment import Refused
from cloud_bridge.errors import CloudError
from cloud_bridge.runtime.https import serving, tls_of
from cloud_bridge.runtime.issue import Issuing
from cloud_bridge.runtime.keys import load_authority, load_certificate
from cloud_bridge.runtime.listening import listening
from cloud_bridge.runtime.revocation import write_list
from cloud_bridge.settings import CloudSettings
from cloud_bridge.store.registry.errors import RegistryError
from cloud_bridge.store.registry.registry import Registry
from config.runtime.ready import announce
from config.text import one_line
from gateway.wire import enrolment as wire
from gateway.wire.limits import ENROLMENT_BYTES
from gateway.wire.messages import Message
from gateway.wire.token import digest

REQUEST_BYTES = ENROLMENT_BYTES // 2
REVOCATION_LOOK_S = 1.0
"""How often it looks whether the registry has revocations that the list beside the broker has not."""
_LINE = 300

_STATUS = {wire.Why.MALFORMED: 400, wire.Why.REFUSED: 403, wire.Why.TOO_LARGE: 413, wire.Why.TOO_OFTEN: 429}
_SAID = {
    wire.Why.MALFORMED: "not a request as this endpoint takes it",
    wire.Why.REFUSED: "not accepted",
    wire.Why.TOO_LARGE: f"longer than {REQUEST_BYTES} bytes",
    wire.Why.TOO_OFTEN: "too many requests: try again later",
    wire.Why.FAILED: "the cloud can't do it now: try again later",
}

_TOO_OFTEN = Refused("too many requests, or too many that failed", wire.Why.TOO_OFTEN)

log = logging.getLogger(__name__)

Asked = TypeVar("Asked", bound=Message)


def run_enrol(settings: CloudSettings) -> None:
    """Serves until SIGTERM or SIGINT; says `ready: enrol HOST:PORT` once it does. Raises CloudError."""
    # Strangers can draw uvicorn's warnings as often as they like; ours are counted.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    tls = settings.tls
    authority = load_authority(tls.gateways, tls.issuing_key)
    with Registry(settings.registry_at) as registry:
        issuing = Issuing(settings, registry, authority, load_certificate(tls.services))
        write_list(tls.revoked, registry, authority)
        asyncio.run(_run(settings, issuing, lambda: write_list(tls.revoked, registry, authority)))


async def _run(settings: CloudSettings, issuing: Issuing, revoke: Callable[[], bool]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listener = listening(settings.enrolment_listens_at)
    if warning := exposure(settings.enrolment_listens_at):
        log.warning("%s", warning)
    async with serving(application(issuing), listener, tls_of(settings.tls.enrol)):
        revoking = asyncio.create_task(_keep_list(revoke), name="revocation list")
        host, port = listener.getsockname()[:2]
        announce("enrol", f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        await stop.wait()
        revoking.cancel()
        await asyncio.gather(revoking, return_exceptions=True)


async def _keep_list(write: Callable[[], bool]) -> None:
    """Revocations that were made without the issuing key at hand get into the list, too."""
    told = ""
    while True:
        await asyncio.sleep(REVOCATION_LOOK_S)
        try:
            if await asyncio.to_thread(write):
                log.info("revocation list written")
            told = ""
        except CloudError as error:
            if str(error) != told:
                log.warning("revocation list: %s", error)
            told = str(error)


def application(issuing: Issuing) -> FastAPI:
    """The endpoint, as gateway.wire.enrolment has it."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    desk = _Desk(issuing)

    @app.get(wire.TRUST)
    async def trust(request: Request) -> Response:
        return await desk.give(request, lambda: issuing.trust)

    @app.get(wire.NONCE)
    async def nonce(request: Request) -> Response:
        return await desk.give(request, issuing.nonce)

    @app.post(wire.ENROL)
    async def enrol(request: Request) -> Response:
        return await desk.answer(request, wire.Enrol, issuing.enrol, lambda asked: digest(asked.token))

    @app.post(wire.RENEW)
    async def renew(request: Request) -> Response:
        return await desk.answer(request, wire.Renew, issuing.renew)

    @app.post(wire.CLAIM_CODE)
    async def claim_code(request: Request) -> Response:
        return await desk.answer(request, wire.Claim, issuing.claim)

    return app


class _Desk:
    """What each request goes through: how often its sender asks, how long it is, and what becomes of it."""

    def __init__(self, issuing: Issuing) -> None:
        self._issuing = issuing
        self._guard = Guard()
        self._complaints = Complaints()

    async def give(self, request: Request, made: Callable[[], Message]) -> Response:
        """For a question without a body."""
        if self._guard.refusal_s(_peer(request), monotonic()):
            return self._refused(request, _TOO_OFTEN)
        return _response(200, made())

    async def answer(
        self,
        request: Request,
        kind: type[Asked],
        act: Callable[[Asked], Message],
        token: Callable[[Asked], str] = lambda _: "",
    ) -> Response:
        peer = _peer(request)
        used = ""
        try:
            if self._guard.refusal_s(peer, monotonic()):
                return self._refused(request, _TOO_OFTEN)
            asked = _decoded(await _body(request), kind)
            used = token(asked)
            if self._guard.failing_s(used, monotonic()):
                return self._refused(request, _TOO_OFTEN)
            return _response(200, await run_in_threadpool(act, asked))
        except Refused as refused:
            self._guard.failed(peer, monotonic(), used)
            return self._refused(request, refused)
        except RegistryError as error:
            self._complain(peer, "registry", str(error))
            return _failure(wire.Why.FAILED, 503)
        except Exception:  # one request's top: whatever it found wrong with us, the next one is answered
            log.exception("%s: %s was not answered after an error of our own", peer, request.url.path)
            return _failure(wire.Why.FAILED, 500)

    def _refused(self, request: Request, refused: Refused) -> Response:
        self._complain(_peer(request), refused.error, f"{request.url.path} refused: {refused}")
        return _failure(refused.error, _STATUS.get(refused.error, 403))

    def _complain(self, peer: str, kind: str, what: str) -> None:
        if (suffix := self._complaints.suffix(peer, kind, monotonic())) is not None:
            log.warning("%s: %s%s", peer, one_line(what, _LINE), suffix)


async def _body(request: Request) -> bytes:
    """Raises Refused."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > REQUEST_BYTES:
            raise Refused("a body that is too long", wire.Why.TOO_LARGE)
    return bytes(body)


def _decoded(body: bytes, kind: type[Asked]) -> Asked:
    """Raises Refused, which shows nothing of what was sent: there may be a token in it."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused("a body that is none of this request", wire.Why.MALFORMED) from None


def _failure(error: str, status: int) -> Response:
    return _response(status, wire.Failure(error=error, detail=_SAID.get(error, "")))


def _response(status: int, message: Message) -> Response:
    return Response(msgspec.json.encode(message), status, media_type="application/json")


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""
