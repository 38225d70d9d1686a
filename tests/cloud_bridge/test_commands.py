"""The rules of cloud_bridge.commands, and how commands look."""

from __future__ import annotations

import json

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cloud_bridge.command_views import command_cells, command_json, order_of, sentence
from cloud_bridge.commands import (
    FINISHED_WITHIN_S,
    OUTCOME_WITHIN_S,
    REPEAT_S,
    Command,
    Ending,
    Repeats,
    Request,
    State,
    needs_challenge,
    order,
    problem,
    settled,
)
from drivers.ups import Outcome, Verb
from gateway.wire import codec, envelope
from gateway.wire.classes import CLASSES, CommandClass
from gateway.wire.orders import CLOUD, ORDER, ChallengeWanted, CommandBody, Stage
from gateway.wire.topics import Down
from tests.cloud_bridge.test_cli_views import HOSTILE, printed
from tests.cloud_bridge.words import T0, hello, unset

ID = "1" * 32
COMMAND = Command(
    id=ID,
    gateway="pi-a",
    unit="rack-1",
    serial="AS1",
    verb="self_test",
    by_role="owner",
    by_name="erika",
    created_at=T0,
    expires_at=T0 + 60_000,
    state=State.WANTED,
)
CHALLENGED = msgspec.structs.replace(COMMAND, state=State.CHALLENGED, challenge="c" * 32)
SIGNED = msgspec.structs.replace(CHALLENGED, state=State.SIGNED, envelope=b"{}")
ACCEPTED = msgspec.structs.replace(SIGNED, stage=Stage.ACCEPTED, reason="accepted", detail="")


def step(stage: Stage, reason: str = "", outcome: Outcome | None = None, id_: str = ID) -> CommandBody:
    return CommandBody(id=id_, stage=stage, reason=reason or stage.value, detail="because", outcome=outcome)


DONE = step(Stage.FINISHED, "done", Outcome.DONE)
REFUSED = step(Stage.REFUSED, "not_allowed")


def test_s7_s10_each_verb_has_a_class_or_sets_something() -> None:
    assert {verb for verb in Verb if verb not in CLASSES} == {verb for verb in Verb if verb.value.startswith("set_")}


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb.value.startswith("set_")])
def test_s10_no_setting_is_asked_for(verb: Verb) -> None:
    assert "S10" in (problem(Request(verb=verb), operator=True) or "")


@pytest.mark.parametrize("verb", [verb for verb, kind in CLASSES.items() if kind is CommandClass.CUTS_OUTPUT])
def test_s9_what_cuts_the_output_is_not_asked_for_without_an_operator(verb: Verb) -> None:
    groups = (1,) if verb.value.startswith("outlet") else ()
    assert "S9" in (problem(Request(verb=verb, groups=groups), operator=False) or "")
    assert problem(Request(verb=verb, groups=groups), operator=True) is None


@pytest.mark.parametrize(
    "request_",
    [
        Request(verb=Verb.OUTLET_OFF),
        Request(verb=Verb.OUTLET_OFF, groups=(1, 1)),
        Request(verb=Verb.SELF_TEST, cold_boot=True),
        Request(verb=Verb.BEEP, use_off_delay=True),
        Request(verb=Verb.SHUTDOWN, use_on_delay=True),
    ],
    ids=["no-group", "twice", "cold-boot", "off-delay", "on-delay"],
)
def test_what_no_driver_takes_is_not_asked_for(request_: Request) -> None:
    assert problem(request_, operator=True)


def test_s9_only_a_quiet_verb_goes_without_a_challenge_and_only_if_the_gateway_can_tell_its_age() -> None:
    unsure = msgspec.structs.replace(hello(), stamp=unset(5))
    assert not needs_challenge(Verb.BEEP, hello())
    assert needs_challenge(Verb.BEEP, unsure)
    assert needs_challenge(Verb.BEEP, None)
    assert all(needs_challenge(verb, hello()) for verb, kind in CLASSES.items() if kind is not CommandClass.QUIET)


def test_an_order_says_what_was_asked_for_and_carries_its_challenge() -> None:
    request = Request(verb=Verb.OUTLET_OFF, groups=(1, 2), use_off_delay=True, cold_boot=True)
    signed = order(CHALLENGED, request, T0 + 5)
    assert (signed.id, signed.gateway, signed.unit, signed.serial) == (ID, "pi-a", "rack-1", "AS1")
    assert (signed.issued_at, signed.expires_at, signed.challenge) == (T0 + 5, T0 + 60_000, "c" * 32)
    assert (signed.verb, signed.groups) == (Verb.OUTLET_OFF, (1, 2))
    assert (signed.use_off_delay, signed.use_on_delay, signed.cold_boot) == (True, False, True)
    assert (signed.by.role, signed.by.name) == ("owner", "erika")


def test_the_gateways_last_word_ends_a_command() -> None:
    row = settled(SIGNED, [step(Stage.ACCEPTED), DONE], T0 + 9)
    assert (row.state, row.stage, row.outcome, row.ended_at) == (State.ENDED, Stage.FINISHED, "done", T0 + 9)
    assert row.is_done
    refused = settled(SIGNED, [REFUSED], T0 + 9)
    assert (refused.state, refused.stage, refused.reason, refused.outcome) == (
        State.ENDED,
        Stage.REFUSED,
        "not_allowed",
        None,
    )
    assert not refused.is_done


def test_an_accepted_command_goes_on() -> None:
    row = settled(SIGNED, [step(Stage.ACCEPTED)], T0 + 9)
    assert (row.state, row.stage, row.ended_at) == (State.SIGNED, Stage.ACCEPTED, None)
    assert settled(row, [step(Stage.ACCEPTED)], T0 + 10) == row


def test_a_refused_copy_of_an_accepted_command_is_not_its_end() -> None:
    assert settled(SIGNED, [step(Stage.ACCEPTED), REFUSED], T0).stage is Stage.ACCEPTED
    assert settled(SIGNED, [step(Stage.ACCEPTED), REFUSED, DONE], T0).is_done


def test_what_ended_by_its_gateways_word_stays_as_it_is() -> None:
    refused = settled(SIGNED, [REFUSED], T0)
    assert settled(refused, [REFUSED, DONE], T0 + 10**9) == refused


def test_a_step_of_another_command_says_nothing() -> None:
    assert settled(SIGNED, [step(Stage.FINISHED, outcome=Outcome.DONE, id_="2" * 32)], T0) == SIGNED


@pytest.mark.parametrize(
    ("row", "wait_s", "why"),
    [
        (COMMAND, 0, Ending.EXPIRED),
        (CHALLENGED, 0, Ending.EXPIRED),
        (SIGNED, OUTCOME_WITHIN_S, Ending.NO_OUTCOME),
        (ACCEPTED, FINISHED_WITHIN_S, Ending.NO_OUTCOME),
    ],
)
def test_a_command_that_nobody_answers_ends_by_itself(row: Command, wait_s: float, why: Ending) -> None:
    until = row.expires_at + int(wait_s * 1000)
    assert settled(row, [], until) == row
    over = settled(row, [], until + 1)
    assert (over.state, over.reason, over.ended_at, over.stage) == (State.ENDED, why, until + 1, row.stage)
    assert over.detail


def test_a_late_outcome_outweighs_an_ending_of_ours() -> None:
    over = settled(ACCEPTED, [], T0 + 10**8)
    late = settled(over, [step(Stage.ACCEPTED), DONE], T0 + 2 * 10**8)
    assert late.is_done
    assert late.ended_at == over.ended_at


rows = st.sampled_from([COMMAND, CHALLENGED, SIGNED, ACCEPTED])
steps = st.lists(st.sampled_from([step(Stage.ACCEPTED), REFUSED, DONE, step(Stage.FINISHED, outcome=Outcome.UNKNOWN)]))


@given(rows, st.lists(st.tuples(steps, st.integers(0, 10**8)), max_size=6))
def test_whatever_comes_whenever_a_row_only_moves_on_and_the_gateways_last_word_stays(
    row: Command, looks: list[tuple[list[CommandBody], int]]
) -> None:
    now, said = T0, list[CommandBody]()
    for more, later in looks:
        now, said = now + later, said + more
        after = settled(row, said, now)
        assert settled(after, said, now) == after
        assert row.state is not State.ENDED or after.state is State.ENDED
        if row.stage in (Stage.FINISHED, Stage.REFUSED):
            assert after == row
        if any(each.stage is Stage.FINISHED for each in said) and row.stage in (None, Stage.ACCEPTED):
            assert after.stage is Stage.FINISHED
        row = after


def said(repeats: Repeats, row: Command, now_s: float, now_ms: int = T0) -> list[tuple[Down, bytes]]:
    return [(kind, payload) for _, kind, payload in repeats.due([row], now_ms, now_s)]


def test_a_challenge_is_asked_for_and_asked_again_after_a_while() -> None:
    repeats, wanted = Repeats(), (Down.CHALLENGE, codec.encode(ChallengeWanted(id=ID)))
    assert said(repeats, COMMAND, 0.0) == [wanted]
    assert said(repeats, COMMAND, REPEAT_S - 0.1) == []
    assert said(repeats, COMMAND, REPEAT_S) == [wanted]


def test_an_envelope_is_said_as_soon_as_it_is_there_and_exactly_as_it_was_signed() -> None:
    repeats = Repeats()
    assert said(repeats, COMMAND, 0.0) != []
    assert said(repeats, CHALLENGED, 0.1) == []
    assert said(repeats, SIGNED, 0.2) == [(Down.COMMAND, b"{}")]
    assert said(repeats, SIGNED, 0.3) == []


def test_a_gateway_that_connects_is_told_at_once() -> None:
    repeats = Repeats()
    assert said(repeats, SIGNED, 0.0) != []
    repeats.at_once([SIGNED])
    assert said(repeats, SIGNED, 0.1) != []


@pytest.mark.parametrize(
    ("row", "now_ms"),
    [
        (COMMAND, T0 + 60_001),
        (SIGNED, T0 + 60_001),
        (ACCEPTED, T0),
        (settled(SIGNED, [DONE], T0), T0),
    ],
    ids=["late-wanted", "late-signed", "accepted", "ended"],
)
def test_what_ran_out_or_is_on_the_gateways_disk_is_not_said(row: Command, now_ms: int) -> None:
    assert said(Repeats(), row, 0.0, now_ms) == []


def test_a_commands_line_has_what_was_signed_and_what_became_of_it() -> None:
    request = Request(verb=Verb.OUTLET_OFF, groups=(1, 2))
    keys = [(CLOUD, Ed25519PrivateKey.from_private_bytes(bytes(32)))]
    sealed = codec.encode(envelope.seal(ORDER, order(CHALLENGED, request, T0), keys))
    row = settled(msgspec.structs.replace(SIGNED, envelope=sealed), [DONE], T0 + 1)
    assert order_of(row) == order(CHALLENGED, request, T0)
    line = json.loads(command_json(row))
    assert (line["groups"], line["by"], line["outcome"]) == ([1, 2], {"role": "owner", "name": "erika"}, "done")
    assert (line["created_at"], line["ended_at"]) == ("2026-11-24T02:30:55.000Z", "2026-11-24T02:30:55.001Z")
    assert [cell.plain for cell in command_cells(row)][1:] == [
        *("pi-a/rack-1", "self_test 1, 2", "erika (owner)", "finished", "done", "because"),
    ]


def test_a_damaged_envelope_is_no_order_and_breaks_no_list() -> None:
    for damaged in (b"", b"{}", b"\xff", b'{"type":"t","payload":"!","signatures":[{"key":"k","value":"v"}]}'):
        row = msgspec.structs.replace(SIGNED, envelope=damaged)
        assert order_of(row) is None
        assert json.loads(command_json(row))["groups"] is None


def test_s6_no_text_of_a_command_steers_a_terminal() -> None:
    hostile = dict.fromkeys(("unit", "gateway", "verb", "by_name", "by_role", "reason", "detail", "outcome"), HOSTILE)
    row = msgspec.structs.replace(settled(SIGNED, [DONE], T0), **hostile)
    for cell in command_cells(row):
        assert printed(cell)[:-1].isprintable()
    assert sentence(row).isprintable()
    assert sentence(msgspec.structs.replace(row, stage=Stage.REFUSED)).isprintable()
    assert len(command_json(row).splitlines()) == 1


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (COMMAND, "waiting for the gateway's challenge"),
        (SIGNED, "waiting for the gateway to take it"),
        (ACCEPTED, "accepted by the gateway"),
        (settled(SIGNED, [DONE], T0), "done: because"),
        (settled(SIGNED, [REFUSED], T0), "refused by the gateway: not_allowed: because"),
        (settled(COMMAND, [], T0 + 10**6), "expired: the gateway gave no challenge"),
    ],
)
def test_who_waits_is_told_how_far_it_is(row: Command, what: str) -> None:
    assert what in sentence(row)
