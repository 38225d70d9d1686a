"""Run by Alembic: the connection, inside its transaction, is the caller's."""

from __future__ import annotations

from alembic import context

from cloud_bridge.store.registry import alert_tables

context.configure(connection=context.config.attributes["connection"], target_metadata=alert_tables.owners.metadata)
context.run_migrations()
