"""Finds the most specific taxon of which a classifier is sure enough: species, genus, family, order or class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.registry import RANKS, Rank
from models.species.labels import TaxonLabel


@dataclass(frozen=True, slots=True)
class Node:
    """A taxon that a classifier can answer, with the classes of the network that belong to it.

    Attributes:
        name: Scientific name, or the label of a class without one.
        rank: Rank of the taxon.
        label: Label of the class, if the taxon is that of one class, else the name.
        scientific_name: The name, if it is a scientific one.
        lineage: Names of the taxon and of all groups above it.
        members: Indices of the classes.
    """

    name: str
    rank: Rank
    label: str
    scientific_name: str | None
    lineage: tuple[str, ...]
    members: frozenset[int]


class TaxonTree:
    """The taxa of a classifier's classes, and the groups above them."""

    def __init__(self, labels: Sequence[TaxonLabel]) -> None:
        """Collect the taxa of the classes; of two with the same classes, such as a genus of one species, the lower."""
        members: dict[str, set[int]] = {}
        facts: dict[str, tuple[Rank, tuple[str, ...]]] = {}
        for at, label in enumerate(labels):
            names = tuple(name for _, name in label.lineage)
            for number, (rank, name) in enumerate(label.lineage):
                members.setdefault(name, set()).add(at)
                facts.setdefault(name, (rank, names[number:]))
        own = {label.name: label for label in labels}
        kept: dict[frozenset[int], Node] = {}
        for name in sorted(members, key=lambda name: (RANKS.index(facts[name][0]), len(members[name]))):
            rank, lineage = facts[name]
            of_class = own.get(name)
            scientific = name if of_class is None else of_class.scientific_name
            node = Node(name, rank, of_class.label if of_class else name, scientific, lineage, frozenset(members[name]))
            kept.setdefault(node.members, node)
        self.nodes = tuple(kept.values())
        self._members = np.zeros((len(labels), len(self.nodes)))
        for number, node in enumerate(self.nodes):
            self._members[list(node.members), number] = 1

    def answer(
        self,
        probabilities: NDArray[np.float64],
        threshold: Callable[[Rank], float],
        plausible: Callable[[Node], bool],
    ) -> tuple[Node, float] | None:
        """Return the most specific plausible taxon whose probability reaches the threshold of its rank.

        The probability of a taxon is the sum over its classes, whether these are plausible or not: an animal that looks
        like a jaguar is a cat also where no jaguars occur.

        Args:
            probabilities: Probabilities of the classes, (classes,).
            threshold: Returns the lowest probability at which a taxon of a rank is answered.
            plausible: Returns whether a taxon can occur.

        Returns:
            The taxon and its probability; None if no taxon is sure enough.
        """
        sums = np.minimum(1.0, np.nan_to_num(probabilities) @ self._members)
        sure = [
            (node, float(value))
            for node, value in zip(self.nodes, sums, strict=True)
            if value >= threshold(node.rank) and plausible(node)
        ]
        if not sure:
            return None
        best, value = min(sure, key=lambda one: (RANKS.index(one[0].rank), -one[1]))
        inside = [one for one in sure if one[0].members < best.members]
        return min(inside, key=lambda one: len(one[0].members)) if inside else (best, value)
