"""What went wrong, as RFC 9457 has it: one JSON object, whatever it was."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloud_bridge.api_access import NotAllowed, NoToken
from cloud_bridge.errors import (
    AdministrationError,
    Ambiguous,
    CloudError,
    InUse,
    Mistake,
    NotThere,
    Taken,
    Wrong,
)
from cloud_bridge.store.registry.errors import RegistryError
from config.errors import SettingsError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
_URN = "urn:ridethrough:problem:"

log = logging.getLogger(__name__)


class MistakeShown(msgspec.Struct, frozen=True):
    """`place`: the field, as in `quiet.since`, or the parameter; `message`: what would be right."""

    place: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """`type`: stable, by which a program knows it. `detail`: for people. `mistakes`: of a value that is wrong, each."""

    type: str
    title: str
    status: int
    detail: str = ""
    mistakes: tuple[MistakeShown, ...] = ()


_KINDS: Sequence[tuple[type[CloudError], int, str]] = (
    (NoToken, 401, "no-token"),
    (NotAllowed, 403, "not-allowed"),
    (NotThere, 404, "not-there"),
    (Ambiguous, 409, "ambiguous"),
    (Taken, 409, "taken"),
    (InUse, 409, "in-use"),
    (Wrong, 422, "wrong"),
    (AdministrationError, 409, "refused"),
    (RegistryError, 503, "unavailable"),
    (CloudError, 500, "failed"),
)


def problem_of(error: CloudError) -> Response:
    status, word = next((status, word) for kind, status, word in _KINDS if isinstance(error, kind))
    if status >= 500:
        log.error("%s", error)
    mistakes = error.mistakes if isinstance(error, Wrong) else ()
    return problem(status, word, str(error), mistakes)


def problem(status: int, word: str, detail: str = "", mistakes: Sequence[Mistake] = ()) -> Response:
    said = Problem(
        type=_URN + word,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        mistakes=tuple(MistakeShown(each.place, each.message) for each in mistakes),
    )
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_AFTER_S)}}.get(status, {})
    return Response(msgspec.json.encode(said), status, headers, MEDIA_TYPE)


def at_the_door(status: int) -> Response:
    """Of a request that is not looked at."""
    if status != 421:
        return problem(status, "too-long", "the body, or the URL, is longer than this API takes")
    return problem(status, "misdirected", "the Host header names somebody else")


def tell_problems(app: FastAPI) -> None:
    app.add_exception_handler(CloudError, _cloud)
    app.add_exception_handler(SettingsError, _text)
    app.add_exception_handler(RequestValidationError, _parameters)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


async def _cloud(_request: Request, error: Exception) -> Response:
    return problem_of(error if isinstance(error, CloudError) else CloudError(str(error)))


async def _text(_request: Request, error: Exception) -> Response:
    """A text in YAML that is wrong: LINE:COLUMN, and the path."""
    found = error.problems if isinstance(error, SettingsError) else ()
    mistakes = [Mistake(f"{one.line}:{one.column} {one.path}".rstrip(), one.message) for one in found]
    return problem(422, "wrong", str(error), mistakes)


async def _parameters(_request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return problem_of(Wrong(*(Mistake(str(each["loc"][-1]), str(each["msg"])) for each in found)))


async def _http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    word = {404: "not-there", 405: "not-done-here"}.get(status, "failed")
    answer = problem(status, word, "/openapi.json says what there is" if status in (404, 405) else "")
    if isinstance(error, HTTPException) and error.headers:
        answer.headers.update(error.headers)
    return answer


async def _unforeseen(_request: Request, _error: Exception) -> Response:
    """uvicorn logs what it was."""
    return problem(500, "failed", "a mistake of the service: its log says more")
