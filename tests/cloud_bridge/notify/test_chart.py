"""The picture of the last hour."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cloud_bridge.alerts.model import What
from cloud_bridge.alerts.notice import Notice, Series
from cloud_bridge.notify.chart import BYTES_AT_MOST, LARGEST, draw
from tests.cloud_bridge.notify.notices import HOUR, NOW, hour, item, notice

BAND = (253, 228, 207)


def picture(said: Notice) -> Image.Image:
    with Image.open(io.BytesIO(draw(said))) as image:
        return image.convert("RGB")


def colour(image: Image.Image, x: int, y: int) -> tuple[int, int, int]:
    found = image.getpixel((x * 2, y * 2))
    assert isinstance(found, tuple)
    red, green, blue = found[:3]
    return red, green, blue


def near(found: tuple[int, int, int], wanted: tuple[int, int, int]) -> bool:
    return all(abs(one - other) <= 8 for one, other in zip(found, wanted, strict=True))


def test_no_readings_make_no_picture() -> None:
    assert draw(notice(item())) == b""
    assert draw(notice(item(), series=(Series(label="x", unit="%", points=()),))) == b""


@pytest.mark.parametrize(
    ("units", "panels"),
    [
        pytest.param(["%"], 1, id="one reading"),
        pytest.param(["%", "%"], 1, id="percentages share a panel"),
        pytest.param(["%", "%", "V"], 2, id="volts have their own"),
        pytest.param(["%", "V", "s", "°C", "Hz"], 3, id="three at most"),
    ],
)
def test_each_unit_has_a_panel(units: list[str], panels: int) -> None:
    image = picture(notice(item(), series=tuple(hour(f"reading {n}", unit) for n, unit in enumerate(units))))
    assert image.size == (1280, 340 * panels)


def test_the_time_on_battery_is_shaded_from_the_onset_to_the_end_and_no_further() -> None:
    began, ended = NOW - HOUR // 2, NOW - HOUR // 4
    one = item(onset_at=began, at=ended, what=What.RESOLVED)
    image = picture(notice(one, series=(hour(level=20.0),)))
    # The plot reaches from x 80 to 626; y 50 is above the line at 20 %.
    assert not near(colour(image, 80 + 142, 50), BAND)
    assert near(colour(image, 80 + 356, 50), BAND)
    assert not near(colour(image, 80 + 500, 50), BAND)


def test_while_it_lasts_the_shade_reaches_the_right_edge() -> None:
    image = picture(notice(item(onset_at=NOW - HOUR // 4, at=NOW), series=(hour(level=20.0),)))
    assert near(colour(image, 622, 50), BAND)


@pytest.mark.parametrize(("age_ms", "shown"), [(60_000, True), (600_000, False)], ids=["fresh", "old"])
def test_a_last_reading_is_drawn_to_the_edge_while_it_is_fresh_and_no_further_when_it_is_old(
    age_ms: int, shown: bool
) -> None:
    points = ((NOW - HOUR // 2, 50.0), (NOW - age_ms, 50.0))
    image = picture(notice(item("overload", at=NOW), series=(Series(label="load", unit="%", points=points),)))
    # y 86 is the line at 50 %.
    assert near(colour(image, 500, 86), (0, 95, 168))
    assert near(colour(image, 624, 86), (0, 95, 168)) is shown


def test_what_is_no_outage_is_not_shaded() -> None:
    image = picture(notice(item("overload", onset_at=NOW - HOUR // 2), series=(hour(level=20.0),)))
    assert not near(colour(image, 500, 50), BAND)


def test_earlier_outages_of_the_hour_are_shaded_too() -> None:
    spans = ((NOW - 2 * HOUR, NOW - HOUR * 3 // 4), (NOW - HOUR // 8, None))
    image = picture(notice(item("overload"), series=(hour(level=20.0),), on_battery=spans))
    assert [near(colour(image, x, 50), BAND) for x in (100, 300, 600)] == [True, False, True]


def test_its_labels_can_be_read_where_the_whole_is_284_pixels_wide() -> None:
    """A mail on a telephone of 360."""
    image = picture(notice(item(), series=(hour(),)))
    # Under the axis (y 138) there are the hours alone.
    inked = [y for y in range(290, 340) if any(sum(image.getpixel((x, y))) < 300 for x in range(160, 1280))]  # type: ignore[arg-type]  # of RGB
    assert (max(inked) - min(inked) + 1) * 284 / 1280 >= 5.0


def test_the_axis_is_labelled_in_the_owner_s_time_zone() -> None:
    here, there = (
        picture(notice(item(), series=(hour(),), time_zone=zone)) for zone in ("Europe/Berlin", "Asia/Kolkata")
    )
    assert here.tobytes() != there.tobytes()


READINGS = st.floats(-1e6, 1e6) | st.floats()


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(NOW - 2 * HOUR, NOW), READINGS).map(tuple),
        min_size=1,
        max_size=400,
    ).map(sorted),
    st.sampled_from(["%", "V", "s", "\r\n<>"]),
)
def test_any_readings_make_a_small_picture(points: list[tuple[int, float]], unit: str) -> None:
    content = draw(notice(item(), series=(Series(label="load", unit=unit, points=tuple(points)),)))
    assert content.startswith(b"\x89PNG") or not any(abs(value) <= LARGEST for _, value in points)
    assert len(content) <= BYTES_AT_MOST
