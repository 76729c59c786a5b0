"""The examiner of the runs over folders."""

from datetime import UTC

import pytest

from models.registry import load_registry
from pipelines.detect.examination import ExaminationTask, Examiner


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Examiner:
    """An examiner with the network in the package."""
    folder = tmp_path_factory.mktemp("data")
    return Examiner(ExaminationTask("wildpost-nano", load_registry(), folder, folder, UTC))
