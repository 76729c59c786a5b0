"""Names species on crops of pictures."""

from models.species.classifier import SpeciesClassifier, SpeciesOptions
from models.species.site_list import SiteFilter, SiteList, read_site_list

__all__ = ["SiteFilter", "SiteList", "SpeciesClassifier", "SpeciesOptions", "read_site_list"]
