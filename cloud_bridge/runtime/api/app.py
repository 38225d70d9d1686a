"""The application: every area's routes, behind the doors."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from cloud_bridge.runtime.administer.office import Office
from cloud_bridge.runtime.api.admitted import Admission
from cloud_bridge.runtime.api.alerts import alerts, health
from cloud_bridge.runtime.api.operations import BODY_BYTES, schemas
from cloud_bridge.runtime.api.people import devices, mutes, owners, sites
from cloud_bridge.runtime.api.problems import at_the_door, tell_problems
from cloud_bridge.runtime.api.tokens import tokens
from cloud_bridge.runtime.api.watch import rules, silences
from cloud_bridge.runtime.api.wishes import TRIALS_AT_ONCE, channels, policies, routes
from cloud_bridge.runtime.doors import AtMost, OnlyFor

AREAS = (
    (owners, "People whose devices are watched. `operator` stands for whoever runs this cloud."),
    (sites, "Places whose units share their mains."),
    (devices, "Units, as the cloud knows them: GATEWAY/UNIT."),
    (channels, "Where notices go."),
    (policies, "Who is told of what."),
    (rules, "Thresholds of an owner's own."),
    (silences, "Times in which nothing is said."),
    (routes, "The operator's tree: who among the operators is told."),
    (alerts, "What is wrong, and why who was told."),
    (mutes, "Devices whose notifications are off by the flood rule."),
    (tokens, "Who may use this API over the network."),
    (health, "How the service is."),
)
TITLE = "Ridethrough"
VERSION = "1"
ABOUT = """\
Administers a Ridethrough cloud: owners, sites, devices, who is told of what, and alerts. `docs/api.md` has it with
examples. Bodies and answers are JSON of at most 64 KiB, instants RFC 3339 in UTC; whatever goes wrong is
`application/problem+json` (RFC 9457), whose `mistakes` say where. A list comes in parts: `next` of one part is `after`
of the request for the next.
"""


def application(office: Office | None = None) -> FastAPI:
    """The routes. Without an office they can only be described."""
    app = FastAPI(title=TITLE, version=VERSION, description=ABOUT, docs_url=None, redoc_url=None)
    app.router.redirect_slashes = False
    app.state.office = office
    app.state.trials = asyncio.Semaphore(TRIALS_AT_ONCE)
    for area, _ in AREAS:
        app.include_router(area)
    tell_problems(app)
    app.openapi_tags = [{"name": area.tags[0], "description": about} for area, about in AREAS]
    described = app.openapi

    def openapi() -> dict[str, Any]:
        description = described()
        components = description.setdefault("components", {})
        components["schemas"] = dict(sorted(schemas.items()))
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        description["security"] = [{"token": []}, {}]
        return description

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it
    return app


def guarded(office: Office, hosts: frozenset[str], *, needs_token: bool) -> ASGIApp:
    """What is served: whose request it is comes first, then how long it is."""
    inner = AtMost(application(office), BODY_BYTES, at_the_door)
    return OnlyFor(Admission(inner, office.registry, needs_token=needs_token), hosts, at_the_door)
