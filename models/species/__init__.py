"""Classifies the species of detected animals in crops of pictures."""

from models.species.classifier import SpeciesClassifier, SpeciesOptions
from models.species.site_list import SiteList, read_site_list

__all__ = ["SiteList", "SpeciesClassifier", "SpeciesOptions", "read_site_list"]
