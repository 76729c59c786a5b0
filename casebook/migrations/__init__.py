"""Alembic migrations of the casebook database; a released migration is never changed."""
