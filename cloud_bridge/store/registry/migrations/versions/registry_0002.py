"""A revocation that was taken back is told from one that the database has forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "registry_0002"
down_revision: str | None = "registry_0001"


def upgrade() -> None:
    op.add_column("certificates", sa.Column("restored_at", sa.BigInteger))
