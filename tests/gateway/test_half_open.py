"""A connection whose packets are dropped without a word: both sides notice within 90 s, and nothing is lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cloud_bridge.presence import LinkState, link_state
from cloud_bridge.runtime.init import init
from cloud_bridge.store.database import FILE_NAME
from cloud_bridge.store.reader import Reader
from gateway.wire.limits import LOST_AFTER_S
from tests.cloud_bridge.talker import eventually, free_port
from tests.conftest import Start, lacking
from tests.gateway.site import NAME, Site
from tests.process import PROGRAM, READY_S

CLOUD, GATEWAY = "10.77.0.1", "10.77.0.2"
NOBODY = "02:00:00:00:00:99"
"""A link-layer address that no card has: what is sent there is dropped, and nobody says so."""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10)


class Wire:
    """Two network namespaces and the cable between them: the cloud's and the gateway's."""

    def __init__(self) -> None:
        self.cloud, self.gateway = f"rt-{os.getpid()}-c", f"rt-{os.getpid()}-g"

    def lay(self) -> None:
        for space in (self.cloud, self.gateway):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        ip("-n", self.cloud, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", self.gateway)
        for space, address in ((self.cloud, CLOUD), (self.gateway, GATEWAY)):
            ip("-n", space, "address", "add", f"{address}/24", "dev", "wire")
            ip("-n", space, "link", "set", "wire", "up")

    def cut(self) -> None:
        for space, peer in ((self.cloud, GATEWAY), (self.gateway, CLOUD)):
            ip("-n", space, "neigh", "replace", peer, "lladdr", NOBODY, "dev", "wire", "nud", "permanent")

    def mend(self) -> None:
        for space, peer in ((self.cloud, GATEWAY), (self.gateway, CLOUD)):
            ip("-n", space, "neigh", "del", peer, "dev", "wire")

    def remove(self) -> None:
        for space in (self.cloud, self.gateway):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True, timeout=10)


@pytest.fixture
def wire() -> Iterator[Wire]:
    if shutil.which("ip") is None or os.geteuid() != 0:
        lacking("needs iproute2, and root for network namespaces of its own")
    wire = Wire()
    try:
        wire.lay()
    except subprocess.CalledProcessError as error:
        wire.remove()
        lacking(f"no network namespaces here: {error.stderr}")
    yield wire
    wire.remove()


def inside(start_peer: Start, space: str) -> Start:
    return partial(start_peer, "ip", "netns", "exec", space, PROGRAM)


def is_lost(site: Site) -> bool:
    with Reader(site.cloud / "data" / FILE_NAME) as reader:
        (row,) = reader.gateways()
        return link_state(row, reader.ingest(), time.time_ns() // 1_000_000) is LinkState.LOST


@pytest.mark.slow
@pytest.mark.timeout(2 * LOST_AFTER_S + 4 * READY_S)
def test_both_sides_notice_within_90_s_that_packets_are_dropped(tmp_path: Path, start_peer: Start, wire: Wire) -> None:
    address = f"{CLOUD}:{free_port()}"
    folder = init(tmp_path / "cloud", address, [NAME])
    settings = folder.settings.read_text()
    folder.settings.write_text(re.sub(r'(?m)^listen: "?[0-9.]+', f'listen: "{CLOUD}', settings))
    cloud = Site(tmp_path, inside(start_peer, wire.cloud), folder.root)
    cloud.broker()
    cloud.ingest()
    site = Site(tmp_path, inside(start_peer, wire.gateway), folder.root)
    unit = site.unit()
    gateway = site.gateway(("rack-1", unit.address("modbus-tcp")))
    gateway.logged("connected to the cloud")
    gateway.logged("answers")
    wire.cut()
    deadline = time.monotonic() + LOST_AFTER_S
    assert site.start("sim", "ctl", "--control", unit.address("control"), "mains", "off").ended() == 0
    gateway.logged("rack-1: on_battery")
    gateway.logged("no connection to the cloud", within_s=deadline - time.monotonic())
    eventually(lambda: is_lost(cloud), "lost", within_s=deadline - time.monotonic())
    wire.mend()
    gateway.logged("connected to the cloud", times=2, within_s=LOST_AFTER_S)
    cloud.wait_for("rack-1", ["on_battery"], gateway)
