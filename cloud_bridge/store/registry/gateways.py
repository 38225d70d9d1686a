"""Gateways and their certificates. Each function works inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from cloud_bridge.register import Certificate, Gateway
from cloud_bridge.store.registry.errors import UnknownGateway
from cloud_bridge.store.registry.schema import certificates, gateways, tokens


def register(connection: Connection, name: str, now: int) -> bool:
    """Makes it known; False if it was. Until the transaction ends nobody else changes anything of it."""
    known = select(gateways.c.name).where(gateways.c.name == name).with_for_update()
    if connection.execute(known).first():
        return False
    connection.execute(insert(gateways).values(name=name, created_at=now))
    return True


def find(connection: Connection, name: str) -> Gateway:
    """Raises UnknownGateway."""
    found = listed(connection, 0, gateways.c.name == name)
    if not found:
        raise UnknownGateway(name)
    return found[0]


def listed(connection: Connection, now: int, *wanted: ColumnElement[bool]) -> list[Gateway]:
    """All, or those that are `wanted`, by name; tokens that have run out by `now` are left out."""
    newest = certificates.c.replaced_by.is_(None) & certificates.c.revoked_at.is_(None)
    unused = tokens.c.used_at.is_(None) & (tokens.c.expires_at > now)
    of_it = certificates.c.gateway == gateways.c.name
    counted = select(func.count()).select_from(certificates).where(of_it).scalar_subquery()
    ends = select(func.max(certificates.c.expires_at)).where(of_it, newest).scalar_subquery()
    token = select(func.max(tokens.c.expires_at)).where(tokens.c.gateway == gateways.c.name, unused).scalar_subquery()
    query = select(gateways, counted.label("certificates"), ends.label("expires_at"), token.label("token_until")).where(
        *wanted
    )
    rows = connection.execute(query.order_by(gateways.c.name)).mappings()
    return [Gateway(**row) for row in rows]


def revoke(connection: Connection, name: str, why: str, now: int) -> None:
    """Ends it, every certificate it has, and every token that waits. Again it changes nothing but the reason.

    Raises UnknownGateway.
    """
    since = find(connection, name).revoked_at or now
    connection.execute(update(gateways).where(gateways.c.name == name).values(revoked_at=since, revoked_why=why))
    of_it = (certificates.c.gateway == name) & certificates.c.revoked_at.is_(None)
    connection.execute(update(certificates).where(of_it).values(revoked_at=since))
    connection.execute(delete(tokens).where(tokens.c.gateway == name, tokens.c.used_at.is_(None)))


def restore(connection: Connection, name: str, now: int) -> None:
    """Takes the revocation back, also of the certificates that it ended. Raises UnknownGateway.

    Those of an earlier one stay out: somebody may have stolen their keys before the gateway enrolled anew.
    """
    since = find(connection, name).revoked_at
    if since is None:
        return
    readmit(connection, name)
    of_it = (certificates.c.gateway == name) & (certificates.c.revoked_at == since)
    connection.execute(update(certificates).where(of_it).values(revoked_at=None, restored_at=max(now, since)))


def readmit(connection: Connection, name: str) -> bool:
    """Makes its word count again, with the certificates that are still good; False if it did already."""
    of_it = (gateways.c.name == name) & gateways.c.revoked_at.is_not(None)
    changed = connection.execute(update(gateways).where(of_it).values(revoked_at=None, revoked_why=None))
    return changed.rowcount > 0


def record(connection: Connection, certificate: Certificate) -> None:
    """Keeps a new certificate as its gateway's newest."""
    connection.execute(insert(certificates).values(**msgspec.structs.asdict(certificate)))
    others = (certificates.c.gateway == certificate.gateway) & certificates.c.replaced_by.is_(None)
    connection.execute(
        update(certificates)
        .where(others, certificates.c.serial_number != certificate.serial_number)
        .values(replaced_by=certificate.serial_number)
    )


def adopt(connection: Connection, certificate: Certificate) -> bool:
    """Keeps one that is not known though we signed it, older than any that is; False if it is known."""
    if by_fingerprint(connection, certificate.fingerprint):
        return False
    newest = newest_of(connection, certificate.gateway)
    older = msgspec.structs.replace(certificate, replaced_by=newest.serial_number if newest else None)
    connection.execute(insert(certificates).values(**msgspec.structs.asdict(older)))
    return True


def by_fingerprint(connection: Connection, fingerprint: str) -> Certificate | None:
    return _one(connection, certificates.c.fingerprint == fingerprint)


def newest_of(connection: Connection, gateway: str) -> Certificate | None:
    return _one(connection, certificates.c.gateway == gateway, certificates.c.replaced_by.is_(None))


def newest_for_key(connection: Connection, gateway: str, public_key_digest: str) -> Certificate | None:
    """The last that was issued to the gateway for this key."""
    of_key = certificates.c.public_key_digest == public_key_digest
    return _one(connection, certificates.c.gateway == gateway, of_key)


def issued_since(connection: Connection, gateway: str, since: int) -> int:
    counted = select(func.count()).select_from(certificates)
    wanted = (certificates.c.gateway == gateway) & (certificates.c.issued_at > since)
    return int(connection.execute(counted.where(wanted)).scalar_one())


def revoked_serials(connection: Connection) -> Mapping[int, int]:
    """Serial numbers of revoked certificates, with the instant since when."""
    query = select(certificates.c.serial_number, certificates.c.revoked_at)
    rows = connection.execute(query.where(certificates.c.revoked_at.is_not(None)))
    return {int(serial, 16): since for serial, since in rows}


def forgotten(connection: Connection, listed: Mapping[int, int]) -> Mapping[int, int]:
    """Of revocations that were published, with the instant since when: those that nobody took back, and that this
    registry knows nothing of, since it was restored from before them."""
    columns = (certificates.c.serial_number, certificates.c.restored_at)
    named = certificates.c.serial_number.in_([format(serial, "x") for serial in listed])
    rows = connection.execute(select(*columns).where(named, certificates.c.revoked_at.is_(None)))
    return {int(serial, 16): listed[int(serial, 16)] for serial, at in rows if (at or 0) < listed[int(serial, 16)]}


def remember(connection: Connection, revoked: Mapping[int, int]) -> None:
    """Takes in what was `forgotten`. The gateway itself is not out: it may have enrolled anew since."""
    for serial, since in revoked.items():
        of_it = certificates.c.serial_number == format(serial, "x")
        connection.execute(update(certificates).where(of_it).values(revoked_at=since))


def known_serials(connection: Connection) -> frozenset[int]:
    """Serial numbers of all certificates."""
    return frozenset(int(each, 16) for each in connection.execute(select(certificates.c.serial_number)).scalars())


def _one(connection: Connection, *wanted: ColumnElement[bool]) -> Certificate | None:
    """The newest that is wanted: the one that nothing replaced, else the last issued."""
    order = (certificates.c.replaced_by.is_(None).desc(), certificates.c.issued_at.desc())
    row = connection.execute(select(certificates).where(*wanted).order_by(*order).limit(1)).mappings().first()
    return Certificate(**row) if row else None
