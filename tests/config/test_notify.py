"""What systemd is told, on a real socket."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from config.runtime.notify import ServiceManager
from tests.manager import Manager


def test_each_word_reaches_the_manager_as_sd_notify_has_it(tmp_path: Path) -> None:
    with Manager(tmp_path) as manager:
        service = ServiceManager(manager.environment)
        for word in (service.ready, service.stopping, service.alive):
            word()
        service.status("3 units")
        manager.hears("STATUS=")
        assert manager.heard == ["READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=3 units"]


def test_reloading_says_when_it_began_by_the_monotonic_clock(tmp_path: Path) -> None:
    with Manager(tmp_path) as manager:
        before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        ServiceManager(manager.environment).reloading()
        first, second = manager.hears("RELOADING").splitlines()
    assert first == "RELOADING=1"
    name, _, began_us = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before_us <= int(began_us) <= before_us + 60_000_000


def test_s6_a_status_can_not_forge_another_word(tmp_path: Path) -> None:
    with Manager(tmp_path) as manager:
        ServiceManager(manager.environment).status("x\nREADY=1")
        assert "\n" not in manager.hears("STATUS=")


def test_an_abstract_socket_is_reached_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0ridethrough-test-" + str(os.getpid()))
        listening.settimeout(10)
        ServiceManager({"NOTIFY_SOCKET": "@ridethrough-test-" + str(os.getpid())}).ready()
        assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all"])
def test_without_a_manager_nothing_fails(address: str) -> None:
    ServiceManager({"NOTIFY_SOCKET": address}).ready()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdogs_time_is_taken_only_if_it_is_meant_for_this_process(
    environment: dict[str, str], expected: float | None
) -> None:
    assert ServiceManager({"NOTIFY_SOCKET": "/run/x", **environment}).watchdog_s == expected


def test_a_watchdog_without_a_socket_to_tell_is_none() -> None:
    assert ServiceManager({"WATCHDOG_USEC": "30000000"}).watchdog_s is None
