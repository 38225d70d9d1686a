"""`ridethrough cloud channel`: where notices go."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from cloud_bridge.cli_administer import (
    LINE_CHARS,
    Administering,
    enabling,
    given,
    new_name,
    of_owner,
    opened,
    print_all,
    print_one,
    whose,
)
from cloud_bridge.cli_options import as_json, directory
from config.text import one_line

KINDS = click.Choice(["mail", "webhook", "apprise"])


@click.group(cls=Administering)
def channel() -> None:
    """Channels: mail, webhooks, and all that Apprise knows (docs/channels.md). A NAME may be OWNER/NAME."""


def _target(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """`-` is standard input's first line: a secret on a command line is in every list of processes."""
    return sys.stdin.readline().strip() if value == "-" else value


_target_option = click.option(
    "--target",
    metavar="TARGET",
    callback=_target,
    help="A mail address, a webhook's URL, or Apprise's URL; `-`: read it from standard input.",
)
_per_minute = click.option("--per-minute", type=click.IntRange(1, 600), help="Notices at most; by default 30.")


@channel.command("add")
@directory
@click.argument("name")
@whose
@click.option("--kind", type=KINDS, required=True, help="What it is.")
@_target_option
@_per_minute
def add_channel(folder: Path, name: str, owner: str, kind: str, target: str | None, per_minute: int | None) -> None:
    """Add a channel. Then try it: `cloud channel test NAME`; and lead a policy to it."""
    from cloud_bridge.runtime.administer import wishes

    fields = given(name=name, owner=owner, kind=kind, target=target, per_minute=per_minute)
    with opened(folder) as office:
        print_one(wishes.add_channel(office, fields), json_lines=False)


@channel.command("set")
@directory
@click.argument("channel")
@new_name
@click.option("--kind", type=KINDS, help="What it is.")
@_target_option
@_per_minute
@enabling
def set_channel(
    folder: Path,
    channel: str,
    name: str | None,
    kind: str | None,
    target: str | None,
    per_minute: int | None,
    enabled: bool | None,
) -> None:
    """Change a channel; what is not named stays as it is."""
    from cloud_bridge.runtime.administer import wishes

    fields = given(name=name, kind=kind, target=target, per_minute=per_minute, enabled=enabled)
    with opened(folder) as office:
        print_one(wishes.set_channel(office, channel, fields), json_lines=False)


@channel.command("remove")
@directory
@click.argument("channel")
def remove_channel(folder: Path, channel: str) -> None:
    """Remove a channel that no policy leads to. What still waits for it does not leave."""
    from cloud_bridge.runtime.administer import wishes

    with opened(folder) as office:
        click.echo(f"channel {wishes.remove_channel(office, channel).name} is removed")


@channel.command("list")
@directory
@as_json
@of_owner
def list_channels(folder: Path, owner: str | None, json_lines: bool) -> None:
    """All channels. What is secret in a target is not shown."""
    from cloud_bridge.runtime.administer import wishes

    with opened(folder) as office:
        found = wishes.list_channels(office, owner)
    print_all(
        found,
        ("owner", "channel", "kind", "target", "a minute", "on"),
        lambda each: (each.owner or "operator", each.name, each.kind, each.target, each.per_minute, each.enabled),
        json_lines=json_lines,
    )


@channel.command("show")
@directory
@as_json
@click.argument("channel")
def show_channel(folder: Path, channel: str, json_lines: bool) -> None:
    """One channel."""
    from cloud_bridge.runtime.administer import wishes

    with opened(folder) as office:
        print_one(wishes.show_channel(office, channel), json_lines=json_lines)


@channel.command("test")
@directory
@as_json
@click.argument("channel")
def test_channel(folder: Path, channel: str, json_lines: bool) -> None:
    """Send a test notice now, past policies and silences, and say what became of it. Exit status 1: it failed."""
    import asyncio

    from cloud_bridge.runtime.administer.trying import try_channel

    with opened(folder) as office:
        tried = asyncio.run(try_channel(office, channel))
    if json_lines:
        click.echo(msgspec.json.encode(tried))
    elif tried.sent:
        click.echo(f"sent by {tried.channel} in {tried.took_ms} ms")
    else:
        hint = "; another try may do" if tried.again else ""
        click.echo(f"not sent by {tried.channel}: {one_line(tried.why, LINE_CHARS)}{hint}", err=True)
    if not tried.sent:
        sys.exit(1)


@channel.command("new-key")
@directory
def new_key(folder: Path) -> None:
    """Make a new key that encrypts channels' targets, and encrypt with it all that the old ones can read.

    The old ones stay in the key file, below it.
    """
    from cloud_bridge.runtime.administer.sealing import new_channel_key

    done, lost = new_channel_key(folder)
    click.echo(f"{done} targets are encrypted with the new key")
    if lost:
        click.echo(f"set these again, nobody can read them: {', '.join(lost)}", err=True)
        sys.exit(1)


GROUPS = (channel,)
"""The commands of this module."""
