"""Passphrases of keys: from a prompt or a file, never from the command line, where every process can read them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cloud_bridge.errors import NotAFolder
from cloud_bridge.firmware.errors import BadKey
from cloud_bridge.runtime.keys import check_private, read
from gateway.wire.limits import PEM_LENGTH


def for_new_keys(wanted: bool, file: Path | None) -> bytes | None:
    """None to leave them unencrypted. Raises BadKey, click.Abort."""
    if file is not None:
        return _from(file)
    if not wanted:
        return None
    _need_a_person("the passphrase of the new keys")
    said: str = click.prompt("Passphrase for the new keys", hide_input=True, confirmation_prompt=True, err=True)
    return said.encode()


def of_key(key: Path, file: Path | None) -> bytes:
    """Of a key that is encrypted. Raises BadKey, click.Abort."""
    if file is not None:
        return _from(file)
    _need_a_person(f"the passphrase of {key}")
    said: str = click.prompt(f"Passphrase of {key}", hide_input=True, err=True)
    return said.encode()


def _need_a_person(what: str) -> None:
    if not sys.stdin.isatty():
        raise BadKey(f"nobody to ask for {what}: name a file by --passphrase-file")


def _from(file: Path) -> bytes:
    """Its first line."""
    try:
        check_private(file)
        lines = read(file)[:PEM_LENGTH].splitlines()
    except NotAFolder as error:
        raise BadKey(str(error)) from None
    if not lines or not lines[0]:
        raise BadKey(f"{file}: its first line, which is the passphrase, is empty")
    return lines[0]
