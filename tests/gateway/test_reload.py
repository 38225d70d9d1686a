"""What new settings change in a running gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ups import Verb
from gateway.order import Order, Source, Wishes, from_json, to_json, wishes_from_json, wishes_to_json
from gateway.policy import Policy, UnitPolicy
from gateway.reload import AT_START_ONLY, Changes, difference, told
from gateway.settings import EmergencySettings, GatewaySettings, NtfyRoute, Tls, UnitSettings
from gateway.wire.classes import CommandClass

NAMES = ("a", "b", "c", "d")
TLS = Tls(ca=Path("/g/ca.pem"), certificate=Path("/g/gateway.pem"), key=Path("/g/gateway.key"))


def unit(name: str, port: int = 502, **more: Any) -> UnitSettings:
    return UnitSettings(name=name, url=f"modbus+tcp://10.0.0.{ord(name)}:{port}", **more)


def settings(*units: UnitSettings, **more: Any) -> GatewaySettings:
    given_ = {"gateway": "pi", "cloud": "mqtts://c:8883", "tls": TLS, "data": Path("/g/data"), "units": units, **more}
    return GatewaySettings(**given_)


ports = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3))
units = ports.map(lambda by_name: tuple(unit(name, port) for name, port in by_name.items()))


@given(units, units)
def test_what_runs_afterwards_is_what_the_new_settings_name_and_nothing_unchanged_was_touched(
    old: tuple[UnitSettings, ...], new: tuple[UnitSettings, ...]
) -> None:
    changes = difference(Wishes(settings(*old)), Wishes(settings(*new)))
    running = {each.name: each for each in old}
    for name in changes.stop:
        del running[name]
    for each in changes.start:
        assert each.name not in running
        running[each.name] = each
    assert running == {each.name: each for each in new}
    untouched = {each.name for each in old if each in new}
    assert untouched.isdisjoint(changes.stop)
    assert untouched.isdisjoint(each.name for each in changes.start)


def test_the_same_settings_change_nothing() -> None:
    wishes = Wishes(settings(unit("a"), unit("b")))
    assert difference(wishes, wishes) == Changes()
    assert told(Changes()) == "nothing changed"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gateway", "pi-2"),
        ("data", Path("/other")),
        ("enrolment", "https://c:8443"),
        ("command_key", Path("/g/command.pub")),
        ("outbox_mb", 64),
    ],
)
def test_what_takes_a_restart_is_named_and_nothing_else_is_taken_with_it(key: str, value: object) -> None:
    old, new = settings(unit("a")), settings(unit("b"), **{key: value})
    changes = difference(Wishes(old), Wishes(new))
    assert changes == Changes(restart=(key,))
    assert told(changes).startswith(f"{key} changed: that takes a restart")


def test_every_key_is_followed_or_named_as_one_that_takes_a_restart() -> None:
    followed = {"units", "cloud", "tls", "socket", "status_page", "policy", "emergency"}
    assert {field.name for field in msgspec.structs.fields(GatewaySettings)} == followed | set(AT_START_ONLY)


@pytest.mark.parametrize(
    "more", [{"cloud": "mqtts://d:8883"}, {"tls": msgspec.structs.replace(TLS, ca=Path("/other.pem"))}]
)
def test_another_broker_or_other_certificates_make_a_new_connection(more: dict[str, Any]) -> None:
    changes = difference(Wishes(settings(unit("a"))), Wishes(settings(unit("a"), **more)))
    assert changes == Changes(uplink=True)
    assert told(changes) == "new connection"


@pytest.mark.parametrize("more", [{"socket": Path("/run/g.sock")}, {"status_page": "127.0.0.1:8480"}])
def test_local_listeners_are_made_anew_when_their_place_changes(more: dict[str, Any]) -> None:
    assert difference(Wishes(settings()), Wishes(settings(**more))) == Changes(listeners=True)


def test_another_emergency_route_is_taken_without_touching_anything_else() -> None:
    route = EmergencySettings(ntfy=NtfyRoute(url="https://ntfy.example.net/ups"))
    changes = difference(Wishes(settings()), Wishes(settings(emergency=route)))
    assert changes == Changes(emergency=True)
    assert told(changes) == "new emergency route"


def test_a_socket_named_where_it_is_anyway_changes_nothing() -> None:
    assert difference(Wishes(settings()), Wishes(settings(socket=settings().status_socket))) == Changes()


def test_s2_a_unit_whose_policy_names_another_dangerous_verb_gets_a_driver_that_knows_it() -> None:
    named = Policy(units={"a": UnitPolicy(verbs=(Verb.BYPASS_ON,))})
    changes = difference(Wishes(settings(unit("a"), unit("b"))), Wishes(settings(unit("a"), unit("b")), named))
    assert (changes.stop, changes.start, changes.policy) == (("a",), (unit("a"),), True)


def test_s7_another_policy_alone_touches_no_unit() -> None:
    wider = Policy(allow=(CommandClass.QUIET, CommandClass.TO_BATTERY))
    assert difference(Wishes(settings(unit("a"))), Wishes(settings(unit("a")), wider)) == Changes(policy=True)


def test_the_log_says_which_units_come_go_and_change() -> None:
    old, new = settings(unit("a"), unit("b")), settings(unit("b", 503), unit("c"))
    assert told(difference(Wishes(old), Wishes(new))) == "stopped a; started c; changed b"


@given(units)
def test_an_order_arrives_in_the_agent_as_it_was_given(given_units: tuple[UnitSettings, ...]) -> None:
    policy = Policy(allow=(CommandClass.TO_BATTERY,), units={"a": UnitPolicy(feeds={1: ()})})
    wishes = Wishes(settings(*given_units, command_key=Path("/g/command.pub")), policy)
    order = Order(wishes, Source("gateway.yaml", ("x=y",), "debug"), "/g/data/outbox.sqlite3")
    assert from_json(to_json(order)) == order
    assert wishes_from_json(wishes_to_json(wishes)) == wishes
