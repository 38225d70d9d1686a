"""The registry's tables of owners, devices and alerts; `schema` has the others. Instants are UTC milliseconds.

`body`: the rest of the value that the row stands for, as JSON (cloud_bridge.alerts.terms, .model, .notice): what a
later version adds needs no column. `owner` NULL: the operator's. SQLite gives an id that people or links name to no
other row later (`sqlite_autoincrement`).
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
    String,
    Table,
    Text,
    UniqueConstraint,
)

from cloud_bridge.store.registry.schema import metadata


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _owner(*, nullable: bool = True) -> Column[int]:
    return Column("owner", Integer, ForeignKey("owners.id", ondelete="CASCADE"), nullable=nullable)


def _body() -> Column[str]:
    return Column("body", Text, nullable=False)


owners = Table(
    "owners",
    metadata,
    _id(),
    Column("name", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    _body(),
    sqlite_autoincrement=True,
)

sites = Table(
    "sites",
    metadata,
    _id(),
    _owner(nullable=False),
    Column("name", String(64), nullable=False),
    UniqueConstraint("owner", "name", name="sites_name"),
    sqlite_autoincrement=True,
)

devices = Table(
    "devices",
    metadata,
    _id(),
    Column("gateway", String(32), nullable=False),
    Column("unit", String(32), nullable=False),
    Column("serial", String(64), nullable=False),
    Column("owner", Integer, ForeignKey("owners.id", ondelete="SET NULL")),
    Column("site", Integer, ForeignKey("sites.id", ondelete="SET NULL")),
    _body(),
    UniqueConstraint("gateway", "unit", name="devices_unit"),
    sqlite_autoincrement=True,
)

tags = Table(
    "tags",
    metadata,
    Column("device", Integer, ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", String(64), primary_key=True),
)

# `target`: encrypted (S24).
channels = Table(
    "channels",
    metadata,
    _id(),
    _owner(),
    Column("name", String(64), nullable=False),
    Column("target", LargeBinary, nullable=False),
    _body(),
    Index("channels_name", "owner", "name", unique=True),
    sqlite_autoincrement=True,
)

policies = Table(
    "policies",
    metadata,
    _id(),
    _owner(),
    Column("name", String(64), nullable=False),
    Column("channel", Integer, ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    _body(),
    Index("policies_name", "owner", "name", unique=True),
    sqlite_autoincrement=True,
)

rules = Table(
    "rules",
    metadata,
    _id(),
    _owner(),
    Column("name", String(64), nullable=False),
    _body(),
    Index("rules_name", "owner", "name", unique=True),
    sqlite_autoincrement=True,
)

silences = Table(
    "silences",
    metadata,
    _id(),
    _owner(),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    _body(),
    Index("silences_by_end", "ends_at"),
    sqlite_autoincrement=True,
)

# The operator's routing tree: its text as it was given, the newest counts.
routes = Table(
    "routes",
    metadata,
    _id(),
    Column("saved_at", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("subject", String(128), nullable=False),
    Column("condition", String(64), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("onset_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    _body(),
    CheckConstraint("phase IN ('pending', 'firing', 'resolved')", name="alerts_phase"),
    Index("alerts_by_phase", "phase", "changed_at"),
    Index("alerts_of_a_subject", "subject", "condition", "onset_at"),
)

# Why: every change of an alert and every decision about it, in order. `number`: of the change; `code` and `reason`:
# model.Change or standing.Decision; `stage` and `severity`: of the alert after a change.
reasons = Table(
    "reasons",
    metadata,
    _id(),
    Column("alert", String(32), ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("code", String(32), nullable=False),
    Column("policy", Integer),
    Column("channel", Integer),
    Column("reason", Text, nullable=False),
    Column("by_name", String(64), nullable=False),
    Column("stage", String(64)),
    Column("severity", String(16)),
    Index("reasons_of_an_alert", "alert", "id"),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("channel", Integer, nullable=False),
    Column("policy", Integer),
    Column("device", Integer),
    Column("state", String(16), nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    _body(),
    CheckConstraint("state IN ('waiting', 'sent', 'failed', 'withdrawn')", name="notifications_state"),
    Index("notifications_by_due", "state", "due_at"),
    Index("notifications_of_a_device", "device", "created_at"),
)

# What people ask for, until the alerts role has done it. `verb`: acknowledge, assign, note; `text`: to whom, or what.
asked = Table(
    "asked",
    metadata,
    _id(),
    Column("alert", String(32), ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("by_name", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
)

# Which steps of which alerts a notification tells: a resolve goes to whom the firing went.
told = Table(
    "told",
    metadata,
    Column("alert", String(32), ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", Integer, primary_key=True),
    Column("worst", String(16), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
)

# Notifications of a device that the flood rule counts, before fan-out.
counted = Table(
    "counted",
    metadata,
    Column("alert", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("device", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("counted_of_a_device", "device", "at"),
)

mutes = Table(
    "mutes",
    metadata,
    Column("device", Integer, ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    _body(),
)

# `address`: in lower case.
unsubscribed = Table(
    "unsubscribed",
    metadata,
    Column("address", String(254), primary_key=True),
    Column("policy", Integer, ForeignKey("policies.id", ondelete="CASCADE"), primary_key=True),
    Column("at", BigInteger, nullable=False),
)

# Tokens of the REST API, as their SHA-256 (S25). `scopes`: words apart by blanks.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("scopes", String(256), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)

# How far a reader of the telemetry database has come.
positions = Table(
    "positions",
    metadata,
    Column("reader", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
