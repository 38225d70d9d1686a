"""What a notice is made of: a registry and a telemetry database as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cloud_bridge.alerts.model import Alert, Change, Phase, What, alert_id, unit_of
from cloud_bridge.alerts.notice import About, Notice, Notification
from cloud_bridge.alerts.wording import text, title
from cloud_bridge.runtime.alerts.composing import Composer, View
from cloud_bridge.runtime.clock import now_ms
from cloud_bridge.store.registry import alerting, directory, reasons
from drivers.ups import CATALOGUE, Severity
from tests.cloud_bridge.alerting import G, House

HOUR = 3_600_000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "cloud", 1)
    yield made
    made.close()


def composed(house: House, one: Notification, *steps: Change) -> Notice:
    """The notice of one notification, of the steps of alerts that it tells."""
    with house.registry() as registry:
        with registry.writing() as connection:
            alerting.keep_alerts(connection, [step.alert for step in steps])
            reasons.add_steps(connection, list(steps), one.created_at)
        with registry.reading() as connection:
            known = directory.load(connection, bytes.decode)
        composer = Composer(house.settings, registry)
        view = View(directory=known, unsubscribed=frozenset(), at=one.created_at)
        made = composer.compose((one,), house.channel, view, one.created_at)
        composer.close()
    return made


def told(house: House, about: About = About.ALERT, *steps: Change, **more: object) -> Notification:
    now = now_ms()
    made = Notification(
        id="n1",
        channel=house.channel.id,
        policy=house.policy.id,
        device=house.devices["rack-1"].id,
        about=about,
        severity=Severity.WARNING,
        alerts=tuple((step.alert.id, step.alert.number) for step in steps),
        group="",
        created_at=now,
        due_at=now,
    )
    return msgspec.structs.replace(made, **more)


def summary(stage: str, at: int) -> Change:
    subject = unit_of(G, "rack-1")
    one = Alert(
        id=alert_id(subject, stage, "m1"),
        subject=subject,
        condition=stage,
        mark="m1",
        number=2,
        phase=Phase.RESOLVED,
        stage=stage,
        severity=Severity.WARNING,
        worst=Severity.WARNING,
        onset_at=at - HOUR,
        changed_at=at,
        resolved_at=at,
        history=True,
    )
    return Change(alert=one, what=What.SUMMARY, at=at, reason="it came and went")


@pytest.mark.parametrize(
    ("stage", "advised"),
    [
        pytest.param("on_battery", False, id="what came and went needs nothing done"),
        pytest.param("gateway_cloned", True, id="of a moment what to do stays"),
    ],
)
def test_s17_a_summary_advises_only_what_is_still_to_be_done(house: House, stage: str, advised: bool) -> None:
    step = summary(stage, now_ms() - 1000)
    said = text(composed(house, told(house, About.ALERT, step), step))
    assert "over by now" in said
    assert (CATALOGUE[stage].do_this in said) is advised
    assert ("What to do now" in said) is advised


def test_the_hour_of_a_chart_has_all_its_time_on_battery(house: House) -> None:
    house.reports(charge_pct=97.5)
    house.tells("mains_restored", "on_battery", "mains_restored", "on_battery")
    house.reports(charge_pct=95.0)
    step = summary("overload", now_ms())
    made = composed(house, told(house, About.ALERT, step), step)
    ((_, first), (_, second), (_, third)) = made.on_battery
    assert first is not None
    assert second is not None
    assert third is None, "it lasts"
    assert [series.label for series in made.series] == ["battery charge"]


@pytest.mark.parametrize(
    ("kind", "about_one"), [("webhook", True), ("mail", False)], ids=["no mail", "a mail about two units"]
)
def test_what_has_no_chart_has_no_readings(house: House, kind: str, about_one: bool) -> None:
    house.reports(charge_pct=97.5)
    house.tells("on_battery")
    house.channel = msgspec.structs.replace(house.channel, kind=kind)
    first = summary("overload", now_ms())
    other = msgspec.structs.replace(first.alert, id="b" * 32, subject=unit_of(G, "rack-2"))
    steps = [first] if about_one else [first, msgspec.structs.replace(first, alert=other)]
    made = composed(house, told(house, About.ALERT, *steps), *steps)
    assert (made.series, made.on_battery) == ((), ())


def test_a_digest_at_the_end_of_a_mute_says_that_notifications_are_on_again_and_which_command_lists_them(
    house: House,
) -> None:
    one = told(house, About.DIGEST, left_out=1)
    said = text(composed(house, msgspec.structs.replace(one, until=one.created_at)))
    assert "pi-a/rack-1: notifications on again" in said
    assert "disabled" not in said
    assert "1 of its notifications was not sent." in said
    assert "ridethrough cloud alert list --dir FOLDER --all --device pi-a/rack-1" in said


def test_a_digest_while_the_mute_lasts_says_that_notifications_are_off(house: House) -> None:
    one = told(house, About.DIGEST, left_out=2)
    made = composed(house, msgspec.structs.replace(one, until=one.created_at + HOUR))
    assert title(made) == "Not told meanwhile of pi-a/rack-1: 2 notifications"
    assert "pi-a/rack-1: notifications disabled" in text(made)
    assert "2 of its notifications were not sent." in text(made)
