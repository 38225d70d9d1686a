"""A short-lived process, `python -m gateway.runtime.renew`: looks at the gateway's certificates, gets a new one if it
is asked to. What it needs of memory, twice in a quarter of a year, the gateway itself does without.

On standard input a `Task`, on standard output an `Outcome`, both JSON.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509

from gateway import enrolment
from gateway.errors import NotEnrolled
from gateway.renewal import Outcome, Task
from gateway.runtime import pair
from gateway.runtime.https import endpoint_of
from gateway.runtime.keys import load_certificate, load_key, new_key
from gateway.runtime.tls import read_pem
from gateway.settings import Tls
from gateway.wire import enrolment as wire


def perform(task: Task) -> Outcome:
    trouble, refused = "", False
    if task.renew:
        try:
            renew(task.gateway, task.tls, task.renew)
        except NotEnrolled as error:
            trouble, refused = str(error), error.word == wire.Why.REFUSED
        except OSError as error:
            trouble = f"{error.filename}: {error.strerror}"
    new_ends_at = _ends_at(pair.beside(task.tls).certificate) if pair.is_waiting(task.tls) else None
    return Outcome(_ends_at(task.tls.certificate), new_ends_at, trouble, refused)


def renew(gateway: str, tls: Tls, url: str) -> None:
    """A new pair beside the one in use. It is asked for by the newest that there is. Raises NotEnrolled, OSError."""
    if tls.issuer is None:
        raise NotEnrolled("tls.issuer", "is not in the settings: whom a new certificate must come from is not known")
    issuer = enrolment.issuer_of(read_pem(tls.issuer), str(tls.issuer), load_certificate(tls.ca))
    new = pair.beside(tls)
    shown = new if pair.is_waiting(tls) else tls
    if shown is tls:
        new.certificate.unlink(missing_ok=True)
    certificate, key, wanted = load_certificate(shown.certificate), load_key(shown.key), new_key(tls)
    asked = enrolment.renewal(gateway, wanted, certificate, key)
    issued = endpoint_of(url, tls).post(wire.RENEW, asked, wire.Issued)
    renewed = enrolment.accepted(issued.certificate, url, gateway, wanted, issuer)
    enrolment.check_longer(url, renewed, certificate)
    pair.keep(new.certificate, enrolment.pem(renewed).encode(), pair.CERTIFICATE_MODE)


def _ends_at(path: Path) -> datetime | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def main() -> None:
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task, dec_hook=lambda kind, value: kind(value))
    sys.stdout.buffer.write(msgspec.json.encode(perform(task)))


if __name__ == "__main__":
    main()
