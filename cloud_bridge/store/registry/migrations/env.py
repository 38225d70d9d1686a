"""Run by Alembic: the connection, inside its transaction, is the caller's."""

from __future__ import annotations

from alembic import context

from cloud_bridge.store.registry.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
