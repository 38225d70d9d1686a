"""A forged, replayed, expired, re-addressed or policy-forbidden command never reaches the wire."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.ups import Verb
from gateway.policy import ONLY_BY_NAME, Feed, Policy, UnitPolicy
from gateway.wire.classes import CLASSES, CommandClass
from gateway.wire.envelope import operator, seal
from gateway.wire.messages import Clock
from gateway.wire.orders import CLOUD, ORDER, By, Order
from gateway.wire.topics import Down
from tests.gateway.commanded import ALICE, ALLOWED, BY_BOTH, CLOUD_KEY, MALLORY, UNIT, Bench, MemoryUnit, bench

EVERYTHING = msgspec.structs.replace(ALLOWED, verbs=tuple(sorted(ONLY_BY_NAME)))
QUIET = tuple(verb for verb, kind in CLASSES.items() if kind is CommandClass.QUIET)
CUTTING = tuple(verb for verb, kind in CLASSES.items() if kind is CommandClass.CUTS_OUTPUT)
LOUD = tuple(verb for verb, kind in CLASSES.items() if kind is not CommandClass.QUIET)

Run = Callable[[Any], Any]


class Desk:
    """One gateway for all examples; each has an order of its own, at a time of its own."""

    def __init__(self, runner: asyncio.Runner, at: Bench) -> None:
        self.runner = runner
        self.at = at

    def order(self, verb: Verb, *, challenged: bool = True) -> Order:
        """An order that would be carried out as it is."""

        async def make() -> Order:
            self.at.commands.replace(EVERYTHING)
            self.at.clock.quality = Clock.SYNCHRONISED
            self.at.clock.passes(91 * 24 * 3600)
            self.at.mains_were_good()
            groups = (2,) if verb.startswith("outlet_") else ()
            order = self.at.order(verb, groups=groups)
            return self.at.challenged(order) if challenged else order

        return self.runner.run(make())

    def executed(self, *payloads: bytes, policy: Policy | None = None) -> int:
        """How many commands reach the unit when these bytes come from the broker."""

        async def deliver() -> int:
            before = len(self.at.unit.executed)
            if policy is not None:
                self.at.commands.replace(policy)
            for payload in payloads:
                self.at.commands.received(Down.COMMAND, payload)
                await self.at.settled()
            return len(self.at.unit.executed) - before

        return self.runner.run(deliver())


@contextmanager
def _desk(folder: Path) -> Iterator[Desk]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def opened() -> Bench:
            at = await stack.enter_async_context(bench(folder, EVERYTHING))
            at.units["rack-2"] = MemoryUnit("rack-2")
            return at

        yield Desk(runner, runner.run(opened()))
        runner.run(stack.aclose())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with _desk(tmp_path) as made:
        yield made


def sealed(order: Order, *keys: tuple[str, Ed25519PrivateKey]) -> bytes:
    return msgspec.json.encode(seal(ORDER, order, keys or BY_BOTH))


def edited(raw: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    envelope = json.loads(raw)
    change(envelope)
    return json.dumps(envelope).encode()


def rewritten(raw: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The order inside changed, its signatures left as they are."""

    def inside(envelope: dict[str, Any]) -> None:
        payload = json.loads(base64.b64decode(envelope["payload"]))
        change(payload)
        envelope["payload"] = base64.b64encode(json.dumps(payload, separators=(",", ":")).encode()).decode()

    return edited(raw, inside)


several = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
verbs = st.sampled_from(sorted(CLASSES))
OTHER_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(0, 2**64).map(lambda n: f"{n:032x}"),
    "gateway": st.sampled_from(["attic", "", "PI"]),
    "unit": st.sampled_from(["rack-2", "", "rack-9"]),
    "serial": st.sampled_from(["AS2", "", "as1"]),
    "verb": st.sampled_from(sorted(Verb)),
    "by": st.sampled_from([{"role": "admin", "name": "Ann"}, {"role": "owner", "name": "Eve"}]),
    "issued_at": st.integers(0, 2**41),
    "expires_at": st.integers(0, 2**42),
    "challenge": st.none() | st.integers(0, 2**64).map(lambda n: f"{n:032x}"),
    "groups": st.sampled_from([[], [0], [1], [1, 2]]),
    "use_off_delay": st.just(True),
    "use_on_delay": st.just(True),
    "cold_boot": st.just(True),
    "value": st.sampled_from(["x", 5]),
}


def test_every_field_of_an_order_has_other_values_to_try() -> None:
    assert OTHER_VALUES.keys() == {field.name for field in msgspec.structs.fields(Order)}


@several
@given(verb=verbs)
def test_s1_an_order_as_it_should_be_reaches_the_wire_once_however_often_it_is_said(desk: Desk, verb: Verb) -> None:
    raw = sealed(desk.order(verb))
    assert desk.executed(raw, raw, raw) == 1
    desk.runner.run(_passes(desk, 30))
    assert desk.executed(raw) == 0


@several
@given(verb=verbs, data=st.data())
def test_s9_no_field_of_an_order_can_be_changed_on_its_way(desk: Desk, verb: Verb, data: st.DataObject) -> None:
    order = desk.order(verb)
    name = data.draw(st.sampled_from(sorted(OTHER_VALUES)))
    before = msgspec.to_builtins(order).get(name)
    other = data.draw(OTHER_VALUES[name].filter(lambda value: value != before))
    raw = rewritten(sealed(order), lambda payload: payload.update({name: other}))
    assert desk.executed(raw) == 0


@several
@given(verb=verbs, name=st.sampled_from(["gateway", "unit", "serial"]), data=st.data())
def test_s3_an_order_that_was_signed_for_somebody_else_does_nothing_here(
    desk: Desk, verb: Verb, name: str, data: st.DataObject
) -> None:
    other = data.draw(OTHER_VALUES[name])
    order = msgspec.structs.replace(desk.order(verb), **{name: other})
    assert desk.executed(sealed(order)) == 0


@several
@given(verb=verbs, data=st.data())
def test_s9_no_signature_can_be_made_without_its_key(desk: Desk, verb: Verb, data: st.DataObject) -> None:
    order = desk.order(verb)
    forged = data.draw(
        st.sampled_from(
            [
                ((CLOUD, MALLORY), (operator("alice"), ALICE)),
                ((CLOUD, ALICE), (operator("alice"), ALICE)),
                ((operator("alice"), ALICE),),
                ((operator("alice"), ALICE), (CLOUD, CLOUD_KEY)),
                ((CLOUD, CLOUD_KEY), (operator("alice"), MALLORY)),
                ((CLOUD, CLOUD_KEY), (CLOUD, CLOUD_KEY), (operator("alice"), ALICE)),
            ]
        )
    )
    assert desk.executed(sealed(order, *forged)) == 0


@several
@given(verb=verbs, bit=st.integers(0, 8 * 64 - 1), which=st.integers(0, 1))
def test_s9_no_bit_of_a_signature_can_be_changed(desk: Desk, verb: Verb, bit: int, which: int) -> None:
    def flip(envelope: dict[str, Any]) -> None:
        value = bytearray(base64.b64decode(envelope["signatures"][which]["value"]))
        value[bit // 8] ^= 1 << bit % 8
        envelope["signatures"][which]["value"] = base64.b64encode(value).decode()

    assert desk.executed(edited(sealed(desk.order(verb)), flip)) == 0


@several
@given(verb=verbs, kind=st.sampled_from(["ridethrough-go/1", "", "ridethrough-order/2"]))
def test_s9_no_envelope_of_another_type_is_an_order(desk: Desk, verb: Verb, kind: str) -> None:
    order = desk.order(verb)
    other = msgspec.json.encode(seal(kind, order, BY_BOTH))
    renamed = edited(other, lambda envelope: envelope.update(type=ORDER))
    assert desk.executed(other, renamed) == 0


@several
@given(verb=st.sampled_from(LOUD), data=st.data())
def test_s9_no_order_goes_with_a_missing_foreign_old_or_used_challenge(
    desk: Desk, verb: Verb, data: st.DataObject
) -> None:
    order, other = desk.order(verb), desk.order(verb)
    again = desk.order(verb, challenged=False)
    wrong = data.draw(st.sampled_from([None, "0" * 32, order.challenge, other.challenge]))
    assert desk.executed(sealed(msgspec.structs.replace(again, challenge=wrong))) == 0
    order = desk.order(verb)
    neighbour = desk.runner.run(_at_the_same_time(desk, verb))
    assert desk.executed(sealed(msgspec.structs.replace(order, challenge=neighbour.challenge))) == 0
    late = desk.order(verb)
    desk.runner.run(_passes(desk, data.draw(st.floats(60.001, 119))))
    assert desk.executed(sealed(late)) == 0


@several
@given(verb=verbs, challenged=st.booleans(), late_ms=st.integers(0, 10**12))
def test_no_order_goes_once_it_has_expired(desk: Desk, verb: Verb, challenged: bool, late_ms: int) -> None:
    order = desk.order(verb, challenged=challenged)
    expired = msgspec.structs.replace(order, expires_at=max(0, desk.at.clock.at - late_ms))
    assert desk.executed(sealed(expired)) == 0


@several
@given(verb=st.sampled_from(QUIET), ahead_ms=st.integers(600_001, 2**42), synchronised=st.booleans())
def test_s9_no_quiet_order_without_a_challenge_is_good_for_long_or_without_a_clock(
    desk: Desk, verb: Verb, ahead_ms: int, synchronised: bool
) -> None:
    order = desk.order(verb, challenged=False)
    if not synchronised:
        desk.at.clock.quality = Clock.UNSYNCHRONISED
        ahead_ms = 1000
    assert desk.executed(sealed(msgspec.structs.replace(order, expires_at=desk.at.clock.at + ahead_ms))) == 0


@several
@given(verb=verbs, data=st.data())
def test_s7_no_order_goes_that_the_policy_forbids(desk: Desk, verb: Verb, data: st.DataObject) -> None:
    order = desk.order(verb)
    without = tuple(kind for kind in CommandClass if kind is not CLASSES[verb])
    named = tuple(sorted(ONLY_BY_NAME - {verb}))
    policies = [
        Policy(allow=without, verbs=named, operators=EVERYTHING.operators, units=EVERYTHING.units),
        msgspec.structs.replace(EVERYTHING, units={UNIT: UnitPolicy(allow=without, verbs=named, feeds={})}),
        msgspec.structs.replace(EVERYTHING, roles=("admin", "schedule")),
        msgspec.structs.replace(EVERYTHING, units={UNIT: UnitPolicy(roles=(), feeds={})}),
    ]
    if verb in CUTTING:
        policies += [
            msgspec.structs.replace(EVERYTHING, operators={}),
            msgspec.structs.replace(EVERYTHING, operators={"bob": EVERYTHING.operators["alice"]}),
        ]
    assert desk.executed(sealed(order), policy=data.draw(st.sampled_from(policies))) == 0


@several
@given(verb=st.sampled_from([Verb.OUTLET_OFF, Verb.OUTLET_SHUTDOWN, Verb.OUTLET_REBOOT, Verb.SHUTDOWN]))
def test_s8_no_order_cuts_off_the_gateway(desk: Desk, verb: Verb) -> None:
    order = desk.order(verb)
    feeding = msgspec.structs.replace(EVERYTHING, units={UNIT: UnitPolicy(feeds={2: (Feed.UPLINK,)})})
    assert desk.executed(sealed(order), policy=feeding) == 0


@several
@given(verb=st.sampled_from(sorted(verb for verb in Verb if verb not in CLASSES)), role=st.sampled_from(["owner", "x"]))
def test_s10_no_order_changes_a_setting(desk: Desk, verb: Verb, role: str) -> None:
    order = msgspec.structs.replace(desk.order(Verb.BEEP), verb=verb, by=By(role=role, name="Ann"), value="x")
    assert desk.executed(sealed(order)) == 0


@several
@given(verb=st.sampled_from(CUTTING))
def test_s9_the_cloud_alone_never_cuts_the_output(desk: Desk, verb: Verb) -> None:
    order = desk.order(verb)
    assert (
        desk.executed(sealed(order, (CLOUD, CLOUD_KEY)), sealed(order, (CLOUD, CLOUD_KEY), ("operator:eve", MALLORY)))
        == 0
    )


@several
@given(junk=st.binary(max_size=200), verb=verbs, data=st.data())
def test_no_bytes_reach_the_wire_that_are_not_a_whole_order(
    desk: Desk, junk: bytes, verb: Verb, data: st.DataObject
) -> None:
    raw = sealed(desk.order(verb))
    cut = data.draw(st.integers(0, len(raw) - 1))
    spot = data.draw(st.integers(0, len(raw)))
    assert desk.executed(junk, raw[:cut], raw[:spot] + b"\x00" + raw[spot:]) == 0


async def _at_the_same_time(desk: Desk, verb: Verb) -> Order:
    return desk.at.challenged(desk.at.order(verb))


async def _passes(desk: Desk, seconds: float) -> None:
    desk.at.clock.passes(seconds)
    desk.at.mains_were_good()
