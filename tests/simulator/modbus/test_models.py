"""The registers of the units that the physics make, model by model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.constants import ExcCodes

from drivers.smartups.registers import DYNAMIC, INVENTORY, REGISTERS, SETTINGS, STATUS, Access, Block, Register
from drivers.ups import Flag
from simulator.modbus.image import read
from simulator.modbus.respond import Responder
from simulator.modbus.settings import Personality, WireSettings
from simulator.modbus.values import Truth
from simulator.models import MODELS
from simulator.runtime.engine import Engine
from tests.simulator.modbus import smtl

SMTL = "SMTL1500RM3UC"


def truth(engine: Engine) -> Truth:
    return Truth(engine.snapshot(), engine.identity(), engine.settings())


def words(engine: Engine, block: Block) -> tuple[int, ...]:
    got = read(truth(engine), block.address, block.count, Personality.UPS)
    assert not isinstance(got, ExcCodes)
    return got


@pytest.mark.parametrize("key", MODELS)
@pytest.mark.parametrize("who", Personality)
def test_every_block_of_every_model_can_be_read(key: str, who: Personality) -> None:
    now = truth(Engine(MODELS[key]))
    for row in REGISTERS:
        assert not isinstance(read(now, row.address, row.words, who), ExcCodes), row.name


@pytest.mark.parametrize("key", MODELS)
def test_a_model_at_rest_has_the_status_seen_live(key: str) -> None:
    """0x2002, battery life fine, input acceptable (7.1, 7.9, 7.11)."""
    engine = Engine(MODELS[key])
    status, dynamic = words(engine, STATUS), words(engine, DYNAMIC)
    assert status[:2] == (0, 0x2002)
    assert status[18:23] == (0, 0, 0, 0, 0)
    assert status[25] == 1
    assert dynamic[150 - 128] & 1 == 1
    assert dynamic[2] == 51200


def test_the_smtl_s_inventory_and_settings_are_those_of_its_owner_s_dump() -> None:
    engine = Engine(MODELS[SMTL], serial="AS0000000000")
    inventory, dumped = words(engine, INVENTORY), read(smtl.TRUTH, 516, 120, Personality.UPS)
    assert not isinstance(dumped, ExcCodes)
    dates = (591 - 516, 595 - 516)
    assert [w for i, w in enumerate(inventory) if i not in dates] == [w for i, w in enumerate(dumped) if i not in dates]
    assert words(engine, SETTINGS) == smtl.DELAY_WORDS


@pytest.mark.parametrize("key", MODELS)
def test_what_a_model_sets_can_be_written_as_it_reads(key: str) -> None:
    """Writing back what was read changes nothing and is taken, but for names with NULs where there is no name."""
    engine = Engine(MODELS[key])
    responder = Responder(engine, WireSettings(settle_ms=0))
    for row in REGISTERS:
        got = read(truth(engine), row.address, row.words, Personality.UPS)
        assert not isinstance(got, ExcCodes)
        if row.access is not Access.READ_WRITE or got in ((0,) * row.words, (0xFFFF,) * row.words):
            continue
        data = b"".join(word.to_bytes(2, "big") for word in got)
        head = row.address.to_bytes(2, "big") + row.words.to_bytes(2, "big")
        reply = responder.answer(b"\x10" + head + bytes([len(data)]) + data, 0.0).pdu
        assert reply is not None
        assert reply.function_code == 16, (row.name, row.group, reply)
        assert read(truth(engine), row.address, row.words, Personality.UPS) == got


@pytest.mark.parametrize("flag", Flag)
def test_every_flag_that_is_injected_stands_in_a_register(flag: Flag) -> None:
    engine = Engine(MODELS["SRT1000XLA"])
    before = words(engine, STATUS), words(engine, DYNAMIC)
    present = flag in engine.snapshot().flags
    engine.unit.set_fault(flag, True)
    assert present or (words(engine, STATUS), words(engine, DYNAMIC)) != before


@given(
    st.sampled_from(sorted(MODELS)),
    st.lists(
        st.tuples(
            st.sampled_from([row for row in REGISTERS if row.access is not Access.READ]),
            st.one_of(st.integers(0, 0xFFFF), st.sampled_from([1, 2, 4, 8, 0x0304, 0x0388, 0x0101])),
        ),
        max_size=6,
    ),
)
def test_any_writes_to_any_model_are_answered_and_leave_it_readable(
    key: str, writes: list[tuple[Register, int]]
) -> None:
    engine = Engine(MODELS[key])
    responder = Responder(engine, WireSettings())
    for row, word in writes:
        data = word.to_bytes(2 * row.words, "big")
        head = row.address.to_bytes(2, "big") + row.words.to_bytes(2, "big")
        assert responder.answer(b"\x10" + head + bytes([len(data)]) + data, 0.0).pdu is not None
    assert len(engine.commands()) == len(writes)
    for block in (STATUS, DYNAMIC, INVENTORY, SETTINGS):
        assert len(words(engine, block)) == block.count
