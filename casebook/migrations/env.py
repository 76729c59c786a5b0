"""Runs the migrations on the casebook's open connection, within its transaction."""

from alembic import context

import casebook.incidents.tables  # noqa: F401, imported to register its tables in the metadata
from casebook.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
