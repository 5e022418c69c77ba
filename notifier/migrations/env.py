"""Run by Alembic: migrates over the connection that upgrade() holds, in its transaction."""

from alembic import context

from notifier import models  # noqa: F401  the tables
from notifier.db import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True, render_as_batch=False)
with context.begin_transaction():
    context.run_migrations()
