"""The drawing of an outage: well formed and inside its frame, whatever the trace."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from gateway.draw import HEIGHT, WIDTH, outage_svg
from gateway.wire.outage import OutageBody, Point

SVG = "{http://www.w3.org/2000/svg}"
numbers = st.none() | st.floats(-1e4, 1e5)
traces = st.lists(
    st.tuples(st.integers(-60_000, 10**8), numbers, numbers, numbers, numbers, st.booleans()), max_size=140
)


def body(trace: list[Point]) -> OutageBody:
    return OutageBody(id="a", began_at=0, ended_at=1, ended="restored", delivered_s=30.0, trace=trace)


def drawn(trace: list[Point]) -> ElementTree.Element:
    return ElementTree.fromstring(outage_svg(body(trace)))


@given(traces.map(lambda rows: sorted(rows, key=lambda row: row[0])))
def test_whatever_the_trace_it_is_well_formed_and_stays_in_its_frame(trace: list[Point]) -> None:
    for element in drawn(trace).iter():
        for name in ("x", "y", "cx", "cy", "x1", "x2", "y1", "y2", "width", "height"):
            if (value := element.get(name)) is not None:
                assert -1 <= float(value) <= max(WIDTH, HEIGHT) + 1, (element.tag, name, value)
        for x, y in re.findall(r"[ML]([-0-9.]+) ([-0-9.]+)", element.get("d", "")):
            assert 0 <= float(x) <= WIDTH
            assert 0 <= float(y) <= HEIGHT


def test_time_on_battery_is_shaded_from_the_transfer_to_the_first_reading_after_it() -> None:
    trace: list[Point] = [
        (-60_000, 230.0, 230.0, 40.0, 100.0, False),
        (0, 0.0, 230.0, 40.0, 100.0, True),
        (60_000, 0.0, 230.0, 40.0, 95.0, True),
        (120_000, 230.0, 230.0, 40.0, 90.0, False),
        (180_000, 230.0, 230.0, 40.0, 91.0, False),
    ]
    (shade,) = drawn(trace).findall(f"{SVG}rect")
    inner = WIDTH - 46 - 40
    assert float(shade.get("x", "")) == 46 + inner / 4
    assert float(shade.get("width", "")) == round(inner / 2, 1)


def test_the_axes_name_their_units_and_time_counts_from_the_transfer() -> None:
    texts = [
        element.text
        for element in drawn([(-60_000, 230.0, None, None, 99.0, False), (3_600_000, 0.0, None, None, 1.0, True)]).iter(
            f"{SVG}text"
        )
    ]
    assert {"0 V", "250 V", "100 %", "0:00", "1:00:00", "input", "charge"} <= set(texts)
    assert "load" not in texts, "nothing is drawn of what was not reported"


def test_a_single_reading_is_a_dot_and_no_reading_an_empty_frame() -> None:
    assert len(drawn([(0, 12.0, None, None, None, True)]).findall(f"{SVG}circle")) == 1
    assert drawn([]).findall(f"{SVG}path") == []
