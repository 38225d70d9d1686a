"""`ridethrough sim`: run a simulated Smart-UPS, and steer it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import msgspec

from config.errors import SettingsError
from config.runtime.files import load
from drivers.capture import parse
from drivers.capture.model import Capture
from simulator.bootloader.hardware import running, sayable
from simulator.bootloader.image import HEADER_BYTES, MAX_BODY_BYTES, image, sample_body
from simulator.control import VERBS
from simulator.errors import AddressError, ControlError, ModelError
from simulator.modbus.settings import Personality, WireSettings
from simulator.model import Model
from simulator.models import DEFAULT_MODEL, DEFAULT_UPSLINK_MODEL, MODELS, find_model
from simulator.runtime import bench
from simulator.runtime.ctl import ask
from simulator.runtime.engine import Engine
from simulator.runtime.replay import replay
from simulator.scenario import Scenario
from simulator.show import show
from simulator.upslink.settings import UpsLinkSettings

TEXT_LENGTH = 16
"""Characters of a serial number or a name: eight registers."""
DEFAULT_TCP, DEFAULT_CONTROL = "127.0.0.1:5020", "127.0.0.1:5021"
MAX_TOKEN_BYTES = 1024
_FACTORS = {"k": 1024, "m": 1024 * 1024}


@click.group()
def sim() -> None:
    """Run or steer a simulated Smart-UPS."""


@sim.command()
@click.option(
    "--modbus-tcp", multiple=True, metavar="HOST:PORT", help="Serve Modbus TCP there; port 0 is any free one."
)
@click.option(
    "--modbus-rtu",
    multiple=True,
    metavar="LINK",
    help="Serve Modbus RTU on a pty with a symbolic link at LINK.",
)
@click.option(
    "--upslink",
    multiple=True,
    metavar="LINK",
    help="Serve UPS-Link on a pty with a symbolic link at LINK.",
)
@click.option(
    "--control",
    multiple=True,
    metavar="HOST:PORT",
    help="Obey control lines there (loopback only, or with a token).",
)
@click.option(
    "--control-token",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the token that control clients must show.",
)
@click.option(
    "--scenario",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML file of timed control lines.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0.001, 10_000),
    default=1.0,
    show_default=True,
    help="Simulated seconds in a real one.",
)
@click.option(
    "--model",
    help="Which Smart-UPS; `sim models` lists them."
    f"  [default: {DEFAULT_MODEL}; with --upslink {DEFAULT_UPSLINK_MODEL}]",
)
@click.option(
    "--personality",
    type=click.Choice([each.value for each in Personality]),
    help="Whose Modbus server answers: the UPS's own or a management card's.  [default: the model's]",
)
@click.option("--serial", default="AS0000000001", show_default=True, help="Serial number, at most 16 characters.")
@click.option("--name", help="The name its owner gave it, at most 16 characters.  [default: the model's]")
@click.option(
    "--answer-ms", type=click.IntRange(0, 60_000), help="How long it takes to answer.  [default: the model's]"
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Makes readings wander like real ones; 0 keeps them still.",
)
@click.option(
    "--replay",
    "recording",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Serve what `ridethrough record` stored in this file, in place of a simulated unit.",
)
@click.option("--read-only", is_flag=True, help="TCP refuses writes, as the menu's Read-Only does.")
@click.option(
    "--load",
    "load_pct",
    type=click.FloatRange(0, 300),
    default=25.0,
    show_default=True,
    help="Load at the start, percent of the rated watts.",
)
@click.option(
    "--charge",
    "charge_pct",
    type=click.FloatRange(0, 100),
    default=100.0,
    show_default=True,
    help="Battery charge at the start, percent.",
)
def run(
    modbus_tcp: tuple[str, ...],
    modbus_rtu: tuple[str, ...],
    upslink: tuple[str, ...],
    control: tuple[str, ...],
    control_token: Path | None,
    scenario: Path | None,
    recording: Path | None,
    personality: str | None,
    answer_ms: int | None,
    read_only: bool,
    model: str | None,
    **start: Any,  # Any: the options that Engine takes under the same names
) -> None:
    """Run one simulated unit until it is stopped by Ctrl-C or SIGTERM.

    Each listener prints `ready: NAME ADDRESS` once it serves. With no listener named it serves Modbus TCP on
    127.0.0.1:5020 and the control port on 127.0.0.1:5021.
    """
    if not (modbus_tcp or modbus_rtu or upslink or control):
        modbus_tcp, control = (DEFAULT_TCP,), () if recording else (DEFAULT_CONTROL,)
        steered = "" if recording else f", control port on {DEFAULT_CONTROL}"
        click.echo(f"no listener named: Modbus TCP on {DEFAULT_TCP}{steered}", err=True)
    for what in ("serial", "name"):
        _check_text(what, start[what])
    chosen = _model(model or (DEFAULT_UPSLINK_MODEL if upslink else DEFAULT_MODEL))
    if chosen.upslink is not None and (modbus_tcp or modbus_rtu):
        raise click.UsageError(f"{chosen.key} speaks UPS-Link and no Modbus: serve it by --upslink")
    listen = bench.Listen(
        modbus_tcp=modbus_tcp,
        modbus_rtu=modbus_rtu,
        upslink=upslink,
        control=control,
        token=_token(control_token),
        personality=Personality(personality) if personality else None,
        answer_ms=answer_ms,
        read_only=read_only,
    )
    try:
        if recording is not None:
            asyncio.run(replay(_capture(recording), listen))
        else:
            asyncio.run(bench.run(Engine(chosen, scenario=_scenario(scenario, chosen), **start), listen))
    except AddressError as error:
        raise click.UsageError(str(error)) from error


def _capture(path: Path) -> Capture:
    try:
        with path.open(encoding="utf-8") as file:
            return parse.read(file.read(parse.SIZE_LIMIT + 1), str(path))
    except UnicodeDecodeError:
        raise click.BadParameter(f"{path}: not a text file", param_hint="--replay") from None
    except parse.BadCapture as error:
        raise click.BadParameter(str(error), param_hint="--replay") from None


def _model(key: str) -> Model:
    try:
        return find_model(key)
    except ModelError as error:
        raise click.BadParameter(str(error), param_hint="--model") from error


def _check_text(option: str, text: str | None) -> None:
    if text is not None and not (0 < len(text) <= TEXT_LENGTH and text.isascii() and text.isprintable()):
        hint = f"expected 1 to {TEXT_LENGTH} printable ASCII characters, got {text[:40]!r}"
        raise click.BadParameter(hint, param_hint=f"--{option}")


def _scenario(path: Path | None, model: Model) -> Scenario:
    """The scenario of that file, each line tried on a unit that nobody sees."""
    if path is None:
        return Scenario()
    scenario = load(path, Scenario)
    trial = Engine(model)
    for name in bench.wires_of(model):
        trial.add_wire(name, UpsLinkSettings() if name == bench.UPSLINK else WireSettings())
    for number, step in enumerate(scenario.steps):
        try:
            trial.obey(step.do)
        except ControlError as error:
            raise SettingsError(reason=f"{path}: steps[{number}].do: {error}") from error
    return scenario


def _token(path: Path | None) -> str | None:
    """The token in that file, which nobody but its owner may read."""
    if path is None:
        return None
    if path.stat().st_mode & 0o077:
        raise click.BadParameter(f"{path} can be read by others: chmod 600", param_hint="--control-token")
    with path.open("rb") as file:
        token = file.read(MAX_TOKEN_BYTES + 1).strip()
    if not token or len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise click.BadParameter(f"{path} holds no token: one line of ASCII", param_hint="--control-token")
    return token.decode("ascii")


@sim.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON line a model.")
def models(as_json: bool) -> None:
    """List the models that can be simulated."""
    for model in MODELS.values():
        if as_json:
            click.echo(msgspec.json.encode(model))
        else:
            click.echo(f"{model.key:15} {model.apparent_power_va:5} VA {model.real_power_w:5} W  {model.summary}")


def _size(text: str) -> int:
    """Bytes: 2000, 256k, 1M."""
    digits, factor = text, 1
    if text[-1:].lower() in _FACTORS:
        digits, factor = text[:-1], _FACTORS[text[-1].lower()]
    plain = digits.isascii() and digits.isdecimal() and len(digits) < 10
    size = int(digits) * factor if plain else 0
    if not HEADER_BYTES < size <= HEADER_BYTES + MAX_BODY_BYTES:
        least, most = HEADER_BYTES + 1, HEADER_BYTES + MAX_BODY_BYTES
        hint = f"expected {least} to {most} bytes, like 256k or 1M, got {text[:40]!r}"
        raise click.BadParameter(hint, param_hint="--size")
    return size


@sim.command(name="image")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="For which Smart-UPS; `sim models` lists them.")
@click.option("--version", required=True, help="The version that it brings, like 15.6 (UPS-Link: a revision, like 19).")
@click.option("--from", "least", default="0", show_default=True, help="The least version that it can be put on.")
@click.option("--size", default="256k", show_default=True, help="Bytes of the file; 64k, 1M.")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def make_image(model: str, version: str, least: str, size: str, out: Path) -> None:
    """Make a firmware image that a simulated unit takes.

    The same options make the same bytes. It is the simulator's own format; no real Smart-UPS takes it.
    """
    chosen = _model(model)
    runs = running(chosen, chosen.firmware)
    if runs is None:
        raise click.UsageError(f"{chosen.key} has no boot loader: its firmware is fixed")
    for option, text in (("--version", version), ("--from", least)):
        if not sayable(chosen, text):
            hint = f"{chosen.key} counts revisions, without a dot; got {text[:40]!r}"
            raise click.BadParameter(hint, param_hint=option)
    body = sample_body(runs.hardware_id, version, _size(size) - HEADER_BYTES)
    try:
        out.write_bytes(image(runs.hardware_id, version, body, least_version=least))
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error


_VERB_HELP = "\b\nVerbs:\n" + "\n".join(f"  {name} {verb.usage}\n      {verb.help}" for name, verb in VERBS.items())


@sim.command(context_settings={"ignore_unknown_options": True}, epilog=_VERB_HELP)
@click.option(
    "--control", default=DEFAULT_CONTROL, show_default=True, metavar="HOST:PORT", help="The unit's control port."
)
@click.option(
    "--token",
    "token_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the port's token.",
)
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
@click.argument("words", nargs=-1, required=True, metavar="VERB ...")
def ctl(control: str, token_file: Path | None, as_json: bool, words: tuple[str, ...]) -> None:
    """Say one control line to a running unit, and show what it answers."""
    answer = ask(control, " ".join(words), _token(token_file))
    for line in show(words[0].lower(), answer, as_json=as_json):
        click.echo(line)
