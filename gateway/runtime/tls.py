"""The gateway's side of TLS: its certificate, and whom it takes for the broker (S12)."""

from __future__ import annotations

import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.errors import CannotStart
from gateway.settings import Tls

OTHERS = stat.S_IRWXG | stat.S_IRWXO
NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME (X509_VERIFY_PARAM_set_flags(3)); the module ssl has no name for it."""


class _ClosedOnFailure(ssl.SSLSocket):
    """paho forgets a socket whose handshake failed, and a file descriptor with it until it is collected."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except (OSError, ValueError):
            self.close()
            raise


class _Patient(ssl.SSLContext):
    """Whether dates are judged is decided anew for each connection: a Pi comes up without a clock, and its alarms must
    get through all the same. Who the other one is, and for what its certificate is made, is judged always."""

    clock_is_right: Callable[[], bool]

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        judged = self.verify_flags & ~NO_CHECK_TIME
        self.verify_flags = ssl.VerifyFlags(judged if self.clock_is_right() else judged | NO_CHECK_TIME)
        return super().wrap_socket(sock, *arguments, **options)


def trusting(authority: str, clock_is_right: Callable[[], bool]) -> ssl.SSLContext:
    """TLS 1.2 or newer with a server whose certificate comes from `authority`, PEM, and names its host. Its dates count
    as long as the clock is right. Raises ValueError, ssl.SSLError."""
    context = _Patient(ssl.PROTOCOL_TLS_CLIENT)
    context.clock_is_right = clock_is_right
    context.sslsocket_class = _ClosedOnFailure
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authority)
    return context


def client_context(tls: Tls, clock_is_right: Callable[[], bool] = lambda: True) -> ssl.SSLContext:
    """For connections to the broker, with our certificate. Raises CannotStart."""
    if problem := key_problem(tls.key):
        raise CannotStart(problem)
    try:
        context = trusting(read_pem(tls.ca), clock_is_right)
    except (OSError, ValueError) as error:
        raise CannotStart(f"{tls.ca}: no authority's certificate can be read: {_why(error)}") from error
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        both = f"{tls.certificate} and {tls.key}"
        raise CannotStart(f"{both}: not a certificate and its key: {_why(error)}") from error
    return context


def read_pem(path: Path) -> str:
    """What stands beside the certificates may be in any language. Raises OSError."""
    return path.read_text(encoding="ascii", errors="ignore")


def key_problem(key: Path) -> str | None:
    """What is wrong with the key file's mode, and what would be right."""
    try:
        mode = stat.S_IMODE(key.stat().st_mode)
    except OSError as error:
        return f"{key}: can't be read: {error.strerror}"
    if mode & OTHERS:
        return f"{key}: mode {mode:04o} lets others use the key; make it 0600: chmod 600 {key}"
    return None


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
