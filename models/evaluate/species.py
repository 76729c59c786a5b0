"""Evaluation of a species classifier on labelled crops: accuracy by taxon and rank, answered share, unknown taxa."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from i18n.taxonomy import shipped_taxonomy
from models.evaluate.calibration import calibration_error
from models.evaluate.labels import BadLabels
from models.evaluate.matching import ScoredDetection
from models.port import Crop
from models.registry import Rank
from models.species import SpeciesClassifier

NO_ANIMAL = ""  # the taxon of a false detection
_BATCH = 16
_KEPT = 0.8  # share of the animals of known taxa that the open-set threshold keeps


@dataclass(frozen=True, slots=True)
class TrueTaxon:
    """The taxon of a labelled animal, and the groups above it.

    Attributes:
        name: Accepted name.
        lineage: Accepted names of the taxon and of the groups above it.
        is_known: Whether a class of the classifier contains the taxon or belongs to it; otherwise only a group above
            it can be a correct answer.
    """

    name: str
    lineage: frozenset[str]
    is_known: bool


@dataclass(frozen=True, slots=True)
class CropOutcome:
    """The answer of a classifier to one labelled crop.

    Attributes:
        taxon: The true taxon.
        best: Accepted name of the most probable class.
        best_confidence: Its probability.
        best_is_correct: Whether the class contains the true taxon or belongs to it.
        answer: Accepted name of the taxon that was answered; None if no taxon was sure enough.
        rank: The rank of the answer.
        confidence: The probability of the answer.
        is_correct: Whether the answer is the true taxon, a group above it, or belongs to it.
    """

    taxon: TrueTaxon
    best: str
    best_confidence: float
    best_is_correct: bool
    answer: str | None = None
    rank: Rank | None = None
    confidence: float = 0.0
    is_correct: bool = False


@dataclass(frozen=True, slots=True)
class TaxonFigures:
    """Accuracy figures of a classifier for the animals of one taxon.

    Attributes:
        taxon: The taxon.
        crops: Number of its crops.
        top1: Number of crops whose most probable class is correct.
        answered: Number of crops with an answer of any rank.
        correct: Number of correct answers of any rank.
        by_rank: Number of correct answers by rank.
    """

    taxon: TrueTaxon
    crops: int
    top1: int
    answered: int
    correct: int
    by_rank: Counter[Rank]


@dataclass(frozen=True, slots=True)
class SpeciesEvaluation:
    """Accuracy figures of a species classifier on a set of labelled crops.

    Attributes:
        outcomes: The answer to each crop.
        taxa: Figures by taxon, sorted by name.
        open_set_threshold: The probability of the best class that 80 % of the crops of known taxa reach; nan if there
            are none.
        unknown_rejected: Share of the crops of other animals whose best class is below it; nan if there are none.
        confusions: Wrong best classes of known taxa, as true name, name of the class and number, most frequent first.
        calibration_error: Expected calibration error of the best class.
    """

    outcomes: tuple[CropOutcome, ...]
    taxa: tuple[TaxonFigures, ...]
    open_set_threshold: float
    unknown_rejected: float
    confusions: tuple[tuple[str, str, int], ...]
    calibration_error: float


@dataclass(frozen=True, slots=True)
class LabelledCrop:
    """A crop of a picture, with the name of the animal's taxon in any language; NO_ANIMAL if it shows none."""

    crop: Crop
    taxon: str


class TruthReader:
    """Finds the taxa of labels, and whether a classifier knows them."""

    def __init__(self, classifier: SpeciesClassifier) -> None:
        """Collect the accepted names of the classifier's classes."""
        self._lineages = {
            _accepted(label.name): frozenset(_accepted(name) for _, name in label.lineage)
            for label in classifier.labels
        }

    def taxon(self, name: str) -> TrueTaxon:
        """Return the taxon of a label.

        Raises:
            BadLabels: no animal has this name.
        """
        if name == NO_ANIMAL:
            return TrueTaxon(NO_ANIMAL, frozenset(), is_known=False)
        found = shipped_taxonomy().find(name, "animal")
        if found is None or found.scientific_name is None:
            raise BadLabels(f"taxon {name!r}: expected a scientific, English or Chinese name of one animal taxon")
        lineage = frozenset(found.lineage) | self._lineages.get(found.key, frozenset())
        is_known = any(own in lineage or found.key in above for own, above in self._lineages.items())
        return TrueTaxon(found.key, lineage, is_known)


def _agrees(answer: str, lineage: Iterable[str], truth: TrueTaxon) -> bool:
    """Return whether an answer is the true taxon, a group above it, or belongs to it."""
    return answer in truth.lineage or truth.name in lineage


def _accepted(name: str) -> str:
    return shipped_taxonomy().key(name, name, "animal")


def evaluate_species(classifier: SpeciesClassifier, crops: Iterable[LabelledCrop]) -> SpeciesEvaluation:
    """Classify labelled crops, each by itself, and compute the accuracy figures.

    Raises:
        BadLabels: a label names no animal taxon.
    """
    truths = TruthReader(classifier)
    outcomes: list[CropOutcome] = []
    batch: list[LabelledCrop] = []
    for one in crops:
        batch.append(one)
        if len(batch) == _BATCH:
            outcomes += _outcomes(classifier, truths, batch)
            batch.clear()
    return summarise_species([*outcomes, *_outcomes(classifier, truths, batch)])


def summarise_species(outcomes: Sequence[CropOutcome]) -> SpeciesEvaluation:
    """Compute the accuracy figures of the answers to labelled crops."""
    by_taxon: dict[str, list[CropOutcome]] = {}
    for one in outcomes:
        by_taxon.setdefault(one.taxon.name, []).append(one)
    known = np.array([one.best_confidence for one in outcomes if one.taxon.is_known])
    other = np.array([one.best_confidence for one in outcomes if not one.taxon.is_known and one.taxon.name])
    threshold = float(np.quantile(known, 1 - _KEPT)) if len(known) else float("nan")
    confused = Counter((one.taxon.name, one.best) for one in outcomes if one.taxon.is_known and not one.best_is_correct)
    return SpeciesEvaluation(
        tuple(outcomes),
        tuple(_figures(by_taxon[name]) for name in sorted(by_taxon)),
        threshold,
        float((other < threshold).mean()) if len(other) and len(known) else float("nan"),
        tuple((name, best, count) for (name, best), count in confused.most_common()),
        calibration_error([ScoredDetection(one.best_confidence, one.best_is_correct) for one in outcomes]),
    )


def _figures(outcomes: Sequence[CropOutcome]) -> TaxonFigures:
    return TaxonFigures(
        outcomes[0].taxon,
        len(outcomes),
        sum(one.best_is_correct for one in outcomes),
        sum(one.answer is not None for one in outcomes),
        sum(one.is_correct for one in outcomes),
        Counter(one.rank for one in outcomes if one.is_correct and one.rank is not None),
    )


def _outcomes(classifier: SpeciesClassifier, truths: TruthReader, batch: Sequence[LabelledCrop]) -> list[CropOutcome]:
    taxa = [truths.taxon(one.taxon) for one in batch]
    found = []
    for taxon, evidence in zip(taxa, classifier.examine([one.crop for one in batch]), strict=True):
        at = int(np.argmax(evidence.probabilities))
        label = classifier.labels[at]
        best, above = _accepted(label.name), {_accepted(name) for _, name in label.lineage}
        outcome = CropOutcome(taxon, best, float(evidence.probabilities[at]), _agrees(best, above, taxon))
        answer = classifier.answer([evidence])
        if answer is not None:
            node, confidence = answer
            name, lineage = _accepted(node.name), {_accepted(one) for one in node.lineage}
            is_correct = _agrees(name, lineage, taxon)
            outcome = replace(outcome, answer=name, rank=node.rank, confidence=confidence, is_correct=is_correct)
        found.append(outcome)
    return found
