"""Every conformance test runs against the embedded broker and against Mosquitto as it is shipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud_bridge.conformance.brokers import CONNECT_TIMEOUT_S, Broker, embedded, mosquitto_at


@pytest.fixture(scope="package", params=["embedded", pytest.param("mosquitto", marks=pytest.mark.peer)])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    root: Path = tmp_path_factory.mktemp("broker")
    if request.param == "embedded":
        with embedded(root, {"connect_timeout_s": CONNECT_TIMEOUT_S}) as broker:
            yield broker
    else:
        with mosquitto_at(root, request.getfixturevalue("mosquitto")) as broker:
            yield broker


@pytest.fixture
def broker(running: Broker) -> Iterator[Broker]:
    """The broker, alive before and after."""
    yield running
    running.tidy()
    running.bridge().close()
    running.tidy()


@pytest.fixture(scope="package")
def running_embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    limits = {"connect_timeout_s": CONNECT_TIMEOUT_S, "handshakes_per_address": 4, "handshakes": 6}
    with embedded(tmp_path_factory.mktemp("embedded"), limits) as broker:
        yield broker


@pytest.fixture
def embedded_broker(running_embedded: Broker) -> Iterator[Broker]:
    """The embedded broker, for what is its own."""
    yield running_embedded
    running_embedded.tidy()
