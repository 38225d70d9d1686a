"""Which certificates are good no more: the revocation list beside the broker, read again when it changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_bridge.errors import BrokerFailed

LOOK_S = 0.5

logger = logging.getLogger("cloud_bridge.broker")

_Seen = tuple[int, int, int]


class Revoked:
    """`authority`: who has to have signed the list. Raises BrokerFailed if there is one that can't be used.

    Without a file nobody is revoked: a cloud of an earlier version has none yet, and alarms go before.
    """

    def __init__(self, path: Path, authority: x509.Certificate) -> None:
        self._path = path
        self._authority = authority
        self._seen: _Seen | None = None
        self._serials: frozenset[int] = frozenset()
        self._look()
        if self._seen is None:
            logger.warning("%s: no such file: nobody is revoked; `ridethrough cloud run` makes it", path)

    def __contains__(self, serial_number: object) -> bool:
        return serial_number in self._serials

    async def watch(self, looked: Callable[[], None]) -> None:
        """Looks for ever; `looked` is called each time. A list that can't be used leaves the last one in force."""
        told = ""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if self._look():
                    logger.info("%s: %d certificates are revoked", self._path, len(self._serials))
                told = ""
            except BrokerFailed as error:
                if str(error) != told:
                    logger.error("%s; the last one that could be read stays in force", error)
                told = str(error)
            looked()

    def _look(self) -> bool:
        """Whether there was something new to read. Raises BrokerFailed."""
        try:
            seen = _seen(self._path)
            if seen == self._seen:
                return False
            self._serials = _serials(self._path.read_bytes(), self._authority)
        except FileNotFoundError:
            if self._seen is None:
                return False
            raise BrokerFailed(f"{self._path}: it was there, and is gone") from None
        except (OSError, ValueError, TypeError) as error:
            raise BrokerFailed(f"{self._path}: can't be used: {error}") from error
        self._seen = seen
        return True


def _seen(path: Path) -> _Seen:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def _serials(content: bytes, authority: x509.Certificate) -> frozenset[int]:
    found, key = x509.load_pem_x509_crl(content), authority.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not found.is_signature_valid(key):
        raise ValueError("not signed by the gateways' authority")
    return frozenset(each.serial_number for each in found)
