"""Alembic environment that runs the migrations in the transaction of an open casebook connection."""

from alembic import context

import casebook.access.tables
import casebook.cases.tables
import casebook.incidents.tables  # noqa: F401, imported to register their tables in the metadata
from casebook.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
