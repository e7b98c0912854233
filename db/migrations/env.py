"""How Alembic runs the migrations: on the connection, and inside the transaction, that `db.engine.migrate` opened."""

from alembic import context

from db.schema import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
