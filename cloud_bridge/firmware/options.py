"""Options of `ridethrough firmware add`: all that a signer says of an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from cloud_bridge.firmware.release import Wish
from gateway.wire import limits
from gateway.wire.firmware import After, Before, Method, OutputMode, Recover, Transfer

Command = TypeVar("Command", bound=Callable[..., object])

_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_MODES = click.Choice([mode.value for mode in OutputMode])
_METHODS = click.Choice([method.value for method in Method])


def _number(name: str, default: int, text: str) -> Callable[[Command], Command]:
    return click.option(name, type=int, default=default, show_default=True, help=text)


_WHAT = (
    click.option(
        "--hardware-id",
        "hardware_ids",
        multiple=True,
        required=True,
        help="Its model: product id (register 512) as 18, or upslink-50. More than one for a reissue only.",
    ),
    click.option("--version", required=True, help="What the unit says afterwards, without `UPS `: 15.6."),
    click.option(
        "--from",
        "from_versions",
        metavar="A..B",
        multiple=True,
        required=True,
        help="Versions it may be put on, both ends included; repeatable.",
    ),
    click.option(
        "--output",
        multiple=True,
        required=True,
        type=_MODES,
        help="What the model allows of its output meanwhile; repeatable.",
    ),
    click.option("--counter", type=click.IntRange(1), help="Release counter; by default one above the last."),
    click.option("--name", help="Last part of its path; by default the image's file name."),
    click.option("--step-before", metavar="PATH", help="The release that any other version has to get first."),
    click.option("--reissues", metavar="SHA256", help="Old code anew: digest of its image. Two have to sign."),
    click.option("--notes", type=_FILE, help="A text file for the unit's owner."),
    click.option("--source", type=_FILE, help="The vendor's file; its digest is kept."),
)
_HOW = (
    click.option("--method", type=_METHODS, default=Transfer().method.value, show_default=True),
    _number("--max-s", Transfer().max_s, "The whole transfer."),
    _number("--quiet-s", Transfer().quiet_s, "Longest silence of the unit, as while it erases."),
    _number("--charge", Before().charge_pct, "Least charge before, percent."),
    _number("--runtime-s", Before().runtime_s, "Least runtime before."),
    _number("--load", Before().load_pct, "Highest load before, percent."),
    _number("--mains-stable-s", Before().mains_stable_s, "How long mains have to be good before."),
    _number("--boot-s", After().boot_s, "Longest start of the new version."),
    _number("--settle-s", After().settle_s, "Until when it has to read sane."),
    _number("--again", Recover().same_image, "How often a transfer that broke is begun again."),
    click.option("--fallback", metavar="PATH", help="The release that is sent after that."),
    _number("--chunk", limits.CHUNK_BYTES, "Bytes that a gateway fetches at once."),
)


def release(command: Command) -> Command:
    """All of them; the command gets them by their names, for `wish`."""
    return reduce(lambda decorated, option: option(decorated), reversed((*_WHAT, *_HOW)), command)


def wish(image_name: str, said: Mapping[str, Any], notes: str, source_sha256: str | None) -> Wish:
    return Wish(
        hardware_ids=tuple(dict.fromkeys(said["hardware_ids"])),
        version=said["version"],
        from_versions=said["from_versions"],
        output=tuple(dict.fromkeys(said["output"])),
        name=said["name"] or image_name,
        release_counter=said["counter"],
        step_before=said["step_before"],
        reissues=said["reissues"].lower() if said["reissues"] else None,
        chunk=said["chunk"],
        transfer=Transfer(method=Method(said["method"]), max_s=said["max_s"], quiet_s=said["quiet_s"]),
        before=Before(
            charge_pct=said["charge"],
            runtime_s=said["runtime_s"],
            load_pct=said["load"],
            mains_stable_s=said["mains_stable_s"],
        ),
        after=After(boot_s=said["boot_s"], settle_s=said["settle_s"]),
        recover=Recover(same_image=said["again"], fallback=said["fallback"]),
        notes=notes,
        source_sha256=source_sha256,
    )
