"""How Alembic runs the migrations: always on the connection and in the transaction of `index.desk.schema`."""

from __future__ import annotations

from alembic import context

from index.desk.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
