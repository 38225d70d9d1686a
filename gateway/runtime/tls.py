"""The gateway's side of TLS: its certificate, and whom it takes for the broker (S12)."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from gateway.errors import CannotStart
from gateway.settings import Tls

OTHERS = stat.S_IRWXG | stat.S_IRWXO


class _ClosedOnFailure(ssl.SSLSocket):
    """paho forgets a socket whose handshake failed, and a file descriptor with it until it is collected."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except (OSError, ValueError):
            self.close()
            raise


def client_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or newer, our certificate, the broker's host name checked. Raises CannotStart."""
    if problem := key_problem(tls.key):
        raise CannotStart(problem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _ClosedOnFailure
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise CannotStart(f"{tls.ca}: no authority's certificate can be read: {_why(error)}") from error
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        both = f"{tls.certificate} and {tls.key}"
        raise CannotStart(f"{both}: not a certificate and its key: {_why(error)}") from error
    return context


def key_problem(key: Path) -> str | None:
    """What is wrong with the key file's mode, and what would be right."""
    try:
        mode = stat.S_IMODE(key.stat().st_mode)
    except OSError as error:
        return f"{key}: can't be read: {error.strerror}"
    if mode & OTHERS:
        return f"{key}: mode {mode:04o} lets others use the key; make it 0600: chmod 600 {key}"
    return None


def _why(error: OSError) -> str:
    return error.strerror or getattr(error, "reason", None) or str(error)
