"""The registry's tables, as the last step of `migrations` leaves them. Instants are UTC milliseconds.

Nothing secret is in here: tokens and claim codes are kept as their SHA-256 (S11).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

STEPS = ("registry_0001", "registry_0002", "registry_0003")
"""Every step of the schema, first to last; a test holds them against `migrations`."""

metadata = MetaData()


def _gateway() -> Column[str]:
    return Column("gateway", String(32), ForeignKey("gateways.name"), nullable=False)


gateways = Table(
    "gateways",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("revoked_why", Text),
)

# An enrolment token; `public_key_digest`: of the key that used it, which may ask again.
tokens = Table(
    "tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    _gateway(),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("public_key_digest", String(64)),
)

# `serial_number`: hexadecimal digits; `fingerprint`: SHA-256 of the DER; `replaced_by`: the serial number of the
# certificate that this one was last renewed to; `pem`: to be given out again when an answer was lost; `restored_at`:
# when its revocation was taken back, which tells that from a database that was restored from before the revocation.
certificates = Table(
    "certificates",
    metadata,
    Column("serial_number", String(40), primary_key=True),
    _gateway(),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("public_key_digest", String(64), nullable=False),
    Column("pem", Text, nullable=False),
    Column("revoked_at", BigInteger),
    Column("replaced_by", String(40), ForeignKey("certificates.serial_number")),
    Column("restored_at", BigInteger),
    Index("certificates_of_a_gateway", "gateway", "issued_at"),
    Index("certificates_of_a_key", "public_key_digest"),
)

# A code by which an owner claims a gateway's units, or one of them.
claims = Table(
    "claims",
    metadata,
    Column("digest", String(64), primary_key=True),
    _gateway(),
    Column("unit", String(32)),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Index("claims_of_a_gateway", "gateway", "created_at"),
)

# An order to a unit, from being wanted to its outcome; `envelope` is what was signed, as it is published.
commands = Table(
    "commands",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("gateway", String(32), nullable=False),
    Column("unit", String(32), nullable=False),
    Column("serial", String(64), nullable=False),
    Column("verb", String(64), nullable=False),
    Column("by_role", String(64), nullable=False),
    Column("by_name", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("challenge", String(32)),
    Column("envelope", LargeBinary),
    Column("stage", String(16)),
    Column("reason", String(64)),
    Column("detail", Text),
    Column("outcome", String(64)),
    Column("ended_at", BigInteger),
    CheckConstraint("state IN ('wanted', 'challenged', 'signed', 'ended')", name="commands_state"),
    Index("commands_by_state", "state", "gateway"),
)

# One row: raised by every transaction that another process has to notice (revocations, commands).
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="changes_one_row"),
)
