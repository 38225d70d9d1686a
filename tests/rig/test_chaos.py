"""kill -9 at any instant loses nothing and doubles nothing (design.md, "The uplink")."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.rig.chaos import FAULTS, run_chaos

KILLS = 30


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_thirty_kills_under_load_lose_nothing_double_nothing_and_keep_the_order(tmp_path: Path) -> None:
    report = await run_chaos(tmp_path / "world", KILLS, seed=20261124)
    assert report.kills == KILLS
    assert report.missing == []
    assert report.surplus == []
    assert report.out_of_order == []
    types = {each.type for each in report.happened}
    assert types == {"on_battery", "mains_restored", *(name for pair in FAULTS.values() for name in pair)}
    assert len({(event.stream, event.seq) for event in report.stored}) == len(report.stored)
    starts = [event for event in report.stored if event.type == "gateway_started"]
    assert len(starts) >= 2, "the gateway was killed"
    assert len(report.happened) > KILLS, "the load was steady"
