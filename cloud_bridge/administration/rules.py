"""Thresholds and silences: what was asked, as the registry will have it. Pure. Instants are UTC milliseconds.

Each function takes the fields of a form, those of one that is changed alone where there is a `before`. Each raises
Wrong with every mistake, or Taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from cloud_bridge.administration.checks import (
    condition_mistakes,
    demand,
    filled,
    finite_mistakes,
    name_mistakes,
    reading_mistakes,
    tag_mistakes,
    text_mistakes,
)
from cloud_bridge.administration.forms import SILENCE_S, RuleForm, SilenceForm
from cloud_bridge.administration.names import check_free, owner_name
from cloud_bridge.administration.scopes import owner_of, scope_names, scope_of
from cloud_bridge.alerts.terms import Directory, Rule, Silence
from cloud_bridge.errors import Mistake

Fields = Mapping[str, object]


def rule(directory: Directory, fields: Fields, before: Rule | None = None) -> Rule:
    form = filled(RuleForm, fields, _without_limit(rule_form(directory, before), fields) if before else None)
    whose = owner_of(directory, form.owner, before)
    demand(
        (
            *name_mistakes("name", form.name),
            *tag_mistakes("tags", form.tags),
            *reading_mistakes("reading", form.reading),
            *finite_mistakes(above=form.above, below=form.below, clear=form.clear),
            *_limit_mistakes(form),
        )
    )
    check_free(directory, "rule", directory.rules, form.name, whose, before.id if before else 0)
    above, below = form.above, form.below
    return Rule(
        id=before.id if before else 0,
        owner=whose,
        name=form.name,
        reading=form.reading,
        above=above is not None,
        limit=above if above is not None else below or 0.0,
        clear=form.clear,
        for_s=form.for_s,
        severity=form.severity,
        scope=scope_of(directory, form, whose),
        enabled=form.enabled,
    )


def _without_limit(form: RuleForm, fields: Fields) -> RuleForm:
    """A rule that is turned round keeps no limit of its other side."""
    sides = {side for side in ("above", "below") if fields.get(side) is not None}
    other = {"above": "below", "below": "above"}[sides.pop()] if len(sides) == 1 else ""
    if not other or getattr(form, other) is None:
        return form
    return replace(form, **{other: None}, clear=None)


def _limit_mistakes(form: RuleForm) -> Iterator[Mistake]:
    if (form.above is None) == (form.below is None):
        yield Mistake("above", "expected one limit: above, or below")
    elif form.clear is not None and form.above is not None and form.clear > form.above:
        yield Mistake("clear", f"expected at most {form.above:g}, the limit, got {form.clear:g}")
    elif form.clear is not None and form.below is not None and form.clear < form.below:
        yield Mistake("clear", f"expected at least {form.below:g}, the limit, got {form.clear:g}")


def rule_form(directory: Directory, it: Rule) -> RuleForm:
    devices, sites, tags = scope_names(directory, it.scope)
    return RuleForm(
        owner=owner_name(directory, it.owner),
        name=it.name,
        reading=it.reading,
        above=it.limit if it.above else None,
        below=None if it.above else it.limit,
        clear=it.clear,
        for_s=it.for_s,
        severity=it.severity,
        devices=devices,
        sites=sites,
        tags=tags,
        enabled=it.enabled,
    )


def silence(directory: Directory, fields: Fields, now: int) -> Silence:
    form = filled(SilenceForm, fields)
    whose = owner_of(directory, form.owner, None)
    starts_at = _ms(form.starts_at) if form.starts_at else now
    ends_at = _ms(form.ends_at) if form.ends_at else starts_at + (form.for_s or 0) * 1000
    demand(
        (
            *tag_mistakes("tags", form.tags),
            *condition_mistakes("conditions", form.conditions),
            *text_mistakes("by", form.by),
            *text_mistakes("why", form.why),
            *_span_mistakes(form, starts_at, ends_at, now),
        )
    )
    return Silence(
        id=0,
        owner=whose,
        starts_at=starts_at,
        ends_at=ends_at,
        kind=form.kind,
        scope=scope_of(directory, form, whose),
        conditions=form.conditions,
        critical=form.critical,
        by=form.by,
        why=form.why,
    )


def _span_mistakes(form: SilenceForm, starts_at: int, ends_at: int, now: int) -> Iterator[Mistake]:
    if (form.ends_at is None) == (form.for_s is None):
        yield Mistake("ends_at", "expected one of ends_at and for_s: no silence is for ever")
    elif ends_at <= max(starts_at, now):
        yield Mistake("ends_at", "expected a time after its beginning that is still to come")
    elif ends_at - starts_at > SILENCE_S * 1000 or starts_at > now + SILENCE_S * 1000:
        yield Mistake("ends_at", f"expected at most {SILENCE_S // 86400} days")


def silence_form(directory: Directory, it: Silence) -> SilenceForm:
    devices, sites, tags = scope_names(directory, it.scope)
    return SilenceForm(
        owner=owner_name(directory, it.owner),
        starts_at=instant(it.starts_at),
        ends_at=instant(it.ends_at),
        kind=it.kind,
        devices=devices,
        sites=sites,
        tags=tags,
        conditions=it.conditions,
        critical=it.critical,
        by=it.by,
        why=it.why,
    )


def instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
