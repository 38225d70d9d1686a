"""The command that enters the boot loader, among everything else that comes over a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.bootloader.image import HARDWARE_ID
from simulator.bootloader.profile import (
    GAP_S,
    MAX_COMMAND_BYTES,
    QUIET_S,
    WORD,
    Ear,
    Enter,
    command_of,
    entered,
    refused,
)
from simulator.bootloader.reasons import Reason
from simulator.model import UpgradeOutput

COMMAND = b"!RIDETHROUGH-BOOT 18 off 04.1"
READ_TEST = bytes.fromhex("01 03 08 02 00 04 E7 A9")


def test_the_command_and_its_answers_are_these_bytes() -> None:
    assert command_of(COMMAND) == Enter("18", UpgradeOutput.OFF, "04.1")
    assert command_of(b"!RIDETHROUGH-BOOT 653.I on 18") == Enter("653.I", UpgradeOutput.ON, "18")
    assert entered(9600) == b"BOOT 9600\r\n"
    assert refused(Reason.ON_BATTERY) == b"REFUSED on_battery\r\n"


@pytest.mark.parametrize(
    "text",
    [
        b"!RIDETHROUGH-BOOT 18 off",
        b"!RIDETHROUGH-BOOT 18 maybe 04.1",
        b"!RIDETHROUGH-BOOT 18  off 04.1",
        b"!RIDETHROUGH-BOOT 18 off 04.1 ",
        b"!RIDETHROUGH-BOOT 18 off 4.1.2",
        b"!RIDETHROUGH-BOOT 18\xb2 off 04.1",
        "!RIDETHROUGH-BOOT 18 off 0\u0664.1".encode(),
    ],
)
def test_what_is_not_well_formed_is_no_command(text: bytes) -> None:
    assert command_of(text) is None


def test_a_command_after_silence_is_heard_and_kept_from_the_application() -> None:
    heard = Ear().hear(COMMAND + b"\r", 10.0)
    assert (heard.passed, heard.command) == (b"", COMMAND)


def test_a_command_may_come_byte_by_byte() -> None:
    ear = Ear()
    for number, byte in enumerate(COMMAND):
        assert ear.hear(bytes([byte]), 10 + number * 0.01).passed == b""
    assert ear.hear(b"\r", 11.0).command == COMMAND


def test_a_command_that_directly_follows_other_bytes_is_none() -> None:
    ear = Ear()
    assert ear.hear(READ_TEST, 10.0).passed == READ_TEST
    late = ear.hear(COMMAND + b"\r", 10.0 + QUIET_S - 0.001)
    assert (late.passed, late.command) == (COMMAND + b"\r", None)
    assert ear.hear(COMMAND + b"\r", 10.0 + 2 * QUIET_S).command == COMMAND


def test_a_command_inside_a_piece_is_none() -> None:
    heard = Ear().hear(READ_TEST + COMMAND + b"\r", 10.0)
    assert (heard.passed, heard.command) == (READ_TEST + COMMAND + b"\r", None)


def test_a_write_of_the_command_s_text_into_registers_does_not_enter() -> None:
    """The longest write of Modbus holds it whole, yet begins with a unit id."""
    assert Ear().hear(b"\x01\x10\x02\x04\x00\x10\x20" + COMMAND + b"\r", 10.0).command is None


def test_what_turns_out_to_be_something_else_is_given_to_the_application() -> None:
    ear = Ear()
    assert ear.hear(b"!RIDE", 10.0).passed == b""
    assert ear.hear(b"x", 10.1).passed == b"!RIDEx"


def test_a_pause_within_the_command_ends_it() -> None:
    ear = Ear()
    assert ear.hear(COMMAND[:20], 10.0).passed == b""
    assert ear.release(10.0 + GAP_S - 0.01) == b""
    assert ear.release(10.0 + GAP_S) == COMMAND[:20]
    heard = ear.hear(COMMAND[20:] + b"\r", 10.0 + GAP_S + 0.5)
    assert (heard.passed, heard.command) == (COMMAND[20:] + b"\r", None)


def test_a_command_that_does_not_end_is_given_up() -> None:
    endless = WORD + b"1" * MAX_COMMAND_BYTES
    assert Ear().hear(endless, 10.0).passed == endless


@given(st.lists(st.tuples(st.binary(max_size=80), st.floats(0, 3)), max_size=20))
def test_whatever_comes_never_enters_and_reaches_the_application_in_order(pieces: list[tuple[bytes, float]]) -> None:
    ear, now, passed, sent = Ear(), 10.0, b"", b""
    for data, pause_s in pieces:
        now += pause_s
        heard = ear.hear(data, now)
        passed, sent = passed + heard.passed, sent + data
        if heard.command is not None:  # the bare word and an end
            assert command_of(heard.command) is None
            assert sent.startswith(passed + heard.command + b"\r")
            return
    assert passed + ear.release(now + 10) == sent


@given(st.integers(0, len(COMMAND) - 1), st.integers(0, 7))
def test_one_wrong_bit_never_names_this_unit_in_another_way(place: int, bit: int) -> None:
    damaged = bytearray(COMMAND)
    damaged[place] ^= 1 << bit
    command = Ear().hear(bytes(damaged) + b"\r", 10.0).command
    read = None if command is None else command_of(command)
    assert read is None or read.output is UpgradeOutput.OFF
    assert read is None or (read.hardware_id, read.version) != ("18", "04.1")


@given(st.from_regex(HARDWARE_ID, fullmatch=True), st.sampled_from(["on", "off"]), st.from_regex(r"\A[0-9]{1,3}\Z"))
def test_every_well_formed_command_is_heard(hardware_id: str, output: str, version: str) -> None:
    text = f"!RIDETHROUGH-BOOT {hardware_id} {output} {version}".encode()
    assert Ear().hear(text + b"\r", 10.0).command == text
    assert command_of(text) == Enter(hardware_id, UpgradeOutput(output), version)
