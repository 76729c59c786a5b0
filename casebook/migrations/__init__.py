"""Alembic migrations of the casebook; a migration does not change after its release."""
