"""Channels, policies, and the operator's routes."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from cloud_bridge.administration.forms import ChannelForm, ChannelShown, PolicyForm, PolicyShown
from cloud_bridge.runtime.administer import wishes
from cloud_bridge.runtime.administer.trying import Tried, try_channel
from cloud_bridge.runtime.api.admitted import Who
from cloud_bridge.runtime.api.operations import (
    Body,
    Listed,
    Opened,
    OwnerAsked,
    Paged,
    answer,
    by_id,
    decoded,
    fields_of,
    says,
)

channels = APIRouter(tags=["channels"])
policies = APIRouter(tags=["policies"])
routes = APIRouter(tags=["routes"])

TRIALS_AT_ONCE = 4
"""Test notices: one by Apprise takes a process of 60 MB."""


def _trials(request: Request) -> asyncio.Semaphore:
    trials: asyncio.Semaphore = request.app.state.trials
    return trials


Trials = Annotated[asyncio.Semaphore, Depends(_trials)]

_CHANNEL = {"owner": "ada", "name": "phone", "kind": "apprise", "target": "ntfy://ntfy.sh/ada-ups"}
_POLICY = {
    "owner": "ada",
    "name": "nights",
    "channel": "phone",
    "least": "critical",
    "quiet": {"since": "22:30", "until": "07:00"},
}
_ROUTES = "channel: operators\nroutes:\n  - {match: {tag: lab}, channel: lab}\n"


class PolicySaved(PolicyShown, frozen=True, kw_only=True):
    """`resubscribed`: addresses that had unsubscribed from it and get its notices again."""

    resubscribed: tuple[str, ...] = ()


class Routes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`text`: the operator's tree in YAML (docs/alerts.md), as it was given; empty: there is none."""

    text: str


@channels.get("/v1/channels", **says(Listed[ChannelShown]))
def list_channels(_who: Who, office: Opened, part: Paged, owner: OwnerAsked = None) -> Response:
    """Targets are shown without what is secret in them."""
    return answer(part.of(wishes.list_channels(office, owner), by_id))


@channels.post("/v1/channels", **says(ChannelShown, takes=ChannelForm, status=201, example=_CHANNEL))
def add_channel(_who: Who, office: Opened, body: Body) -> Response:
    """Where notices go: a mail address, or the URL of a webhook or of a service that Apprise knows."""
    return answer(wishes.add_channel(office, fields_of(body)), 201)


@channels.get("/v1/channels/{owner}/{channel}", **says(ChannelShown))
def show_channel(_who: Who, office: Opened, owner: str, channel: str) -> Response:
    return answer(wishes.show_channel(office, f"{owner}/{channel}"))


@channels.patch("/v1/channels/{owner}/{channel}", **says(ChannelShown, changes=ChannelForm, example={"per_minute": 10}))
def change_channel(_who: Who, office: Opened, owner: str, channel: str, body: Body) -> Response:
    """What is not named stays."""
    return answer(wishes.set_channel(office, f"{owner}/{channel}", fields_of(body)))


@channels.delete("/v1/channels/{owner}/{channel}", **says(ChannelShown))
def remove_channel(_who: Who, office: Opened, owner: str, channel: str) -> Response:
    return answer(wishes.remove_channel(office, f"{owner}/{channel}"))


@channels.post("/v1/channels/{owner}/{channel}/test", **says(Tried))
async def send_test_notice(_who: Who, office: Opened, owner: str, channel: str, trials: Trials) -> Response:
    """Sends a test notice now, past policies and silences, and says what became of it."""
    async with trials:
        return answer(await try_channel(office, f"{owner}/{channel}"))


@policies.get("/v1/policies", **says(Listed[PolicyShown]))
def list_policies(_who: Who, office: Opened, part: Paged, owner: OwnerAsked = None) -> Response:
    return answer(part.of(wishes.list_policies(office, owner), by_id))


@policies.post("/v1/policies", **says(PolicyShown, takes=PolicyForm, status=201, example=_POLICY))
def add_policy(_who: Who, office: Opened, body: Body) -> Response:
    """Who is told of what, where, and when rather not."""
    return answer(wishes.add_policy(office, fields_of(body)), 201)


@policies.get("/v1/policies/{owner}/{policy}", **says(PolicyShown))
def show_policy(_who: Who, office: Opened, owner: str, policy: str) -> Response:
    return answer(wishes.show_policy(office, f"{owner}/{policy}"))


@policies.patch("/v1/policies/{owner}/{policy}", **says(PolicySaved, changes=PolicyForm, example={"least": "warning"}))
def save_policy(_who: Who, office: Opened, owner: str, policy: str, body: Body) -> Response:
    """What is not named stays. Saving subscribes again whoever had unsubscribed from it, even if nothing changes."""
    saved, back = wishes.set_policy(office, f"{owner}/{policy}", fields_of(body))
    return answer(PolicySaved(**msgspec.structs.asdict(saved), resubscribed=tuple(back)))


@policies.delete("/v1/policies/{owner}/{policy}", **says(PolicyShown))
def remove_policy(_who: Who, office: Opened, owner: str, policy: str) -> Response:
    return answer(wishes.remove_policy(office, f"{owner}/{policy}"))


@routes.get("/v1/routes", **says(Routes))
def show_routes(_who: Who, office: Opened) -> Response:
    return answer(Routes(wishes.show_routes(office)))


@routes.put("/v1/routes", **says(Routes, takes=Routes, example={"text": _ROUTES}))
def set_routes(_who: Who, office: Opened, body: Body) -> Response:
    """The whole tree. What is wrong in it is told with line and column, and nothing is saved."""
    tree = decoded(body, Routes)
    wishes.set_routes(office, tree.text)
    return answer(tree)


@routes.delete("/v1/routes", **says(Routes))
def remove_routes(_who: Who, office: Opened) -> Response:
    wishes.remove_routes(office)
    return answer(Routes(""))
