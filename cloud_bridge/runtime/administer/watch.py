"""Thresholds and silences: what is an alert, and what is none for a while."""

from __future__ import annotations

from collections.abc import Mapping

from cloud_bridge.administration import rules as asked
from cloud_bridge.administration.forms import RuleShown, SilenceShown
from cloud_bridge.administration.names import find_rule, owner_id
from cloud_bridge.administration.showing import rule_shown, silence_shown
from cloud_bridge.alerts.terms import Silence
from cloud_bridge.errors import NotThere
from cloud_bridge.runtime.administer.office import Desk, Office
from cloud_bridge.store.registry import values, wishes

Fields = Mapping[str, object]


def list_rules(office: Office, owner: str | None = None) -> list[RuleShown]:
    with office.reading() as desk:
        found = [
            rule_shown(desk.directory, each)
            for each in desk.directory.rules.values()
            if owner is None or each.owner == owner_id(desk.directory, owner)
        ]
        return sorted(found, key=lambda each: (each.owner, each.name))


def show_rule(office: Office, name: str) -> RuleShown:
    with office.reading() as desk:
        return rule_shown(desk.directory, find_rule(desk.directory, name))


def add_rule(office: Office, fields: Fields) -> RuleShown:
    with office.writing() as desk:
        return rule_shown(desk.directory, values.added(desk.connection, asked.rule(desk.directory, fields)))


def set_rule(office: Office, name: str, fields: Fields) -> RuleShown:
    with office.writing() as desk:
        after = asked.rule(desk.directory, fields, find_rule(desk.directory, name))
        values.saved(desk.connection, after)
        return rule_shown(desk.directory, after)


def remove_rule(office: Office, name: str) -> RuleShown:
    with office.writing() as desk:
        gone = find_rule(desk.directory, name)
        values.removed(desk.connection, gone)
        return rule_shown(desk.directory, gone)


def list_silences(office: Office, *, ended: bool = False) -> list[SilenceShown]:
    """Those to come and in force, in the order of their beginning; with `ended` the others of the last 90 days too."""
    with office.reading() as desk:
        found = [each for each in desk.directory.silences.values() if ended or each.ends_at > desk.now]
        return [
            silence_shown(desk.directory, each, desk.now) for each in sorted(found, key=lambda each: each.starts_at)
        ]


def show_silence(office: Office, number: int) -> SilenceShown:
    with office.reading() as desk:
        return silence_shown(desk.directory, _silence(desk, number), desk.now)


def add_silence(office: Office, fields: Fields) -> SilenceShown:
    with office.writing() as desk:
        made = wishes.add_silence(desk.connection, asked.silence(desk.directory, fields, desk.now), desk.now)
        return silence_shown(desk.directory, made, desk.now)


def end_silence(office: Office, number: int) -> SilenceShown:
    """Raises NotThere if it has ended."""
    with office.writing() as desk:
        before = _silence(desk, number)
        if before.ends_at <= desk.now:
            raise NotThere("silence", str(number), "it has ended already")
        after = wishes.end_silence(desk.connection, before, desk.now)
        return silence_shown(desk.directory, after, desk.now)


def _silence(desk: Desk, number: int) -> Silence:
    found = desk.directory.silences.get(number)
    if found is None:
        raise NotThere("silence", str(number), "`ridethrough cloud silence list --all` shows all")
    return found
