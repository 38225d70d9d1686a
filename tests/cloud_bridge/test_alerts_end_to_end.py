"""From a simulated unit to a mail: simulator, gateway, broker, ingest and alerts as processes, and a mail server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloud_bridge.alerts.terms import Terms
from simulator.rig.alerting import Household, settle, tells_by_mail
from simulator.rig.world import UnitPlan, World
from tests.cloud_bridge.alerting import Mails, mails, text_of
from tests.cloud_bridge.talker import eventually

DEVICE = "demo/rack-1"
pytestmark = pytest.mark.slow


async def test_mains_that_fail_become_a_mail_their_return_another_and_a_killed_role_loses_neither(
    tmp_path: Path,
) -> None:
    with mails() as post:
        plan = UnitPlan(name="rack-1", wire="tcp", model="SMT1500RM2UC", options=("--load", "5"))
        world = World(tmp_path / "w", [plan], later=("cloud", "gateway"), roles_apart=True)
        await world.play(lambda world: _scene(world, post))
        # What was sent just before the kill may come once more, under the same name.
        first, *_, last = {str(mail["Message-ID"]): mail for mail in post.all}.values()
    assert first["Subject"] == f"[warning] {DEVICE}: on battery"
    assert str(last["Subject"]).startswith(f"[over] {DEVICE}")
    assert "What to do now" in text_of(first)


async def _scene(world: World, post: Mails) -> None:
    tells_by_mail(world.cloud, post.box.port, Terms(on_battery_hold_s=0.0, end_hold_s=0.0))
    await asyncio.to_thread(settle, world.cloud.root, [Household(owner="ada", devices={"": (DEVICE,)})])
    await world.start_cloud()
    await world.start_gateway()
    await world.tell("rack-1", "mains off")
    await _told(post, "on battery")
    alerts = world.roles["alerts"].process
    assert alerts is not None
    alerts.kill()
    await world.tell("rack-1", "mains on")
    await _told(post, "[over]")


async def _told(post: Mails, what: str) -> None:
    await asyncio.to_thread(
        eventually, lambda: any(what in subject for subject in post.subjects), f"nobody was told: {what}", within_s=40
    )
