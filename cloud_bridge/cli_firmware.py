"""`ridethrough firmware`: the repository of releases, its keys and signatures, and why a unit would refuse one."""

from __future__ import annotations

import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from cloud_bridge.cli_options import as_json
from cloud_bridge.firmware import options
from config.text import one_line
from gateway.wire import limits

if TYPE_CHECKING:
    from cloud_bridge.firmware.release import Wish
    from cloud_bridge.runtime.firmware.repository import Repository
    from cloud_bridge.runtime.firmware.signing import Signed
    from drivers.ups import Identity

PIPE_COLUMNS = 240
LINE_CHARS = 500
NOTES_BYTES = 2048
SOURCE_BYTES = 2 * limits.FIRMWARE_BYTES
IDENTITY_BYTES = 64 * 1024


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def firmware() -> None:
    """Keep the repository of firmware releases: keys, releases, signatures."""


repository_folder = click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
passphrase_file = click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="The file, readable by you alone, whose first line is the passphrase; otherwise it is asked for.",
)
encrypt = click.option("--passphrase", "wanted", is_flag=True, help="Encrypt the new keys that are carried away.")


@firmware.command()
@repository_folder
@click.option("--hardware-id", "hardware_ids", multiple=True, help="A model to sign for, as 18; repeatable.")
@encrypt
@passphrase_file
def init(folder: Path, hardware_ids: tuple[str, ...], wanted: bool, passphrase_file: Path | None) -> None:
    """Make a repository with its keys, signed and published, without a release yet.

    Two of three keys sign for the root, two for the top-level targets, two for old code that is issued again, one for
    each hardware id. They belong to different people and into different places; only snapshot and timestamp stay here.
    """
    from cloud_bridge.runtime.firmware import changing, passphrases

    changing.init(folder, tuple(dict.fromkeys(hardware_ids)), passphrases.for_new_keys(wanted, passphrase_file))
    click.echo(f"made {folder}; gateways pin {folder / 'metadata' / '1.root.json'}")
    click.echo(f"carry away, to different people, and remove from here: {folder / 'keys' / 'offline'}/*.pem")
    click.echo(f"stays, and renews the repository: ridethrough firmware refresh {folder}, once a day")


@firmware.command()
@repository_folder
@click.argument("hardware_id")
@encrypt
@passphrase_file
def delegate(folder: Path, hardware_id: str, wanted: bool, passphrase_file: Path | None) -> None:
    """Make a key and a role for one more hardware id; both keys of the targets have to sign it."""
    from cloud_bridge.runtime.firmware import changing, passphrases

    repository = _open(folder)
    with repository.alone():
        path = changing.delegate(repository, hardware_id, passphrases.for_new_keys(wanted, passphrase_file))
    click.echo(f"{hardware_id}: made {path}; carry it away")
    _tell_pending(repository)


@firmware.command()
@repository_folder
@click.argument("image", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@options.release
@as_json
def add(folder: Path, image: Path, json_lines: bool, **said: Any) -> None:
    """Add a release: IMAGE, and what is true of it. It waits for signatures, then for `firmware publish`.

    Whoever signs says: these are the bytes that I got from the vendor, and they are for this model.
    """
    from cloud_bridge.firmware.wording import release_line
    from cloud_bridge.runtime.firmware import changing

    repository = _open(folder)
    wish = _wish(image, said)
    with repository.alone():
        facts = changing.add(repository, _read(image, limits.FIRMWARE_BYTES), wish)
    if json_lines:
        click.echo(msgspec.json.encode({"path": wish.path, "facts": facts}))
        return
    click.echo(release_line(wish.path, facts))
    _tell_pending(repository)


@firmware.command()
@repository_folder
@click.argument("path")
def withdraw(folder: Path, path: str) -> None:
    """Take a release back. Its counter stays used; units that have it keep it."""
    from cloud_bridge.runtime.firmware import changing

    repository = _open(folder)
    with repository.alone():
        changing.withdraw(repository, path)
    _tell_pending(repository)


@firmware.command()
@repository_folder
@click.argument("role")
def renew(folder: Path, role: str) -> None:
    """Begin the same again, good for longer: before root, targets or a hardware id's role expires."""
    from cloud_bridge.runtime.firmware import changing

    repository = _open(folder)
    with repository.alone():
        changing.renew(repository, role)
    _tell_pending(repository)


@firmware.command()
@repository_folder
@click.argument("hardware_id")
@click.argument("counter", type=click.IntRange(1))
def floor(folder: Path, hardware_id: str, counter: int) -> None:
    """Refuse every release of this hardware id whose counter is below COUNTER, on every gateway."""
    from cloud_bridge.runtime.firmware import changing

    repository = _open(folder)
    with repository.alone():
        changing.set_floor(repository, hardware_id, counter)
    _tell_pending(repository)


@firmware.command()
@repository_folder
@click.argument("role")
@click.option("--old", metavar="KEYID", help="The key that goes, or the beginning of its id; needed if there are more.")
@encrypt
@passphrase_file
def rotate(folder: Path, role: str, old: str | None, wanted: bool, passphrase_file: Path | None) -> None:
    """Make a new key for ROLE in place of one that is lost, stolen or another person's now."""
    from cloud_bridge.runtime.firmware import changing, passphrases

    repository = _open(folder)
    with repository.alone():
        path, _ = changing.rotate(repository, role, old, passphrases.for_new_keys(wanted, passphrase_file))
    click.echo(f"{role}: made {path}")
    _tell_pending(repository)


@firmware.command()
@repository_folder
@click.argument("role")
@click.option(
    "--key",
    "keys",
    required=True,
    multiple=True,
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="One of the role's keys; repeatable.",
)
@passphrase_file
def sign(folder: Path, role: str, keys: tuple[Path, ...], passphrase_file: Path | None) -> None:
    """Sign what waits under ROLE: root, targets, reissue or a hardware id. Says what that puts into force.

    Where two have to sign, each does so in turn, on the same folder or on a copy that goes from one to the other.
    """
    from cloud_bridge.runtime.firmware import passphrases, signing
    from cloud_bridge.runtime.firmware.keys import load_key

    repository = _open(folder)
    with repository.alone():
        for line in signing.changes_of(repository, role):
            click.echo(f"  {one_line(line, LINE_CHARS)}")
        for key in keys:
            signed = signing.sign(
                repository, role, load_key(key, lambda path: passphrases.of_key(path, passphrase_file))
            )
            _tell_signed(folder, signed)


@firmware.command()
@repository_folder
def publish(folder: Path) -> None:
    """Put everything that is signed into force, by the online keys; refused while a signature is missing."""
    from cloud_bridge.runtime.firmware import signing

    repository = _open(folder)
    with repository.alone():
        published = signing.publish(repository)
    click.echo(f"published: {', '.join(published) or 'nothing new; snapshot and timestamp are renewed'}")


@firmware.command()
@repository_folder
def refresh(folder: Path) -> None:
    """Renew snapshot and timestamp, by which a gateway sees that nobody holds news back. Run it once a day."""
    from cloud_bridge.runtime.firmware import signing

    repository = _open(folder)
    with repository.alone():
        until = signing.refresh(repository)
    click.echo(f"good until {until:%Y-%m-%d %H:%M} UTC")


@firmware.command("list")
@repository_folder
@as_json
def list_(folder: Path, json_lines: bool) -> None:
    """All releases: what for, on what, and whether they are in force."""
    from cloud_bridge.firmware.wording import from_versions

    repository = _open(folder)
    published = repository.published_paths()
    rows = [(path, facts, path in published) for path, facts in sorted(repository.releases().items())]
    if json_lines:
        for path, facts, is_published in rows:
            click.echo(msgspec.json.encode({"path": path, "published": is_published, "facts": facts}))
        return
    table = _table("release", "version", "counter", "on", "output", "bytes", "state")
    for path, facts, is_published in rows:
        state = "published" if is_published else "waits"
        size = str(facts.image.size)
        table.add_row(
            path, facts.version, str(facts.release_counter), from_versions(facts), " ".join(facts.output), size, state
        )
    _print(table)


@firmware.command()
@repository_folder
@as_json
def roles(folder: Path, json_lines: bool) -> None:
    """All roles: version, until when it is good, key ids, and which signatures a new version lacks."""
    from cloud_bridge.runtime.firmware.looking import roles as roles_of

    states = roles_of(_open(folder))
    if json_lines:
        for state in states:
            click.echo(msgspec.json.encode(state))
        return
    table = _table("role", "version", "good until", "keys", "waits")
    for state in states:
        until = f"{state.expires_at:%Y-%m-%d}" if state.expires_at else ""
        waits = f"{state.pending.have} of {state.pending.want} signatures" if state.pending else ""
        table.add_row(state.role, str(state.version), until, " ".join(key[:16] for key in state.keys), waits)
    _print(table)


@firmware.command()
@repository_folder
@click.argument("path")
@as_json
def show(folder: Path, path: str, json_lines: bool) -> None:
    """Everything that is signed of one release."""
    from cloud_bridge.firmware.wording import release_rows

    facts = _open(folder).release(path)
    if json_lines:
        click.echo(msgspec.json.encode(facts))
        return
    for name, value in release_rows(facts):
        click.echo(f"{name + ':':22}{value}")


@firmware.command()
@repository_folder
@click.option(
    "--root",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="The root that a gateway pinned; by default the repository's first.",
)
@as_json
def verify(folder: Path, root: Path | None, json_lines: bool) -> None:
    """Check everything that is published as a gateway would, from a pinned root alone, and the images' digests.

    Exit status 1 if a gateway would refuse any of it.
    """
    from cloud_bridge.runtime.firmware.looking import verify as look

    pinned = _read(root, limits.ROOT_METADATA_LENGTH) if root else None
    findings = look(_open(folder), pinned, datetime.now(UTC))
    for finding in findings:
        if json_lines:
            click.echo(msgspec.json.encode(finding))
        else:
            click.echo(one_line(f"{finding.what}: {finding.problem or 'right'}", LINE_CHARS))
    if any(finding.problem and finding.serious for finding in findings):
        sys.exit(1)


@firmware.command()
@repository_folder
@click.argument("path")
@click.option(
    "--unit-json",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="What the unit says of itself, as `ridethrough poll --json` prints it.",
)
@click.option("--product-id", type=int, help="Instead: register 512 of the unit.")
@click.option("--firmware", "running", help='And its firmware, as it says it: "UPS 15.0".')
@click.option("--highest-counter", type=click.IntRange(0), default=0, help="To which its gateway brought this model.")
@as_json
def explain(folder: Path, path: str, highest_counter: int, json_lines: bool, **said: Any) -> None:
    """Why a unit would refuse a release, every reason; exit status 1 if there is one.

    Judged by the gateway's own rule. What passes by itself, as mains or charge, is not looked at.
    """
    from cloud_bridge.runtime.firmware.changing import floors
    from gateway.wire.firmware_rules import objections
    from gateway.wire.firmware_versions import known

    identity = _identity(**said)
    repository = _open(folder)
    facts = repository.release(path)
    unit = known(identity)
    lowest = floors(repository).get(unit.hardware_id, 0) if unit else 0
    found = objections(facts, path, identity, highest_counter, lowest)
    for objection in found:
        if json_lines:
            click.echo(msgspec.json.encode(objection))
        else:
            click.echo(one_line(f"{objection.reason}: {objection.detail}", LINE_CHARS))
    if found:
        sys.exit(1)
    if not json_lines:
        click.echo(f"{path}: no objection")


def _open(folder: Path) -> Repository:
    from cloud_bridge.runtime.firmware.repository import Repository

    return Repository.at(folder)


def _wish(image: Path, said: dict[str, Any]) -> Wish:
    notes, source = said["notes"], said["source"]
    text = _read(notes, NOTES_BYTES).decode("utf-8", "replace") if notes else ""
    digest = hashlib.sha256(_read(source, SOURCE_BYTES)).hexdigest() if source else None
    return options.wish(image.name, said, text, digest)


def _identity(unit_json: Path | None, product_id: int | None, running: str | None) -> Identity:
    from drivers.ups import Identity

    if (unit_json is None) == (product_id is None and running is None):
        raise click.UsageError('say what the unit is: --unit-json FILE, or --firmware "UPS 15.0" with --product-id 18')
    if unit_json is None:
        return Identity(product_id=product_id, firmware=running)
    raw = _read(unit_json, IDENTITY_BYTES)
    try:
        tree = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        return msgspec.json.decode(tree.get("identity", raw), type=Identity)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise click.BadParameter(f"{unit_json}: {str(error)[:200]}", param_hint="--unit-json") from None


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise click.BadParameter(f"{path}: more than {most} bytes")
    return content


def _tell_pending(repository: Repository) -> None:
    from cloud_bridge.runtime.firmware import signing

    for signed in signing.pending(repository):
        _tell_signed(repository.folder, signed)


def _tell_signed(folder: Path, signed: Signed) -> None:
    if signed.complete:
        click.echo(
            f"{signed.role} version {signed.version}: {signed.have} of {signed.want} signatures; complete: "
            f"ridethrough firmware publish {folder}"
        )
    else:
        click.echo(
            f"{signed.role} version {signed.version}: {signed.have} of {signed.want} signatures: "
            f"ridethrough firmware sign {folder} {signed.role} --key FILE"
        )


def _table(*names: str) -> Table:
    return Table(*names, box=None, header_style="dim")


def _print(table: Table) -> None:
    # A pipe has no width: rich would fold lines at 80 columns.
    Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS).print(table)
