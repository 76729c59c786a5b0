"""Lets the captures of one visit decide together which animal they show."""

from collections import deque
from collections.abc import Sequence

from contract import Classification, Model
from models.port import Classifier, Crop, Evidence, Framing

_CAPTURES = 8  # a burst has fewer; older captures of a long visit may show another animal


class VisitVotes:
    """A classifier for the captures of one sensor, which remembers the evidence of the visit's earlier captures.

    See ``Classifier`` for the contract. Only captures with exactly one animal vote: of several animals, it is not known
    which one was in the earlier captures.
    """

    def __init__(self, classifier: Classifier) -> None:
        """Begin without a visit."""
        self._classifier = classifier
        self._visit_id: str | None = None
        self._single: deque[Evidence] = deque(maxlen=_CAPTURES)

    @property
    def model(self) -> Model:
        """The model of the classifier; see ``Classifier.model``."""
        return self._classifier.model

    @property
    def framing(self) -> Framing:
        """The framing of the classifier; see ``Classifier.framing``."""
        return self._classifier.framing

    def enter(self, visit_id: str) -> None:
        """Forget the earlier captures if the next capture belongs to another visit."""
        if visit_id != self._visit_id:
            self._single.clear()
        self._visit_id = visit_id

    def examine(self, crops: Sequence[Crop]) -> list[Evidence]:
        """Run the network; see ``Classifier.examine``."""
        return self._classifier.examine(crops)

    def decide(self, evidence: Sequence[Evidence]) -> Classification | None:
        """Return the taxon of one animal; see ``Classifier.decide``."""
        return self._classifier.decide(evidence)

    def classify(self, crops: Sequence[Crop]) -> list[Classification | None]:
        """Return the taxon of each animal of a capture; a single one is decided with those of the earlier captures."""
        evidence = self._classifier.examine(crops)
        if len(evidence) != 1:
            return [self._classifier.decide([one]) for one in evidence]
        self._single.append(evidence[0])
        return [self._classifier.decide(self._single)]
