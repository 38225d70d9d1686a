"""The harness that end-to-end tests stand on must itself fail when it should."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import Start
from tests.process import Process

SERVICE = """
import signal, sys
print("ready: web 127.0.0.1:1", flush=True)
print("started", file=sys.stderr, flush=True)
print("ready: mqtt 127.0.0.1:2", flush=True)
signal.pause()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + SERVICE
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("ready: child", child.pid, flush=True)
child.wait()
"""


def test_a_process_is_ready_when_each_listener_said_so(start_peer: Start) -> None:
    process = start_peer(sys.executable, "-c", SERVICE, ready=["mqtt", "web"])
    assert process.addresses == {"web": "127.0.0.1:1", "mqtt": "127.0.0.1:2"}
    process.logged("started")
    assert process.stderr == "started\n"
    assert process.terminate() == -signal.SIGTERM


def test_a_process_that_dies_before_it_is_ready_fails_with_its_standard_error(start_peer: Start) -> None:
    with pytest.raises(AssertionError, match=r"(?s)no line `ready: web .*status 3.*port taken"):
        start_peer(
            sys.executable,
            "-c",
            "import sys; print('port taken', file=sys.stderr); sys.exit(3)",
            ready=["web"],
        )


def test_a_process_that_is_never_ready_fails_at_the_deadline(start_peer: Start) -> None:
    with pytest.raises(AssertionError, match=r"no line `ready: ftp .*within 0\.2 s"):
        start_peer(sys.executable, "-c", SERVICE, ready=["ftp"], within_s=0.2)


def test_a_line_that_is_logged_late_is_waited_for_by_its_count(start_peer: Start) -> None:
    program = "import sys\nfor n in range(3): print('beat', n, file=sys.stderr, flush=True)"
    process = start_peer(sys.executable, "-c", program)
    process.logged("beat", times=3)
    with pytest.raises(AssertionError, match="nothing logged with 'beat'"):
        process.logged("beat", times=4)


def test_killing_ends_the_process_alone_and_cleaning_up_what_it_started() -> None:
    process = Process([sys.executable, "-c", PARENT])
    child = psutil.Process(int(process.address("child")))
    process.kill()
    assert child.is_running()
    process.clean_up()
    assert psutil.wait_procs([child], timeout=10)[1] == []


def test_cleaning_up_ends_a_process_that_ignores_sigterm(start_peer: Start) -> None:
    process = start_peer(sys.executable, "-c", STUBBORN, ready=["web"])
    with pytest.raises(AssertionError, match=r"still runs after 0\.1 s"):
        process.terminate(within_s=0.1)
    process.kill()
    assert process.ended() == -signal.SIGKILL


def test_a_process_runs_where_and_with_what_it_is_told(start_peer: Start, tmp_path: Path) -> None:
    program = "import os; print(os.getcwd(), os.environ['COLOUR'], 'PATH' in os.environ)"
    process = start_peer(sys.executable, "-c", program, cwd=tmp_path, env={"COLOUR": "red"})
    assert process.ended() == 0
    assert process.stdout == f"{os.path.realpath(tmp_path)} red True\n"
