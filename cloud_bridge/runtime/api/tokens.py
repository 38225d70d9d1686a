"""Tokens of this very API."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from cloud_bridge.api_access import TokenForm, TokenMade, TokenShown
from cloud_bridge.runtime import api_tokens
from cloud_bridge.runtime.api.admitted import Who
from cloud_bridge.runtime.api.operations import Body, Listed, Opened, Paged, answer, decoded, says

tokens = APIRouter(tags=["tokens"])


@tokens.get("/v1/tokens", **says(Listed[TokenShown]))
def list_tokens(_who: Who, office: Opened, part: Paged) -> Response:
    return answer(part.of(api_tokens.all_tokens(office.registry), lambda token: token.name))


@tokens.post(
    "/v1/tokens",
    **says(TokenMade, takes=TokenForm, status=201, example={"name": "grafana", "scopes": ["read"], "valid_s": 7776000}),
)
def add_token(_who: Who, office: Opened, body: Body) -> Response:
    """The token is told this once."""
    return answer(api_tokens.make(office.registry, decoded(body, TokenForm)), 201)


@tokens.delete("/v1/tokens/{token}", **says(TokenShown))
def revoke_token(_who: Who, office: Opened, token: str) -> Response:
    """By its name, for good: it is refused from the next request on."""
    return answer(api_tokens.revoke(office.registry, token))
