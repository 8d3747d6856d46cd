"""Alembic's entry: works on the connection that `naas_gateway.db.migrate` hands over."""

from alembic import context

from naas_gateway.db.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
