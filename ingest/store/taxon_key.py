"""Name under which a taxon is stored and counted: the accepted name, whatever a detector or a person called it."""

from collections.abc import Iterable

from contract import Detection
from contract.messages import ObservationType
from i18n.taxonomy import shipped_taxonomy


def taxon_key(label: str, scientific_name: str | None, observation_type: ObservationType | None = None) -> str:
    """Return the accepted name of a detection's or a verdict's taxon; see ``Taxonomy.key``."""
    return shipped_taxonomy().key(label, scientific_name, observation_type)


def taxon_of(detection: Detection) -> str:
    """Return the accepted name of the taxon of a detection, by its ``identification``."""
    named = detection.identification
    return taxon_key(named.label, named.scientific_name, detection.observation_type)


def stored_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names under which the taxa of a query may be stored.

    Records that were stored before names were unified have the detector's label or scientific name.
    """
    found: dict[str, None] = {}
    for name in names:
        found[taxon_key(name, None)] = None
        found[name] = None
        taxon = shipped_taxonomy().find(name)
        for one in shipped_taxonomy().names(taxon) if taxon is not None else ():
            found |= dict.fromkeys((one, one.replace(" ", "_"), one.casefold(), one.casefold().replace(" ", "_")))
    return tuple(found)
