"""How a route says what it takes and gives: msgspec's types, which are the command line's forms too, so that nothing is
written down twice. FastAPI finds routes, checks parameters, and makes OpenAPI of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec
from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from cloud_bridge.errors import Mistake, Wrong
from cloud_bridge.runtime.administer.office import Office
from cloud_bridge.runtime.api.problems import MEDIA_TYPE, Problem

BODY_BYTES = 64 * 1024
MOST_ITEMS = 200
_REF = "#/components/schemas/{name}"

T = TypeVar("T")

schemas: dict[str, Any] = {}
"""JSON Schema of every type that a route names, for OpenAPI's components."""


class Listed(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list. `next`: what to ask for as `after`, if there is more."""

    items: tuple[T, ...]
    next: str | None = None


def schema_of(type_: Any) -> dict[str, Any]:
    """Of a type; what it is made of goes into `schemas`."""
    (schema,), parts = msgspec.json.schema_components([type_], ref_template=_REF)
    schemas.update(parts)
    return schema


def says(
    gives: Any = None, *, takes: Any = None, changes: Any = None, status: int = 200, example: object = None
) -> dict[str, Any]:
    """What a route's decorator gets. `takes`: a body's type; `changes`: the same where any field may be left out.
    `example`: a body."""
    problem = {"description": "What went wrong, and where", "content": {MEDIA_TYPE: {"schema": schema_of(Problem)}}}
    answer: dict[str, Any] = {"description": "Done"}
    if gives is not None:
        answer["content"] = {"application/json": {"schema": schema_of(gives)}}
    said: dict[str, Any] = {"status_code": status, "responses": {status: answer, "default": problem}}
    if takes is not None or changes is not None:
        schema = schema_of(takes) if takes is not None else _change_of(changes)
        content = {"application/json": {"schema": schema, "example": example}}
        said["openapi_extra"] = {"requestBody": {"required": True, "content": content}}
    return said


def _change_of(form: type[msgspec.Struct]) -> dict[str, Any]:
    """What is left out stays: nothing is required, and nothing has a default."""
    schema_of(form)
    whole, name = schemas[form.__name__], f"{form.__name__}Change"
    fields = {
        field: {word: said for word, said in about.items() if word != "default"}
        for field, about in whole["properties"].items()
    }
    schemas[name] = {**whole, "title": name, "properties": fields, "required": []}
    return {"$ref": _REF.format(name=name)}


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


Opened = Annotated[Office, Depends(_office)]


OwnerAsked = Annotated[str | None, Query(max_length=64, description="Only this owner's; `operator`: the operator's.")]


async def _content(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_content)]
"""JSON, as it came; `doors.AtMost` bounds it."""


def decoded(content: bytes, type_: type[T]) -> T:
    """Raises Wrong, with the place of the first mistake."""
    try:
        return msgspec.json.decode(content, type=type_)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `")
        raise Wrong(Mistake(path.rstrip("`").removeprefix("$").removeprefix("."), what)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Wrong(Mistake("", f"expected JSON: {error}")) from None


def fields_of(content: bytes) -> dict[str, Any]:
    """Of a form that is looked at where it is filled in. Raises Wrong."""
    return decoded(content, dict[str, Any])


def answer(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


class Part:
    """Which part of a list is asked for."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=MOST_ITEMS, description="How many at most.")] = 50,
        after: Annotated[str | None, Query(max_length=200, description="The `next` of the part before.")] = None,
    ) -> None:
        self.limit = limit
        self.after = after

    def of(self, items: Iterable[T], key: Callable[[T], str]) -> Listed[T]:
        """In the order of their keys, which tell one from another: whoever removes what it was given misses nothing."""
        left = sorted((item for item in items if self.after is None or key(item) > self.after), key=key)
        found = tuple(left[: self.limit])
        return Listed(found, key(found[-1]) if len(left) > self.limit else None)


Paged = Annotated[Part, Depends()]


class _Numbered(Protocol):
    @property
    def id(self) -> int: ...


def by_id(item: _Numbered) -> str:
    """A key: the older first."""
    return f"{item.id:010d}"
