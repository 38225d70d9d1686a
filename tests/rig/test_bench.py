"""What the parts of the benchmark make of what they measured."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from simulator.rig.bench.disk import LIMIT_MB, MB, OUTAGES_A_DAY, Written
from simulator.rig.bench.footprint import OURS, Window, compared, memory
from simulator.rig.bench.transfers import KINDS, NUT_ABOUT, results, wait_s
from simulator.rig.peers.nut import notifications
from simulator.rig.peers.rivals import MODPOLL, THINGSBOARD, Rivals
from simulator.rig.usage import Usage


def used(processor_ms: float, resident_mb: float = 30.0) -> tuple[Usage, Usage]:
    """A window in which so much processor time was used."""
    before = Usage(resident_mb=1.0, processor_ns=7_000_000, written_bytes=0, handles=1)
    after_ns = 7_000_000 + round(processor_ms * 1e6)
    return before, Usage(resident_mb=resident_mb, processor_ns=after_ns, written_bytes=0, handles=1)


def test_programs_are_compared_by_the_poll_not_by_the_minute() -> None:
    window = Window(
        used={OURS: used(90.0), MODPOLL: used(112.0, 35.5), THINGSBOARD: used(2400.0, 66.0)},
        polls={OURS: 60, MODPOLL: 56, THINGSBOARD: 60},
        seconds=60.0,
        ordered_mb=41.0,
    )
    found = {each.name: each for each in compared(window)}
    assert found["ours: processor time a poll"].value == pytest.approx(1.5)
    assert found["modpoll: processor time a poll"].value == pytest.approx(2.0)
    assert found["thingsboard-gateway: processor time a poll"].value == pytest.approx(40.0)
    assert found["modpoll: resident memory, 1 unit"].value == 35.5
    share = found["ours: processor time a poll, as a share of modpoll's"]
    assert share.value == pytest.approx(0.75)
    assert share.limit == 1.0
    assert [(each.value, each.holds) for each in memory(1, window)] == [(30.0, True), (41.0, False)]
    assert all(each.holds for each in memory(8, window))


def test_a_day_on_the_disk_is_its_quiet_seconds_and_its_outages() -> None:
    day, away, outages = Written(quiet_a_s=100.0, away_a_s=600.0, an_outage=2 * MB).results()
    assert day.value == pytest.approx(8.64 + OUTAGES_A_DAY * 2)
    assert away.value == pytest.approx(51.84 + OUTAGES_A_DAY * 2)
    assert (day.holds, away.holds) == (True, False)
    assert day.limit == away.limit == LIMIT_MB
    assert outages.limit is None


def test_each_line_has_its_own_limits_and_nut_none() -> None:
    rows = {kind.about: [0.1, 0.6] for kind in KINDS.values()} | {NUT_ABOUT: [9.0]}
    found = {each.name: each for each in results(rows)}
    assert found["Modbus RTU, 9600 baud, fast_status_hz: 5: median"].holds
    assert not found["Modbus RTU, 9600 baud, fast_status_hz: 5: 99th percentile"].holds
    assert found["Modbus RTU, 9600 baud, defaults: 99th percentile"].limit == 1.3
    assert found["SmartConnect port, defaults: median"].limit == 1.3
    assert found[f"{NUT_ABOUT}: median"].value == 9.0
    assert found[f"{NUT_ABOUT}: median"].limit is None


def test_outages_begin_at_moments_that_lie_evenly_between_two_readings() -> None:
    # Each is waited for from another now.
    moments = sorted((31.7 * number + wait_s(number, 2.0, 31.7 * number)) % 2.0 for number in range(100))
    gaps = [after - before for before, after in pairwise([*moments, moments[0] + 2.0])]
    assert max(gaps) < 2.0 / 100 * 2.7
    assert all(0 <= wait_s(number, 2.0, 1234.5) < 2.0 for number in range(100))


def test_notifications_are_told_apart_by_unit_and_kind() -> None:
    text = (
        "1795507645000000000 ONBATT nut-1@127.0.0.1:3493\n"
        "1795507646500000000 ONBATT nut-2@127.0.0.1:3493\n"
        "1795507650000000000 ONLINE nut-1@127.0.0.1:3493\n"
        "1795507660250000000 ONBATT nut-1@127.0.0.1:3493\n"
    )
    found = notifications(text)
    assert list(found) == [("nut-1", "ONBATT"), ("nut-2", "ONBATT"), ("nut-1", "ONLINE")]
    assert found["nut-1", "ONBATT"] == pytest.approx([1795507645.0, 1795507660.25], abs=1e-6)
    assert found["nut-1", "ONLINE"] == pytest.approx([1795507650.0], abs=1e-6)


def test_modpolls_polls_are_counted_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "modpoll.log"
    line = "2026-11-24 07:58:04,216 | I | modpoll.main |  === Modpoll is polling at rate:1.0s, actual:1.05s ===\n"
    log.write_text("Modpoll v1.6.0\n" + line + "something else\n" + line)
    assert Rivals({}, log).modpoll_polls() == 2
