"""The taxonomy that is part of Wildpost, and names from it for pages, alerts and reports."""

from functools import cache
from pathlib import Path

from i18n.taxonomy.search import TaxonSearch
from i18n.taxonomy.tables import read_protection, read_rows, read_synonyms, read_taxa, read_things
from i18n.taxonomy.taxonomy import Taxonomy

_FOLDER = Path(__file__).parent


@cache
def shipped_taxonomy() -> Taxonomy:
    """Load the taxonomy from the tables in this package."""
    ambiguous = [row["name"] for _, row in read_rows(_FOLDER / "ambiguous_names.csv", ("name",))]
    return Taxonomy(
        [*read_things(_FOLDER / "things.csv"), *read_taxa(_FOLDER / "taxa.csv")],
        read_synonyms(_FOLDER / "synonyms.csv"),
        read_protection(_FOLDER / "protection.csv"),
        ambiguous,
    )


@cache
def taxon_search() -> TaxonSearch:
    """Return the search in the taxonomy that is part of Wildpost."""
    return TaxonSearch(shipped_taxonomy().taxa)


def display_name(label: str, scientific_name: str | None, language: str) -> str:
    """Return the name of a detected taxon in a language, else the detector's label."""
    names = (name for name in ((scientific_name or "").strip(), label) if name)
    taxon = next((found for name in names if (found := shipped_taxonomy().find(name))), None)
    return (taxon.name(language) if taxon else "") or label.replace("_", " ")
