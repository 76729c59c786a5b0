"""Reference results for the tests of statistics."""

from pathlib import Path

import pytest

from tests.statistics_reference import Reference


@pytest.fixture
def reference(shared_data: Path) -> Reference:
    """Results that R packages gave."""
    return Reference(shared_data / "reference" / "statistics")
