"""Rules and silences."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from cloud_bridge.administration.forms import RuleForm, RuleShown, SilenceForm, SilenceShown
from cloud_bridge.runtime.administer import watch
from cloud_bridge.runtime.api.admitted import Who
from cloud_bridge.runtime.api.operations import Body, Listed, Opened, OwnerAsked, Paged, answer, by_id, fields_of, says

rules = APIRouter(tags=["rules"])
silences = APIRouter(tags=["silences"])

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]

_RULE = {"owner": "ada", "name": "full", "reading": "load_pct", "above": 80, "clear": 75, "for_s": 300}
_SILENCE = {"owner": "ada", "devices": ["pi-1/rack-1"], "kind": "maintenance", "for_s": 7200, "why": "new batteries"}


@rules.get("/v1/rules", **says(Listed[RuleShown]))
def list_rules(_who: Who, office: Opened, part: Paged, owner: OwnerAsked = None) -> Response:
    return answer(part.of(watch.list_rules(office, owner), by_id))


@rules.post("/v1/rules", **says(RuleShown, takes=RuleForm, status=201, example=_RULE))
def add_rule(_who: Who, office: Opened, body: Body) -> Response:
    """A threshold on a reading."""
    return answer(watch.add_rule(office, fields_of(body)), 201)


@rules.get("/v1/rules/{owner}/{rule}", **says(RuleShown))
def show_rule(_who: Who, office: Opened, owner: str, rule: str) -> Response:
    return answer(watch.show_rule(office, f"{owner}/{rule}"))


@rules.patch("/v1/rules/{owner}/{rule}", **says(RuleShown, changes=RuleForm, example={"above": 85}))
def change_rule(_who: Who, office: Opened, owner: str, rule: str, body: Body) -> Response:
    """What is not named stays."""
    return answer(watch.set_rule(office, f"{owner}/{rule}", fields_of(body)))


@rules.delete("/v1/rules/{owner}/{rule}", **says(RuleShown))
def remove_rule(_who: Who, office: Opened, owner: str, rule: str) -> Response:
    return answer(watch.remove_rule(office, f"{owner}/{rule}"))


@silences.get("/v1/silences", **says(Listed[SilenceShown]))
def list_silences(
    _who: Who,
    office: Opened,
    part: Paged,
    ended: Annotated[bool, Query(description="Also those of the last 90 days that are over.")] = False,
) -> Response:
    return answer(part.of(watch.list_silences(office, ended=ended), by_id))


@silences.post("/v1/silences", **says(SilenceShown, takes=SilenceForm, status=201, example=_SILENCE))
def add_silence(_who: Who, office: Opened, body: Body) -> Response:
    """Nothing is said meanwhile of what it names. A critical is told all the same, unless its condition is named or
    `critical` says so."""
    return answer(watch.add_silence(office, fields_of(body)), 201)


@silences.get("/v1/silences/{silence}", **says(SilenceShown))
def show_silence(_who: Who, office: Opened, silence: Number) -> Response:
    return answer(watch.show_silence(office, silence))


@silences.delete("/v1/silences/{silence}", **says(SilenceShown))
def end_silence(_who: Who, office: Opened, silence: Number) -> Response:
    """Now."""
    return answer(watch.end_silence(office, silence))
