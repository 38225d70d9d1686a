"""Which orders a gateway takes, and what it answers to the others: S3, S7, S8, S9 and S10."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from drivers.errors import LineDown
from drivers.ups import Identity, Outcome, State, Verb
from gateway import challenges
from gateway.audit import entry
from gateway.errors import Doubtful
from gateway.policy import Feed, Policy, UnitPolicy
from gateway.store.outbox import OutboxFile
from gateway.wire import limits
from gateway.wire.envelope import public_text
from gateway.wire.messages import Clock
from gateway.wire.orders import CLOUD, Challenge, ChallengeWanted, Stage
from gateway.wire.topics import Down, Up
from tests.gateway.commanded import (
    ALICE,
    ALLOWED,
    BY_BOTH,
    MALLORY,
    NOW_MS,
    UNIT,
    MemoryUnit,
    bench,
    well,
)

DONE = ["accepted accepted", "finished done"]


async def test_s9_a_challenge_is_good_for_one_order_once_and_for_60_s(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.mains_were_good()
        first = at.challenged(at.order(Verb.SELF_TEST))
        stolen = at.order(Verb.SELF_TEST, challenge=first.challenge)
        assert await at.send(stolen) == ["refused challenge_unknown"]
        assert await at.send(first) == DONE
        late = at.challenged(at.order(Verb.SELF_TEST, expires_at=at.clock.at + 10**9))
        at.clock.passes(limits.CHALLENGE_S + 0.1)
        assert await at.send(late) == ["refused challenge_too_old"]
        at.mains_were_good()
        in_time = at.challenged(at.order(Verb.SELF_TEST))
        at.clock.passes(limits.CHALLENGE_S)
        at.mains_were_good()
        assert await at.send(in_time) == DONE
        assert len(at.unit.executed) == 2


async def test_s9_a_wall_clock_set_back_makes_no_challenge_younger(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.mains_were_good()
        order = at.challenged(at.order(Verb.SELF_TEST))
        at.clock.passes(limits.CHALLENGE_S + 1)
        at.clock.at -= 3_600_000
        assert await at.send(order) == ["refused challenge_too_old"]


async def test_s9_a_restart_forgets_all_challenges(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        order = at.challenged(at.order(Verb.SELF_TEST))
        at.commands = at.new()
        await at.commands.open()
        at.mains_were_good()
        assert await at.send(order) == ["refused challenge_unknown"]


async def test_s9_an_order_that_waited_too_long_for_its_turn_is_not_sent(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.mains_were_good()
        at.unit.busy.clear()
        at.hand_in(at.order(Verb.BEEP))
        await at.unit.began.wait()
        waiting = at.challenged(at.order(Verb.SELF_TEST))
        at.hand_in(waiting)
        at.clock.passes(limits.CHALLENGE_S + 1)
        at.mains_were_good()
        at.unit.busy.set()
        await at.settled()
        assert [command.verb for command in at.unit.executed] == [Verb.BEEP]


async def test_s9_an_order_whose_acceptance_took_the_disk_too_long_is_not_sent(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.mains_were_good()

        def take_a_minute(file: OutboxFile) -> None:
            file.connection.create_function("a_minute", 0, lambda: at.clock.passes(limits.CHALLENGE_S + 1))
            file.connection.execute(
                "CREATE TEMP TRIGGER slow AFTER INSERT ON main.command BEGIN SELECT a_minute(); END"
            )

        await at.outbox.writer.submit(take_a_minute)
        order = at.challenged(at.order(Verb.SELF_TEST))
        assert await at.send(order) == ["accepted accepted", "finished challenge_too_old"]
        assert (await at.bodies())[-1].outcome is Outcome.NOT_TAKEN
        assert at.unit.executed == []


async def test_s9_what_cuts_the_output_needs_an_operator_of_the_policy(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        asked = [at.challenged(at.order(Verb.OUTLET_OFF, groups=(1,))) for _ in range(3)]
        assert await at.send(asked[0]) == ["refused operator_signature_missing"]
        assert await at.send(asked[1], ((CLOUD, BY_BOTH[0][1]), ("operator:bob", ALICE))) == [
            "refused operator_signature_missing"
        ]
        assert await at.send(asked[2], BY_BOTH) == DONE
        forged = at.challenged(at.order(Verb.OUTLET_OFF, groups=(1,)))
        assert await at.send(forged, ((CLOUD, BY_BOTH[0][1]), ("operator:alice", MALLORY))) == []
        assert len(at.unit.executed) == 1


async def test_s9_an_order_that_waited_too_long_for_the_units_line_is_not_sent(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.mains_were_good()
        at.unit.line.clear()
        at.hand_in(at.challenged(at.order(Verb.SELF_TEST)))
        while not [body for body in await at.bodies() if body.stage is Stage.ACCEPTED]:
            await at.outbox.flushed()
        at.clock.passes(limits.CHALLENGE_S + 1)
        at.mains_were_good()
        at.unit.line.set()
        await at.settled()
        assert (await at.bodies())[-1].reason == "challenge_too_old"
        assert at.unit.executed == []


@pytest.mark.parametrize("late", ["queued", "accepted"])
async def test_s9_an_operator_whose_key_was_replaced_since_has_signed_nothing(tmp_path: Path, late: str) -> None:
    async with bench(tmp_path) as at:
        anew = msgspec.structs.replace(ALLOWED, operators={"alice": public_text(MALLORY.public_key())})
        order = at.challenged(at.order(Verb.OUTLET_OFF, groups=(1,)))
        if late == "queued":
            at.unit.busy.clear()
            at.hand_in(at.order(Verb.BEEP))
            await at.unit.began.wait()
            at.proved.clear()
            at.hand_in(order, BY_BOTH)
            await at.proved.wait()
            at.commands.replace(anew)
            at.unit.busy.set()
            await at.settled()
        else:
            loop = asyncio.get_running_loop()

            def replace() -> None:
                loop.call_soon_threadsafe(at.commands.replace, anew)

            def replace_while_it_is_kept(file: OutboxFile) -> None:
                file.connection.create_function("change", 0, replace)
                file.connection.execute(
                    "CREATE TEMP TRIGGER now AFTER INSERT ON main.command BEGIN SELECT change(); END"
                )

            await at.outbox.writer.submit(replace_while_it_is_kept)
            await at.send(order, BY_BOTH)
        assert Verb.OUTLET_OFF not in [command.verb for command in at.unit.executed]
        assert (await at.bodies())[-1].reason == "keys_changed"


async def test_an_order_with_a_challenge_needs_no_clock_and_one_without_does(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.clock.quality = Clock.UNSYNCHRONISED
        at.clock.at = 0
        far = {"issued_at": 10**12, "expires_at": 1}
        assert await at.send(at.order(Verb.BEEP)) == ["refused clock_not_set"]
        assert await at.send(at.challenged(at.order(Verb.BEEP, **far))) == DONE


async def test_a_quiet_order_without_a_challenge_must_not_be_good_for_long(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert await at.send(at.order(Verb.BEEP, expires_at=at.clock.at + 600_001)) == ["refused expires_too_late"]
        assert await at.send(at.order(Verb.BEEP, expires_at=at.clock.at + 600_000)) == DONE
        assert await at.send(at.order(Verb.BEEP, expires_at=at.clock.at)) == ["refused expired"]


async def test_s3_an_order_for_another_serial_number_or_a_stranger_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert await at.send(at.order(serial="AS2")) == ["refused wrong_serial"]
        at.unit.stranger = "AS9"
        assert await at.send(at.order()) == ["refused unit_identity_changed"]
        at.unit.stranger, at.unit.identity = None, Identity()
        assert await at.send(at.order()) == ["refused serial_unknown"]
        assert at.unit.executed == []


async def test_s7_what_the_policy_does_not_allow_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path, Policy()) as at:
        assert await at.send(at.challenged(at.order(Verb.SELF_TEST))) == ["refused not_allowed"]
        assert await at.send(at.order(Verb.MUTE)) == DONE
        at.commands.replace(Policy(allow=()))
        assert await at.send(at.order(Verb.MUTE)) == ["refused not_allowed"]
        at.commands.replace(Policy(roles=("operator",)))
        assert await at.send(at.order(Verb.MUTE)) == ["refused role_not_allowed"]


async def test_s10_settings_are_never_changed_from_the_cloud(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        order = at.challenged(at.order(Verb.SET_NAME, value="mine"))
        assert await at.send(order, BY_BOTH) == ["refused settings_are_local"]
        assert at.unit.executed == []


async def test_a_unit_nobody_has_is_refused_without_its_name_in_the_record(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert await at.send(at.order(unit="rack-9")) == ["refused unknown_unit"]


async def test_an_order_for_another_gateway_is_not_answered_but_counted(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        assert await at.send(at.order(gateway="attic")) == []
        assert [entry(line).reason for line in await at.audit()] == ["changed", "not_authentic"]


async def test_s8_a_self_test_is_judged_by_a_fresh_reading(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        at.mains_were_good()
        at.unit.snapshot = msgspec.structs.replace(well(), charge_pct=89.9)
        order = at.challenged(at.order(Verb.SELF_TEST))
        assert await at.send(order) == ["refused charge_low"]
        assert at.unit.looked == 1
        assert (await at.bodies())[0].detail == "charge 89.9 %, 90 % are wanted"


@pytest.mark.parametrize("error", [LineDown(1.0, "gone"), Doubtful("the charge")])
async def test_s8_a_unit_that_can_not_be_read_is_told_nothing(tmp_path: Path, error: Exception) -> None:
    async with bench(tmp_path) as at:
        at.mains_were_good()
        at.unit.fails = error
        assert await at.send(at.challenged(at.order(Verb.SELF_TEST))) == ["refused unit_not_read"]
        assert at.unit.executed == []


async def test_s8_outlets_that_feed_the_gateway_are_never_switched_off(tmp_path: Path) -> None:
    feeding = UnitPolicy(feeds={1: (Feed.GATEWAY, Feed.UPLINK)})
    policy = msgspec.structs.replace(ALLOWED, units={UNIT: feeding})
    async with bench(tmp_path, policy) as at:
        for verb, groups in ((Verb.OUTLET_OFF, (1,)), (Verb.OUTLET_REBOOT, (2, 1)), (Verb.SHUTDOWN, ())):
            order = at.challenged(at.order(verb, groups=groups))
            assert await at.send(order, BY_BOTH) == ["refused feeds_gateway"]
        assert await at.send(at.challenged(at.order(Verb.OUTLET_OFF, groups=(2,))), BY_BOTH) == DONE


async def test_s8_two_units_of_a_redundancy_group_are_not_calibrated_at_once(tmp_path: Path) -> None:
    grouped = UnitPolicy(redundancy_group="rack-a")
    policy = msgspec.structs.replace(ALLOWED, units={UNIT: grouped, "rack-2": grouped})
    async with bench(tmp_path, policy) as at:
        other = at.units["rack-2"] = MemoryUnit("rack-2")
        at.mains_were_good()
        at.mains_were_good(name="rack-2")
        at.unit.busy.clear()
        first = at.challenged(at.order(Verb.CALIBRATION))
        second = at.challenged(at.order(Verb.CALIBRATION, unit="rack-2"))
        at.hand_in(first)
        await at.unit.began.wait()
        at.hand_in(second)
        at.sees(UNIT, msgspec.structs.replace(well(), state=State.ON_BATTERY))
        at.unit.busy.set()
        await at.settled()
        told = [f"{body.stage.value} {body.reason}" for body in await at.bodies() if body.id == second.id]
        assert told == ["refused peer_off_mains"]
        assert other.executed == []


async def test_s8_no_calibration_follows_another_within_90_days_though_the_gateway_was_restarted(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path) as at:
        at.mains_were_good()
        assert await at.send(at.challenged(at.order(Verb.CALIBRATION))) == DONE
    async with bench(tmp_path) as at:
        for days, answer in ((89, ["refused calibrated_lately"]), (91, DONE)):
            at.clock.at = NOW_MS + days * 24 * 3_600_000
            at.mains_were_good()
            assert await at.send(at.challenged(at.order(Verb.CALIBRATION))) == answer


async def test_a_challenge_is_said_again_and_not_for_everybody(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        wanted = msgspec.json.encode(ChallengeWanted(id="1" * 32))
        for seconds in (0.0, 0.5, 1.0, 59.0, 2.0):
            at.clock.passes(seconds)
            at.commands.received(Down.CHALLENGE, wanted)
        first, again, new, new_again = [each.challenge for _, each in at.said if isinstance(each, Challenge)]
        assert (first, new) == (again, new_again)
        assert first != new
        assert {kind for kind, _ in at.said} == {Up.CHALLENGE}
        for number in range(2 * challenges.OPEN_AT_MOST):
            at.commands.received(Down.CHALLENGE, msgspec.json.encode(ChallengeWanted(id=f"{number:032x}")))
        assert len(at.said) == 4 + challenges.OPEN_AT_MOST - 1
