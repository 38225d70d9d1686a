"""The text form of captures: written, read back, and refused where it is not exactly that."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.capture import model
from drivers.capture.model import (
    SAID_LIMIT,
    Alert,
    Capture,
    Header,
    Refusal,
    Registers,
    Reply,
    Said,
    Silence,
    Step,
    Variable,
    Wire,
)
from drivers.capture.parse import LINE_LIMIT, read
from drivers.capture.text import write
from drivers.errors import BadCapture
from tests.conftest import ROOT

HEADER = """\
ridethrough-capture 1
made-by: ridethrough 0.1.0
wire: modbus+tcp
url: modbus+tcp://HOST:502?unit=1
recorded-at: 2026-01-02T03:04:05.678Z
serial-numbers: masked
unit: 1
"""
MODBUS = f"""{HEADER}at 0.000
registers 0 3: 0 8194 8
registers 1024 29: exception 2
registers 128 44: silence
registers 155 17: garbled
at 62.010
registers 0 3: 0 580 2
at 63.000
"""
UPSLINK = (
    HEADER.replace("modbus+tcp", "upslink").replace("unit: 1\n", "")
    + 'at 0.000\nasked "Y": "SM"\nasked "\\u0001": "SMART-UPS \\"700\\""\nasked "^": silence\nalert "!"\n'
)
NUT = HEADER.replace("wire: modbus+tcp", "wire: nut") + 'at 0.000\nvariable ups.status: "OL CHRG"\n'


def test_a_modbus_capture_reads_as_it_stands() -> None:
    capture = read(MODBUS)
    assert capture.header == Header(
        made_by="ridethrough 0.1.0",
        wire=Wire.MODBUS_TCP,
        url="modbus+tcp://HOST:502?unit=1",
        recorded_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
        serials_kept=False,
        unit=1,
    )
    first = (Registers(0, (0, 8194, 8)), Refusal(1024, 29, 2), Silence(128, 44), Silence(155, 17, garbled=True))
    assert capture.steps == (Step(0, first), Step(62_010, (Registers(0, (0, 580, 2)),)), Step(63_000, ()))
    assert capture.words() == {0: 0, 1: 580, 2: 2}
    assert write(capture) == MODBUS


def test_upslink_replies_and_variables_read_as_they_stand() -> None:
    (step,) = read(UPSLINK).steps
    assert step.said == (Reply("Y", "SM"), Reply("\x01", 'SMART-UPS "700"'), Reply("^", None), Alert("!"))
    (step,) = read(NUT).steps
    assert step.said == (Variable("ups.status", "OL CHRG"),)
    assert write(read(UPSLINK)) == UPSLINK
    assert write(read(NUT)) == NUT


def test_comments_blank_lines_and_carriage_returns_do_not_matter() -> None:
    odd = MODBUS.replace("at 0.000\n", "# a note\r\n\nat 0.000\r\n")
    assert read(odd) == read(MODBUS)


def test_the_plain_form_is_read_in_runs_that_one_read_can_carry() -> None:
    lines = [f"{address} {address + 7}" for address in (5, 3, 4, *range(100, 230))]
    (step,) = read("# a real unit\n" + "\n".join(lines)).steps
    assert [(said.address, len(said.words)) for said in step.said if isinstance(said, Registers)] == [
        (3, 3),
        (100, 125),
        (225, 5),
    ]
    assert step.said[0] == Registers(3, (10, 11, 12))
    assert read("0 1\n").header.wire is Wire.REGISTERS


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 0, "expected `ridethrough-capture 1` first"),
        ("ridethrough-capture 2\n", 1, "ridethrough-capture 1"),
        ("0 1\n0 2\n", 2, "a register and its value"),
        ("0 65536\n", 1, "a register and its value"),
        ("65536 0\n", 1, "a register and its value"),
        (MODBUS.replace("unit: 1", "unit: 248"), 7, "unit: '248' cannot be"),
        (MODBUS.replace("wire: modbus+tcp", "wire: tin can"), 3, "wire: 'tin can'"),
        (MODBUS.replace("wire: modbus+tcp\n", ""), 0, "the header lacks wire"),
        (MODBUS.replace("made-by", "made-of"), 2, "expected one each of made-by"),
        (MODBUS.replace("unit: 1\n", "unit: 1\nunit: 1\n"), 8, "expected one each"),
        (MODBUS.replace("05.678Z", "05.6789Z"), 5, "recorded-at"),
        (MODBUS.replace("masked", "hidden"), 6, "serial-numbers"),
        (MODBUS.replace("at 62.010", "at 62.1"), 13, "not what can be said"),
        (MODBUS.replace("at 63.000", "at 61.000"), 15, "a later time"),
        (MODBUS.replace("at 63.000", "at 9999999999.000"), 15, "a month at most"),
        (MODBUS.replace("0 3: 0 580 2", "0 3: 0 580"), 14, "not what can be said"),
        (MODBUS.replace("0 3: 0 580 2", "0 3: 0 580 65536"), 14, "not what can be said"),
        (MODBUS.replace("0 3: 0 580 2", "0 3: 0  580 2"), 14, "not what can be said"),
        (MODBUS.replace("1024 29", "1024 126"), 10, "not what can be said"),
        (MODBUS.replace("1024 29", "65535 2"), 10, "not what can be said"),
        (MODBUS.replace("exception 2", "exception 256"), 10, "not what can be said"),
        (MODBUS + 'asked "Q": "08"\n', 16, "not what can be said on modbus+tcp"),
        (UPSLINK + 'asked "": "08"\n', 12, "not what can be said on upslink"),
        (UPSLINK + 'alert "!!"\n', 12, "not what can be said"),
        (UPSLINK + 'asked "Q": "08\\"\n', 12, "not what can be said"),
        (MODBUS + "x" * (LINE_LIMIT + 1), 16, "longer than"),
        (MODBUS + "registers 0 1: 0\n" * (SAID_LIMIT + 1), 16 + SAID_LIMIT, "lines in one step"),
    ],
)
def test_what_is_not_of_the_form_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(BadCapture) as caught:
        read(text, "unit.capture")
    assert says in caught.value.problem
    if line:
        assert caught.value.line == line
        assert str(caught.value).startswith(f"unit.capture:{line}: ")


def test_the_number_of_steps_has_a_limit() -> None:
    many = HEADER + "at 0.000\n" * (model.STEP_LIMIT + 2)
    with pytest.raises(BadCapture, match="no more than 100000 steps"):
        read(many)


WORDS = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=125).map(tuple)
COUNTS = st.integers(1, 125)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
MODBUS_SAID = st.one_of(
    st.builds(Registers, st.integers(0, 0xFFFF - 125), WORDS),
    st.builds(Refusal, st.integers(0, 0xFFFF - 125), COUNTS, st.integers(1, 255)),
    st.builds(Silence, st.integers(0, 0xFFFF - 125), COUNTS, st.booleans()),
)
UPSLINK_SAID = st.one_of(
    st.builds(Reply, st.text(min_size=1, max_size=9), st.none() | TEXTS),
    st.builds(Alert, st.characters(codec="latin-1")),
)
NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
VARIABLES = st.builds(Variable, NAMES, TEXTS)
LINE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=60)


@st.composite
def captures(draw: st.DrawFn) -> Capture:
    wire = draw(st.sampled_from(list(Wire)))
    said: st.SearchStrategy[Said] = MODBUS_SAID
    if wire is Wire.UPSLINK:
        said = UPSLINK_SAID
    elif wire in (Wire.NUT, Wire.NIS):
        said = VARIABLES
    times = sorted(draw(st.lists(st.integers(0, model.LAST_MS), max_size=5)))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    header = Header(
        made_by=draw(LINE.map(str.strip).filter(bool)),
        wire=wire,
        url=draw(LINE.map(str.strip).filter(bool)),
        recorded_at=draw(st.none() | st.integers(0, 10**12).map(lambda ms: start + timedelta(milliseconds=ms))),
        serials_kept=draw(st.booleans()),
        unit=draw(st.none() | st.integers(1, 247)),
    )
    return Capture(header, tuple(Step(at_ms, tuple(draw(st.lists(said, max_size=6)))) for at_ms in times))


@given(captures())
def test_whatever_is_written_is_read_back_the_same(capture: Capture) -> None:
    text = write(capture)
    assert text.isascii()
    assert read(text) == capture


@given(st.text(max_size=400) | st.lists(st.sampled_from(MODBUS.splitlines()), max_size=20).map("\n".join))
def test_any_text_ends_in_a_capture_or_a_declared_error(text: str) -> None:
    try:
        capture = read(text)
    except BadCapture as error:
        assert error.problem
    else:
        assert read(write(capture)) == capture


def test_every_example_of_the_page_is_a_capture() -> None:
    page = (ROOT / "docs" / "captures.md").read_text()
    examples = re.findall(r"^```capture\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert [write(read(example)) for example in examples] == examples
    assert {type(said) for example in examples for step in read(example).steps for said in step.said} >= {
        Registers,
        Refusal,
        Silence,
        Reply,
        Alert,
    }
    for wire in Wire:
        assert wire.value in page
