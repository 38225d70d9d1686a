"""`ridethrough gateway emergency-test`: try the route that people are told by when the cloud is away."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from config.runtime.files import load
from gateway.emergency_text import Sender, trial
from gateway.runtime.clock import SystemClock
from gateway.runtime.emergency import errand, performed
from gateway.settings import GatewaySettings


@click.command("emergency-test")
@click.option(
    "--config",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The gateway's settings, which name the route.",
)
def emergency_test(path: Path) -> None:
    """Send a test message by the emergency route, mail or ntfy, as the gateway would.

    It needs no running gateway. Exit status 1 if a route did not take it.
    """
    settings = load(path, GatewaySettings)
    if settings.emergency is None:
        raise click.UsageError(f"{path}: names no emergency route; expected `emergency:` with mail or ntfy")
    message = trial(Sender(gateway=settings.gateway), time.time_ns() // 1_000_000)
    outcome = asyncio.run(performed(errand(settings.emergency, message, SystemClock().is_right())))
    if outcome.trouble or not outcome.taken:
        raise click.ClickException(outcome.trouble)
    click.echo("sent; look whether it arrives")
