"""`ridethrough demo` as a person runs it: every part a real process, every byte on a real socket or serial line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psutil
import pytest

from simulator.rig.summary import Summary
from tests.conftest import Start

pytestmark = pytest.mark.slow


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_an_unattended_run_tells_every_event_with_its_lateness_and_path(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    demo = start("demo", "--for", "14", "--json", "--dir", folder)
    assert demo.ended(within_s=90) == 0, demo.stderr
    summary = msgspec.json.decode(demo.stdout, type=Summary)
    assert summary.complete
    transfers = [event for event in summary.events if event.type == "on_battery"]
    assert {event.unit for event in transfers} == {"rack-1", "rack-2", "lab-1"}
    for event in transfers:
        assert event.late_ms is not None
        assert event.legs is not None
        assert event.legs.total == pytest.approx(event.late_ms, abs=0.01)
        assert event.path.startswith(f"{event.unit} > modbus+")
        assert event.path.endswith("> ingest > telemetry.db")
    assert (folder / "cloud" / "data" / "telemetry.db").exists()
    assert (folder / "logs" / "gateway.log").exists()


def test_ctrl_c_leaves_no_process_and_no_file_behind(start: Start, tmp_path: Path) -> None:
    demo = start("demo", env={"TMPDIR": str(tmp_path)})
    demo.said("on_battery", within_s=60)
    left = descendants(demo.pid)
    assert len(left) >= 6, "three units, gateway, cloud with its roles"
    assert any(tmp_path.iterdir())
    assert demo.interrupt(within_s=30) == 0
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in left)
    assert not any(tmp_path.iterdir())
    assert "each once and in order" in demo.stdout


def test_a_killed_demo_takes_its_processes_along(start: Start, tmp_path: Path) -> None:
    demo = start("demo", env={"TMPDIR": str(tmp_path)})
    demo.said("gateway_started", within_s=60)
    left = descendants(demo.pid)
    demo.kill()
    gone, alive = psutil.wait_procs(left, timeout=20)
    assert gone
    assert not alive


def test_a_folder_that_holds_something_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    demo = start("demo", "--dir", tmp_path)
    assert demo.ended() == 1
    assert f"{tmp_path} is not empty" in demo.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
