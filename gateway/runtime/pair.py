"""The gateway's certificate and its key on disk. A new pair lies beside the one in use until it has worked.

| beside the pair in use | what it means |
|---|---|
| a new key | asked for: the same is asked for again, so that no answer can get lost |
| a new key and its certificate | to be tried |
| a new certificate alone | it was taking its place when the power went: its key is there already |

Each step is a rename and is on the disk before the next one begins, so that kill -9 leaves one of these.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import msgspec

from gateway.settings import Tls

CERTIFICATE_MODE = 0o644
KEY_MODE = 0o600


def beside(tls: Tls) -> Tls:
    """Where a new pair lies: gateway-new.pem beside gateway.pem."""
    return msgspec.structs.replace(tls, certificate=_new(tls.certificate), key=_new(tls.key))


def is_waiting(tls: Tls) -> bool:
    """Whether a new pair is there to be tried."""
    new = beside(tls)
    return new.certificate.exists() and new.key.exists()


def in_use(tls: Tls) -> Tls:
    """Where the pair in use is found, its taking of place cut short or not."""
    new = beside(tls)
    half_way = msgspec.structs.replace(tls, certificate=new.certificate)
    if new.certificate.exists() and not new.key.exists() and not _fits(tls) and _fits(half_way):
        return half_way
    return tls


def settle(tls: Tls) -> bool:
    """Bring what was cut short to its end; whether anything was. Raises OSError."""
    found = in_use(tls)
    if found.certificate == tls.certificate:
        return False
    _rename(found.certificate, tls.certificate)
    return True


def take(tls: Tls) -> None:
    """The new pair takes the old one's place; again, if the disk took only half of it before. Raises OSError."""
    new = beside(tls)
    if new.key.exists():
        _rename(new.key, tls.key)
    _rename(new.certificate, tls.certificate)


def keep(path: Path, content: bytes, mode: int) -> None:
    """Who reads `path` sees the old content or the new, never a part. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, KEY_MODE)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _rename(part, path)


def _new(path: Path) -> Path:
    return path.with_stem(f"{path.stem}-new")


def _fits(tls: Tls) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(tls.certificate, tls.key)
    except (OSError, ValueError):
        return False
    return True


def _rename(source: Path, target: Path) -> None:
    source.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
