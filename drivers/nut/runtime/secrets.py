"""What is secret or must be trusted on the way to upsd: the password's file, the authority's file."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path

from drivers.errors import BadUrl
from drivers.nut.options import NAME_LIMIT, Options, Tls

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_password(url: str, path: str) -> str:
    """The first line of a file that nobody but its owner may touch (0600). Raises BadUrl."""
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode) or mode & OTHERS:
                raise BadUrl(url, f"password_file {path}: mode {stat.S_IMODE(mode):04o}; say: chmod 600 {path}")
            first = file.read(4 * NAME_LIMIT + 2).partition(b"\n")[0].rstrip(b"\r").decode("utf-8")
    except OSError as error:
        raise BadUrl(url, f"password_file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadUrl(url, f"password_file {path}: not UTF-8 text") from None
    if not first.isprintable() or not 0 < len(first) <= NAME_LIMIT:
        raise BadUrl(url, f"password_file {path}: its first line must be 1 to {NAME_LIMIT} printable characters")
    return first


def tls_context(url: str, options: Options) -> ssl.SSLContext | None:
    """Checks chain and host name where the URL names an authority; else it only encrypts, as NUT's own clients do. None
    for tls=no. Raises BadUrl.
    """
    if options.tls is Tls.NO:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        context.load_verify_locations(cafile=options.ca)
    except ssl.SSLError:
        raise BadUrl(url, f"ca {options.ca}: no certificate in PEM form") from None
    except OSError as error:
        raise BadUrl(url, f"ca {options.ca}: {error.strerror}") from None
    return context
