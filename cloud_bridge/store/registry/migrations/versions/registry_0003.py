"""Owners, sites, devices, channels, policies, rules, silences, alerts, notifications; what was said and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "registry_0003"
down_revision: str | None = "registry_0002"


def upgrade() -> None:
    _people()
    _wishes()
    _alerts()
    _notifications()
    _access()


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _owner(*, nullable: bool = True) -> sa.Column[int]:
    return sa.Column("owner", sa.Integer, sa.ForeignKey("owners.id", ondelete="CASCADE"), nullable=nullable)


def _body() -> sa.Column[str]:
    return sa.Column("body", sa.Text, nullable=False)


def _people() -> None:
    op.create_table(
        "owners",
        _id(),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        _body(),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sites",
        _id(),
        _owner(nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.UniqueConstraint("owner", "name", name="sites_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "devices",
        _id(),
        sa.Column("gateway", sa.String(32), nullable=False),
        sa.Column("unit", sa.String(32), nullable=False),
        sa.Column("serial", sa.String(64), nullable=False),
        sa.Column("owner", sa.Integer, sa.ForeignKey("owners.id", ondelete="SET NULL")),
        sa.Column("site", sa.Integer, sa.ForeignKey("sites.id", ondelete="SET NULL")),
        _body(),
        sa.UniqueConstraint("gateway", "unit", name="devices_unit"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tags",
        sa.Column("device", sa.Integer, sa.ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("tag", sa.String(64), primary_key=True),
    )


def _wishes() -> None:
    op.create_table(
        "channels",
        _id(),
        _owner(),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("target", sa.LargeBinary, nullable=False),
        _body(),
        sqlite_autoincrement=True,
    )
    op.create_index("channels_name", "channels", ["owner", "name"], unique=True)
    op.create_table(
        "policies",
        _id(),
        _owner(),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("channel", sa.Integer, sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
        _body(),
        sqlite_autoincrement=True,
    )
    op.create_index("policies_name", "policies", ["owner", "name"], unique=True)
    op.create_table(
        "rules",
        _id(),
        _owner(),
        sa.Column("name", sa.String(64), nullable=False),
        _body(),
        sqlite_autoincrement=True,
    )
    op.create_index("rules_name", "rules", ["owner", "name"], unique=True)
    op.create_table(
        "silences",
        _id(),
        _owner(),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        _body(),
        sqlite_autoincrement=True,
    )
    op.create_index("silences_by_end", "silences", ["ends_at"])
    op.create_table(
        "routes",
        _id(),
        sa.Column("saved_at", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("condition", sa.String(64), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("onset_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        _body(),
        sa.CheckConstraint("phase IN ('pending', 'firing', 'resolved')", name="alerts_phase"),
    )
    op.create_index("alerts_by_phase", "alerts", ["phase", "changed_at"])
    op.create_index("alerts_of_a_subject", "alerts", ["subject", "condition", "onset_at"])
    op.create_table(
        "reasons",
        _id(),
        sa.Column("alert", sa.String(32), sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("policy", sa.Integer),
        sa.Column("channel", sa.Integer),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by_name", sa.String(64), nullable=False),
        sa.Column("stage", sa.String(64)),
        sa.Column("severity", sa.String(16)),
    )
    op.create_index("reasons_of_an_alert", "reasons", ["alert", "id"])
    op.create_table(
        "asked",
        _id(),
        sa.Column("alert", sa.String(32), sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
        sa.Column("verb", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("by_name", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def _notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("channel", sa.Integer, nullable=False),
        sa.Column("policy", sa.Integer),
        sa.Column("device", sa.Integer),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.BigInteger),
        _body(),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'failed', 'withdrawn')", name="notifications_state"),
    )
    op.create_index("notifications_by_due", "notifications", ["state", "due_at"])
    op.create_index("notifications_of_a_device", "notifications", ["device", "created_at"])
    op.create_table(
        "told",
        sa.Column("alert", sa.String(32), sa.ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("channel", sa.Integer, primary_key=True),
        sa.Column("worst", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "counted",
        sa.Column("alert", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("device", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("counted_of_a_device", "counted", ["device", "at"])
    op.create_table(
        "mutes",
        sa.Column("device", sa.Integer, sa.ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        _body(),
    )


def _access() -> None:
    op.create_table(
        "unsubscribed",
        sa.Column("address", sa.String(254), primary_key=True),
        sa.Column("policy", sa.Integer, sa.ForeignKey("policies.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "api_tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_table(
        "positions",
        sa.Column("reader", sa.String(32), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
