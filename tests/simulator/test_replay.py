"""`sim run --replay`: every capture is served on its wire, and read as the unit it was recorded from."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from drivers.capture.model import (
    Alert,
    Capture,
    Header,
    Refusal,
    Registers,
    Reply,
    Said,
    Silence,
    Step,
    Wire,
)
from drivers.capture.parse import read
from drivers.capture.text import write
from drivers.modbus import decode
from drivers.open import open_driver
from drivers.smartups.registers import VERIFICATION_WORDS
from drivers.ups import Identity, Settings, Snapshot
from drivers.upslink import abilities
from drivers.upslink import decode as upslink
from simulator.modbus.replay import ReplayResponder
from simulator.replay import ILLEGAL_ADDRESS, RecordedRegisters, RecordedReplies
from simulator.upslink.replay import ReplayDialogue
from tests import every_capture
from tests.conftest import Start

AT = datetime(2026, 1, 1, tzinfo=UTC)


def recorded(wire: Wire, *steps: tuple[int, Said]) -> Capture:
    header = Header(made_by="test", wire=wire, url="url", recorded_at=AT, serials_kept=False)
    return Capture(header, tuple(Step(at_ms, (said,)) for at_ms, said in steps))


# --- what a recording answers --------------------------------------------------------------------------------


def test_time_begins_with_the_first_question_and_stands_still_at_the_end() -> None:
    steps = ((0, Registers(0, (1, 2))), (1500, Registers(1, (3,))), (4000, Registers(0, (9,))))
    unit = RecordedRegisters(recorded(Wire.MODBUS_TCP, *steps))
    answers = [unit.read(0, 2, now) for now in (500.0, 501.499, 501.5, 504.0, 99_999.0)]
    assert answers == [(1, 2), (1, 2), (1, 3), (9, 3), (9, 3)]


def test_a_read_that_failed_fails_again_until_it_did_not() -> None:
    steps = (
        (0, Registers(0, (1, 2, 3))),
        (0, Refusal(0, 2, 4)),
        (0, Silence(0, 3)),
        (0, Silence(1, 2, garbled=True)),
        (1000, Registers(0, (5, 6))),
    )
    unit = RecordedRegisters(recorded(Wire.MODBUS_TCP, *steps))
    assert [unit.read(0, 2, 0.0), unit.read(0, 3, 0.0), unit.read(1, 2, 0.0)] == [4, None, None]
    assert unit.read(0, 1, 0.0) == (1,)
    assert unit.read(0, 2, 1.0) == (5, 6)


def test_what_was_not_read_is_refused_and_undefined_addresses_are_filled() -> None:
    unit = RecordedRegisters(recorded(Wire.MODBUS_TCP, (0, Registers(512, (7,))), (0, Registers(516, (1,) * 8))))
    assert unit.read(512, 12, 0.0) == (7, 0xFFFF, 0xFFFF, 0xFFFF, *(1,) * 8)
    assert unit.read(0, 27, 0.0) == ILLEGAL_ADDRESS
    assert unit.read(2050, 4, 0.0) == ILLEGAL_ADDRESS


def test_a_plain_file_has_the_constants_that_every_unit_has() -> None:
    unit = RecordedRegisters(read("0 1\n"))
    assert unit.read(2050, 4, 0.0) == VERIFICATION_WORDS[2050]


def test_a_recording_refuses_every_write_and_every_odd_request() -> None:
    responder = ReplayResponder(RecordedRegisters(recorded(Wire.MODBUS_TCP, (0, Registers(0, (1, 2))))))

    def answer(request: str) -> str:
        pdu = responder.answer(bytes.fromhex(request), 0.0).pdu
        assert pdu is not None
        return bytes([pdu.function_code, *pdu.encode()]).hex(" ")

    assert answer("03 00 00 00 02") == "03 04 00 01 00 02"
    assert answer("04 00 00 00 02") == "04 04 00 01 00 02"
    assert answer("03 00 05 00 01") == "03 02 ff ff"
    assert answer("03 00 06 00 01") == "83 02"
    assert answer("06 06 04 00 01") == "86 01"
    assert answer("2b 0e 01 00") == "ab 01"
    assert answer("03 00 00") == "83 03"


def test_a_recorded_silence_is_silence() -> None:
    responder = ReplayResponder(RecordedRegisters(recorded(Wire.MODBUS_TCP, (0, Silence(0, 27)))))
    assert responder.answer(bytes.fromhex("03 00 00 00 1b"), 0.0).pdu is None


def test_upslink_is_silent_until_y_and_says_its_alerts_in_time() -> None:
    steps = ((0, Reply("Y", "SM")), (0, Reply("Q", "08")), (0, Reply("^", None)), (2000, Alert("!")))
    capture = recorded(Wire.UPSLINK, *steps, (2000, Reply("Q", "10")))
    clock = [100.0]
    unit = ReplayDialogue(RecordedReplies(capture), lambda: clock[0])
    assert (unit.hear(ord("Q"), 100.0), unit.alerts()) == (b"", b"")
    clock[0] = 200.0
    assert [unit.hear(byte, 200.0) for byte in b"YQ^W"] == [b"SM\r\n", b"08\r\n", b"", b"NA\r\n"]
    assert unit.alerts() == b""
    clock[0] = 202.0
    assert [unit.alerts(), unit.alerts(), unit.hear(ord("Q"), 202.0)] == [b"!", b"", b"10\r\n"]


def test_whoever_looks_for_alerts_does_not_begin_the_recording() -> None:
    replies = RecordedReplies(recorded(Wire.UPSLINK, (0, Reply("Y", "SM")), (2000, Alert("!"))))
    assert replies.alerts(0.0) == ""
    assert replies.ask("Y", 100.0) == "SM"
    assert [replies.alerts(101.9), replies.alerts(102.0)] == ["", "!"]


# --- every capture ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", every_capture.FILES, ids=every_capture.name)
def test_every_capture_reads_and_writes_as_itself(file: Path) -> None:
    capture = every_capture.load(file)
    assert capture.steps[0].said
    assert read(write(capture)) == capture
    if capture.header.wire is not Wire.REGISTERS:
        assert write(capture) == file.read_text()
        assert not capture.header.serials_kept


def timeless(snapshot: Snapshot) -> Snapshot:
    return msgspec.structs.replace(snapshot, at=AT, full_at=None, answer_ms=None)


async def polled(url: str, within_s: float = 0.0, until: Snapshot | None = None) -> tuple[Identity, Snapshot, Settings]:
    """What the driver says; full readings go on until one is the wanted one, or the time is over."""
    driver = open_driver(url)
    try:
        identity, snapshot = await driver.connect(), timeless(await driver.full())
        give_up_at = time.monotonic() + within_s
        while until is not None and snapshot != until and time.monotonic() < give_up_at:
            snapshot = timeless(await driver.full())
        return identity, snapshot, await driver.settings()
    finally:
        await driver.close()


def served(start: Start, file: Path, listener: str, place: str) -> str:
    unit = start("sim", "run", "--replay", str(file), f"--{listener}", place, ready=[listener])
    return unit.address(listener)


def at_the_end(capture: Capture) -> Capture:
    """The recording with all of it at once, so that a replay needs no time."""
    return Capture(capture.header, tuple(Step(0, step.said) for step in capture.steps))


@pytest.mark.parametrize("listener", ["modbus-tcp", "modbus-rtu"])
@pytest.mark.parametrize("file", every_capture.on(*every_capture.MODBUS), ids=every_capture.name)
async def test_the_driver_reads_a_replay_as_the_words_of_its_file(
    start: Start, tmp_path: Path, file: Path, listener: str
) -> None:
    capture = every_capture.load(file)
    last = file
    if capture.header.wire is not Wire.REGISTERS:
        last = tmp_path / "last.capture"
        last.write_text(write(at_the_end(capture)))
    place = "127.0.0.1:0" if listener == "modbus-tcp" else str(tmp_path / "ups")
    address = await asyncio.to_thread(served, start, last, listener, place)
    scheme = listener.replace("-", "+")
    identity, snapshot, settings = await polled(f"{scheme}://{address}")
    words = capture.words()
    assert timeless(snapshot) == timeless(decode.snapshot(words, at=AT, full_at=AT, answer_ms=None))
    assert identity == decode.identity(words)
    assert settings == decode.settings(words)
    assert snapshot.state is not None
    assert identity.model is not None


@pytest.mark.parametrize("file", every_capture.on(Wire.UPSLINK), ids=every_capture.name)
async def test_the_driver_reads_an_upslink_replay_as_its_replies(start: Start, tmp_path: Path, file: Path) -> None:
    capture = every_capture.load(file)
    last = tmp_path / "last.capture"
    replies = {said.asked: said for step in capture.steps for said in step.said if isinstance(said, Reply)}
    last.write_text(write(Capture(capture.header, (Step(0, tuple(replies.values())),))))
    address = await asyncio.to_thread(served, start, last, "upslink", str(tmp_path / "ups"))
    identity, snapshot, settings = await polled(f"upslink://{address}")
    image = {char: reply.said for char, reply in replies.items() if reply.said not in (None, "NA")}
    told = image.get("a")
    able = abilities.told(told) if told else abilities.known(image.get("V") or "")
    assert able is not None
    known = {char: text for char, text in image.items() if text and char in able.characters | {"V", "b"}}
    assert identity == upslink.identity(known, able)
    assert settings == upslink.settings(known)
    assert timeless(snapshot) == timeless(upslink.snapshot(known, able, at=AT, full_at=AT, answer_ms=None))


async def test_the_steps_of_a_recording_come_in_their_time(start: Start, tmp_path: Path) -> None:
    """On mains, on battery, on mains again: as the unit was when it was recorded, at six times the speed."""
    (file,) = [file for file in every_capture.FILES if file.stem == "smt1500rm2uc-rtu"]
    capture = every_capture.load(file)
    fast = tmp_path / "fast.capture"
    fast.write_text(write(Capture(capture.header, tuple(Step(s.at_ms // 6, s.said) for s in capture.steps))))
    address = await asyncio.to_thread(served, start, fast, "modbus-rtu", str(tmp_path / "ups"))
    driver = open_driver(f"modbus+rtu://{address}")
    states = [(await driver.full()).state]
    give_up_at = time.monotonic() + 60
    while len(states) < 3 and time.monotonic() < give_up_at:
        state = (await driver.fast()).state
        states += [state] if state is not states[-1] else []
    await driver.close()
    assert states == ["online", "on_battery", "online"]


# --- the command line ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("nonsense\n", ["--modbus-tcp", "127.0.0.1:0"], "expected `ridethrough-capture 1` first"),
        ("\xff", ["--modbus-tcp", "127.0.0.1:0"], "not a text file"),
        ("0 1\n", ["--upslink", "ups"], "is replayed on --modbus-tcp or --modbus-rtu"),
        ("0 1\n", ["--modbus-tcp", "127.0.0.1:0", "--control", "127.0.0.1:0"], "without --control"),
    ],
)
def test_what_cannot_be_replayed_is_bad_usage(
    start: Start, tmp_path: Path, text: str, options: list[str], says: str
) -> None:
    file = tmp_path / "unit.capture"
    file.write_bytes(text.encode("latin-1"))
    process = start("sim", "run", "--replay", str(file), *options, cwd=tmp_path)
    assert process.ended(within_s=30) == 2
    assert says in " ".join(process.stderr.split())
    assert process.stdout == ""
