"""Runs the steps on the connection that the casebook was opened with, within its transaction."""

from alembic import context

import casebook.incidents.tables  # noqa: F401, they add themselves to the metadata
from casebook.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
