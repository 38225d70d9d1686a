"""The alerts role as a process: what waits of an alert when more of it leaves at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cloud_bridge.alerts.notice import State
from cloud_bridge.store.registry import wishes
from tests.cloud_bridge.alerting import House, Mails, mails, text_of
from tests.cloud_bridge.talker import eventually
from tests.conftest import Start


@pytest.fixture
def post() -> Iterator[Mails]:
    with mails() as post:
        yield post


@pytest.fixture
def house(tmp_path: Path, post: Mails) -> Iterator[House]:
    made = House(tmp_path / "cloud", post.box.port, units=("rack-1", "rack-2", "rack-3"))
    yield made
    made.close()


def test_a_beginning_that_waits_leaves_with_the_critical_of_its_alert_and_others_of_its_group_later(
    house: House, post: Mails, start: Start
) -> None:
    with house.registry() as registry, registry.writing(noticed=True) as connection:
        wishes.save_policy(connection, msgspec.structs.replace(house.policy, group_s=3600))
    house.role(start)
    house.tells("on_battery", unit="rack-1")
    post.wait(1)
    house.tells("on_battery", unit="rack-2")
    house.tells("on_battery", unit="rack-3")
    eventually(lambda: len(house.notifications()) == 3, "not decided")
    assert len(post.all) == 1, "they follow the first of their group"
    house.tells("low_battery", unit="rack-2")
    post.wait(2)
    mail = post.all[1]
    assert str(mail["Subject"]).startswith("[critical] pi-a/rack-2")
    assert "rack-2: on battery" in text_of(mail)
    assert "rack-3" not in text_of(mail)
    eventually(lambda: waiting(house) == 1, "what was told with the critical still waits")


def waiting(house: House) -> int:
    return sum(one.state is State.WAITING for one in house.notifications())
