"""Commands in the registry, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from cloud_bridge.commands import OPEN_AT_MOST, Command, Ending, State, ended_by_us, settled
from cloud_bridge.store.registry import commands
from cloud_bridge.store.registry.errors import TooManyCommands
from cloud_bridge.store.registry.registry import Registry
from drivers.ups import Outcome
from gateway.wire.orders import CommandBody, Stage
from tests.cloud_bridge.test_commands import COMMAND, DONE, ID, SIGNED
from tests.cloud_bridge.words import T0

CHALLENGE = "c" * 32


def add(registry: Registry, *wanted: Command) -> None:
    with registry.writing(noticed=True) as connection:
        for command in wanted:
            commands.add(connection, command)


def find(registry: Registry, id_: str = ID) -> Command | None:
    with registry.reading() as connection:
        return commands.find(connection, id_)


def named(number: int, **changes: object) -> Command:
    return msgspec.structs.replace(COMMAND, id=f"{number:032x}", created_at=T0 + number, **changes)


def test_a_command_is_read_as_it_was_made(registry: Registry) -> None:
    whole = msgspec.structs.replace(settled(SIGNED, [DONE], T0 + 5), envelope=bytes(range(256)))
    add(registry, COMMAND, msgspec.structs.replace(whole, id="2" * 32))
    assert find(registry) == COMMAND
    assert find(registry, "2" * 32) == msgspec.structs.replace(whole, id="2" * 32)
    assert find(registry, "3" * 32) is None


def test_commands_are_listed_in_the_order_in_which_they_were_made(registry: Registry) -> None:
    add(registry, *(named(number) for number in (2, 1, 3)))
    with registry.reading() as connection:
        assert [row.created_at - T0 for row in commands.newest(connection, None)] == [1, 2, 3]
        assert [row.created_at - T0 for row in commands.newest(connection, 2)] == [2, 3]
        assert [row.created_at - T0 for row in commands.all_open(connection)] == [1, 2, 3]


def test_s9_a_challenge_is_taken_once_and_only_of_the_commands_own_gateway(registry: Registry) -> None:
    add(registry, COMMAND)
    with registry.writing() as connection:
        assert not commands.challenged(connection, "pi-b", ID, "b" * 32)
        assert not commands.challenged(connection, "pi-a", "2" * 32, "b" * 32)
        assert commands.challenged(connection, "pi-a", ID, CHALLENGE)
        assert not commands.challenged(connection, "pi-a", ID, "d" * 32)
    assert find(registry) == msgspec.structs.replace(COMMAND, state=State.CHALLENGED, challenge=CHALLENGE)


def test_an_envelope_is_taken_once_and_only_for_a_challenge(registry: Registry) -> None:
    add(registry, COMMAND)
    with registry.writing() as connection:
        assert not commands.signed(connection, ID, b"early")
        commands.challenged(connection, "pi-a", ID, CHALLENGE)
        assert commands.signed(connection, ID, b"once")
        assert not commands.signed(connection, ID, b"twice")
    row = find(registry)
    assert row is not None
    assert (row.state, row.envelope) == (State.SIGNED, b"once")


def test_a_command_that_was_taken_back_is_neither_challenged_nor_signed(registry: Registry) -> None:
    add(registry, COMMAND)
    with registry.writing() as connection:
        assert commands.settle(connection, COMMAND, ended_by_us(COMMAND, Ending.WITHDRAWN, T0 + 1))
        assert not commands.challenged(connection, "pi-a", ID, CHALLENGE)
        assert not commands.signed(connection, ID, b"late")
        assert commands.all_open(connection) == []


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda row: settled(row, [DONE], T0),
        lambda row: settled(row, [CommandBody(id=ID, stage=Stage.ACCEPTED, reason="accepted")], T0),
    ],
    ids=["ended", "accepted"],
)
def test_who_decided_on_an_old_row_changes_nothing(registry: Registry, meanwhile: Callable[[Command], Command]) -> None:
    add(registry, SIGNED)
    after = meanwhile(SIGNED)
    with registry.writing() as connection:
        assert commands.settle(connection, SIGNED, after)
        assert not commands.settle(connection, SIGNED, ended_by_us(SIGNED, Ending.NO_OUTCOME, T0 + 9))
    assert find(registry) == after


def test_a_gateway_has_no_more_commands_on_their_way_than_it_may(registry: Registry) -> None:
    add(registry, *(named(number) for number in range(OPEN_AT_MOST)))
    with pytest.raises(TooManyCommands, match="pi-a: 32 commands"):
        add(registry, named(99))
    add(registry, named(100, gateway="pi-b"))
    with registry.writing() as connection:
        commands.settle(connection, named(0), ended_by_us(named(0), Ending.WITHDRAWN, T0))
    add(registry, named(99))


def test_a_new_command_is_noticed_by_other_processes(registry: Registry) -> None:
    before = registry.version()
    add(registry, COMMAND)
    assert registry.version() > before


def test_an_outcome_is_kept_as_its_word(registry: Registry) -> None:
    add(registry, SIGNED)
    unknown = CommandBody(id=ID, stage=Stage.FINISHED, reason="unknown", outcome=Outcome.UNKNOWN)
    with registry.writing() as connection:
        commands.settle(connection, SIGNED, settled(SIGNED, [unknown], T0))
    row = find(registry)
    assert row is not None
    assert (row.stage, row.outcome, row.is_done) == (Stage.FINISHED, "unknown", False)
