"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "registry_0001"
down_revision: str | None = None


def upgrade() -> None:
    op.create_table(
        "gateways",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("revoked_why", sa.Text),
    )
    _tokens()
    _certificates()
    _claims()
    _commands()
    changes = op.create_table(
        "changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="changes_one_row"),
    )
    op.bulk_insert(changes, [{"id": 1, "version": 1}])


def _gateway() -> sa.Column[str]:
    return sa.Column("gateway", sa.String(32), sa.ForeignKey("gateways.name"), nullable=False)


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        _gateway(),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
        sa.Column("public_key_digest", sa.String(64)),
    )


def _certificates() -> None:
    op.create_table(
        "certificates",
        sa.Column("serial_number", sa.String(40), primary_key=True),
        _gateway(),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False, unique=True),
        sa.Column("public_key_digest", sa.String(64), nullable=False),
        sa.Column("pem", sa.Text, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("replaced_by", sa.String(40), sa.ForeignKey("certificates.serial_number")),
    )
    op.create_index("certificates_of_a_gateway", "certificates", ["gateway", "issued_at"])
    op.create_index("certificates_of_a_key", "certificates", ["public_key_digest"])


def _claims() -> None:
    op.create_table(
        "claims",
        sa.Column("digest", sa.String(64), primary_key=True),
        _gateway(),
        sa.Column("unit", sa.String(32)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
    )
    op.create_index("claims_of_a_gateway", "claims", ["gateway", "created_at"])


def _commands() -> None:
    op.create_table(
        "commands",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("gateway", sa.String(32), nullable=False),
        sa.Column("unit", sa.String(32), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("verb", sa.String(64), nullable=False),
        sa.Column("by_role", sa.String(64), nullable=False),
        sa.Column("by_name", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("challenge", sa.String(32)),
        sa.Column("envelope", sa.LargeBinary),
        sa.Column("stage", sa.String(16)),
        sa.Column("reason", sa.String(64)),
        sa.Column("detail", sa.Text),
        sa.Column("outcome", sa.String(64)),
        sa.Column("ended_at", sa.BigInteger),
        sa.CheckConstraint("state IN ('wanted', 'challenged', 'signed', 'ended')", name="commands_state"),
    )
    op.create_index("commands_by_state", "commands", ["state", "gateway"])
