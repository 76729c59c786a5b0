"""Accepted names, synonyms, Chinese and English names and protection of taxa, and names of other things detected."""

from i18n.taxonomy.shipped import display_name, shipped_taxonomy, taxon_search
from i18n.taxonomy.taxon import Taxon
from i18n.taxonomy.taxonomy import Taxonomy

__all__ = ["Taxon", "Taxonomy", "display_name", "shipped_taxonomy", "taxon_search"]
