"""Finds taxa by the first letters of a name, for fields in which a person types."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from i18n.taxonomy.name_form import normal_form
from i18n.taxonomy.taxon import Taxon


@dataclass(frozen=True, slots=True)
class _Entry:
    taxon: Taxon
    names: tuple[str, ...]
    words: tuple[str, ...]


class TaxonSearch:
    """Search in Chinese names, their pinyin and initials, English and scientific names."""

    def __init__(self, taxa: Iterable[Taxon]) -> None:
        """Prepare the names of the taxa."""
        self._entries = [_entry(taxon) for taxon in taxa]

    def find(self, typed: str, limit: int = 20) -> Sequence[Taxon]:
        """Return taxa with a name that matches what was typed, the best matches first.

        A name that is equal comes before one that begins so, then one of whose words begins so, then a Chinese name
        that contains it. Of equal matches, things and taxa that occur in China come first, then short names.
        """
        form = normal_form(typed)
        if not form:
            return ()
        ranked = ((_rank(entry, form), entry) for entry in self._entries)
        found = [(rank, entry) for rank, entry in ranked if rank is not None]
        found.sort(key=lambda one: (one[0], not _is_likely(one[1].taxon), len(one[1].names[0]), one[1].taxon.key))
        return [entry.taxon for _, entry in found[:limit]]


def _entry(taxon: Taxon) -> _Entry:
    names = [taxon.key, taxon.zh, taxon.en, *taxon.other_names, taxon.pinyin, taxon.initials]
    forms = tuple(normal_form(name) for name in names if name)
    return _Entry(taxon, forms, tuple(word for form in forms for word in form.split()[1:]))


def _rank(entry: _Entry, form: str) -> int | None:
    if form in entry.names:
        return 0
    if any(name.startswith(form) for name in entry.names):
        return 1
    if any(word.startswith(form) for word in entry.words):
        return 2
    return 3 if not form.isascii() and any(form in name for name in entry.names) else None


def _is_likely(taxon: Taxon) -> bool:
    return taxon.in_china or taxon.scientific_name is None
