"""Who is let in (S25): at the unix socket whoever could open it, elsewhere who shows a token. Addresses count for
nothing."""

from __future__ import annotations

import logging
from time import monotonic
from typing import Annotated

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from cloud_bridge.api_access import SOMEBODY_HERE, Caller, NoToken, check_scope
from cloud_bridge.broker.complaints import Complaints
from cloud_bridge.runtime.api import problems
from cloud_bridge.runtime.api_tokens import caller
from cloud_bridge.store.registry.errors import RegistryError
from cloud_bridge.store.registry.registry import Registry

CALLER = "caller"

log = logging.getLogger(__name__)


class Admission:
    """Finds out who asks before anything else is looked at. `needs_token`: none is let in without. A token that is
    shown at the socket counts there, too: whoever wants to may do less."""

    def __init__(self, app: ASGIApp, registry: Registry, *, needs_token: bool) -> None:
        self._app = app
        self._registry = registry
        self._needs_token = needs_token
        self._complaints = Complaints()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        shown = Headers(scope=scope).get("authorization", "")
        try:
            if shown or self._needs_token:
                who = await run_in_threadpool(caller, self._registry, shown)
            else:
                who = SOMEBODY_HERE
        except (NoToken, RegistryError) as error:
            self._complain(scope, error)
            await problems.problem_of(error)(scope, receive, send)
            return
        scope.setdefault("state", {})[CALLER] = who
        await self._app(scope, receive, send)

    def _complain(self, scope: Scope, error: Exception) -> None:
        peer = (scope.get("client") or ("the socket",))[0]
        if isinstance(error, NoToken) and (suffix := self._complaints.suffix(peer, "token", monotonic())) is not None:
            log.warning("%s: refused: no good token%s", peer, suffix)


def _who(request: Request) -> Caller:
    """Raises NotAllowed."""
    who: Caller = request.scope["state"][CALLER]
    check_scope(who, request.method, request.scope["route"].path)
    return who


Who = Annotated[Caller, Depends(_who)]
