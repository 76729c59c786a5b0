"""What contract tests of the casebook share."""

from collections.abc import Iterator

import pytest

from casebook.casebook import Casebook
from casebook.incidents.database import Database


@pytest.fixture
def database(casebook_url: str) -> Iterator[Database]:
    """The database of an empty casebook, in SQLite and in PostgreSQL."""
    casebook = Casebook(casebook_url)
    yield Database(casebook.engine)
    casebook.close()
