"""Channels, policies and the operator's routes: who is told, and where."""

from __future__ import annotations

from collections.abc import Mapping

from cloud_bridge.administration import wishes as asked
from cloud_bridge.administration.forms import ChannelShown, PolicyShown
from cloud_bridge.administration.names import address, find_channel, find_policy, owner_id
from cloud_bridge.administration.showing import channel_shown, policy_shown
from cloud_bridge.administration.users import users_of_channel, users_of_name
from cloud_bridge.alerts.terms import Directory, Policy
from cloud_bridge.errors import InUse, Mistake, Wrong
from cloud_bridge.runtime.administer.office import Desk, Office
from cloud_bridge.store.registry import values, wishes
from cloud_bridge.store.registry.directory import ROUTES

Fields = Mapping[str, object]


def list_channels(office: Office, owner: str | None = None) -> list[ChannelShown]:
    """Of one owner, if one is named; `operator`: the operator's. So are the other lists."""
    with office.reading() as desk:
        found = [
            channel_shown(desk.directory, each)
            for each in desk.directory.channels.values()
            if _is_of(desk.directory, each.owner, owner)
        ]
        return sorted(found, key=lambda each: (each.owner, each.name))


def show_channel(office: Office, name: str) -> ChannelShown:
    with office.reading() as desk:
        return channel_shown(desk.directory, find_channel(desk.directory, name))


def add_channel(office: Office, fields: Fields) -> ChannelShown:
    with office.writing() as desk:
        made = asked.channel(desk.directory, fields, _check_target(office))
        made = wishes.add_channel(desk.connection, made, office.vault.seal(made.target))
        return channel_shown(desk.directory, made)


def set_channel(office: Office, name: str, fields: Fields) -> ChannelShown:
    """Raises InUse where the operator's routes name it and it is to have another name."""
    with office.writing() as desk:
        before = find_channel(desk.directory, name)
        after = asked.channel(desk.directory, fields, _check_target(office), before)
        if after.name != before.name and (users := users_of_name(desk.directory, before)):
            raise InUse("channel", address(desk.directory, before), users)
        wishes.save_channel(desk.connection, after, office.vault.seal(after.target))
        return channel_shown(desk.directory, after)


def remove_channel(office: Office, name: str) -> ChannelShown:
    """Raises InUse while a policy or the operator's routes lead to it."""
    with office.writing() as desk:
        gone = find_channel(desk.directory, name)
        if users := users_of_channel(desk.directory, gone):
            raise InUse("channel", address(desk.directory, gone), users)
        wishes.remove_channel(desk.connection, gone)
        return channel_shown(desk.directory, gone)


def _check_target(office: Office) -> asked.CheckTarget:
    def check(kind: str, target: str) -> Mistake | None:
        from cloud_bridge.notify.errors import BadTarget
        from cloud_bridge.notify.targets import check_target

        try:
            check_target(kind, target, office.settings.allow_private_targets)
        except BadTarget as error:
            return Mistake("target", str(error))
        return None

    return check


def list_policies(office: Office, owner: str | None = None) -> list[PolicyShown]:
    with office.reading() as desk:
        found = [each for each in desk.directory.policies.values() if _is_of(desk.directory, each.owner, owner)]
        return sorted(_policies_shown(desk, *found), key=lambda each: (each.owner, each.name))


def show_policy(office: Office, name: str) -> PolicyShown:
    with office.reading() as desk:
        return _policies_shown(desk, find_policy(desk.directory, name))[0]


def add_policy(office: Office, fields: Fields) -> PolicyShown:
    with office.writing() as desk:
        made = wishes.add_policy(desk.connection, asked.policy(desk.directory, fields, desk.now))
        return _policies_shown(desk, made)[0]


def set_policy(office: Office, name: str, fields: Fields) -> tuple[PolicyShown, list[str]]:
    """And the addresses that had unsubscribed from it: whoever saves a policy subscribes them again."""
    with office.writing() as desk:
        after = asked.policy(desk.directory, fields, desk.now, find_policy(desk.directory, name))
        back = wishes.save_policy(desk.connection, after)
        return _policies_shown(desk, after)[0], back


def remove_policy(office: Office, name: str) -> PolicyShown:
    with office.writing() as desk:
        gone = find_policy(desk.directory, name)
        shown = _policies_shown(desk, gone)[0]
        values.removed(desk.connection, gone)
        return shown


def _policies_shown(desk: Desk, *policies: Policy) -> list[PolicyShown]:
    left = wishes.unsubscribers(desk.connection)
    return [policy_shown(desk.directory, each, left.get(each.id, ())) for each in policies]


def show_routes(office: Office) -> str:
    """As they were given; empty: none."""
    with office.registry.reading() as connection:
        return wishes.newest_routes(connection)


def set_routes(office: Office, text: str, source: str = ROUTES) -> None:
    """Raises SettingsError with the line and column of what is wrong, Wrong for a channel that is not there."""
    from cloud_bridge.alerts.tree import channels_of, parse_routes

    route = parse_routes(text, source)
    with office.writing() as desk:
        operators = {each.name for each in desk.directory.channels.values() if each.owner is None}
        missing = sorted(channels_of(route) - operators)
        if missing:
            raise Wrong(*(Mistake(source, _no_channel(name, desk.directory)) for name in missing))
        wishes.save_routes(desk.connection, text, desk.now)


def _no_channel(name: str, directory: Directory) -> str:
    theirs = sorted(each.name for each in directory.channels.values() if each.owner is None)
    return f"the operator has no channel {name!r}; there are: {', '.join(theirs) or 'none'}"


def remove_routes(office: Office) -> None:
    with office.writing() as desk:
        wishes.save_routes(desk.connection, "", desk.now)


def _is_of(directory: Directory, whose: int | None, owner: str | None) -> bool:
    return owner is None or whose == owner_id(directory, owner)
