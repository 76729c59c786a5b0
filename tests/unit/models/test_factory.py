"""Detectors and classifiers are opened in the factory, and nowhere else outside the package of models."""

import re
from pathlib import Path

import pytest

from models.factory import open_birdnet, open_threat
from models.registry import WeightsError, load_registry
from models.threat import SHIPPED, ThreatOptions
from tests.repository import REPOSITORY

OPENED = re.compile(r"\b(VisionDetector|SpeciesClassifier|BirdNet|ThreatSounds|YamNet)\(")
PACKAGES = ("captures", "edge", "ingest", "pipelines", "review", "wildpost")


def test_no_other_package_opens_a_model_by_itself() -> None:
    files = [file for package in PACKAGES for file in (REPOSITORY / package).rglob("*.py")]
    assert len(files) > 50
    found = {
        f"{file.relative_to(REPOSITORY)}: {match[1]}"
        for file in files
        for match in OPENED.finditer(file.read_text(encoding="utf-8"))
    }
    assert found == set()


def test_the_models_that_come_with_wildpost_are_opened_by_name() -> None:
    registry = load_registry()
    threat = open_threat(SHIPPED, Path(), ThreatOptions(), registry)
    assert threat.model.sha256 == registry[SHIPPED].sha256
    assert open_birdnet().model.sha256 == registry["birdnet"].sha256


def test_a_model_of_another_kind_is_no_threat_model() -> None:
    with pytest.raises(WeightsError, match="expected a threat model"):
        open_threat("wildpost-nano", Path())
