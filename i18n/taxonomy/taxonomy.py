"""Finds the taxon that a name means, in any language and spelling."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from contract.messages import ObservationType
from i18n.taxonomy.name_form import normal_form, species_of, without_authorship
from i18n.taxonomy.tables import ListedTaxon
from i18n.taxonomy.taxon import Taxon

CACHED_NAMES = 20_000
_SURE_TYPES: tuple[ObservationType | None, ...] = ("animal", "human", "vehicle")


class Taxonomy:
    """Taxa by all their names."""

    def __init__(
        self,
        taxa: Sequence[Taxon],
        synonyms: Iterable[tuple[str, str]] = (),
        protection: Mapping[str, Sequence[ListedTaxon]] | None = None,
        ambiguous: Iterable[str] = (),
    ) -> None:
        """Index taxa by their names.

        Args:
            taxa: The taxa; of two with the same key, the later one replaces the earlier one.
            synonyms: Pairs of a name and the accepted name of its taxon.
            protection: Entries of protection lists by accepted name.
            ambiguous: Names that mean several taxa; they find none.
        """
        by_key = {taxon.key: taxon for taxon in taxa}
        self._taxa = tuple(by_key.values())
        self._protection = protection or {}
        self._unclear = {normal_form(name) for name in ambiguous}
        pairs = [(name, by_key[accepted]) for name, accepted in synonyms if accepted in by_key]
        # Names of an earlier level win over those of a later one.
        self._levels = [
            self._indexed((taxon.key, taxon) for taxon in self._taxa),
            self._indexed((name, taxon) for taxon in self._taxa for name in (taxon.zh, taxon.en)),
            self._indexed(pairs),
            self._indexed((name, taxon) for taxon in self._taxa for name in taxon.other_names),
        ]
        self._synonyms: dict[str, list[str]] = {}
        for name, taxon in pairs:
            self._synonyms.setdefault(taxon.key, []).append(name)
        self._cached_key = lru_cache(maxsize=CACHED_NAMES)(self._key)

    @property
    def taxa(self) -> Sequence[Taxon]:
        """All taxa and things."""
        return self._taxa

    def _indexed(self, names: Iterable[tuple[str, Taxon]]) -> dict[str, list[Taxon]]:
        found: dict[str, list[Taxon]] = {}
        for name, taxon in names:
            form = normal_form(name)
            if form and taxon not in found.setdefault(form, []):
                found[form].append(taxon)
        return found

    def find(self, name: str, observation_type: ObservationType | None = None) -> Taxon | None:
        """Find the taxon of a name in any language; None if no taxon, or more than one, has the name.

        Args:
            name: Scientific, Chinese, English or other name, or the label of a detector.
            observation_type: If it is "animal", "human" or "vehicle", nothing else is found: a boat is never a bird.
        """
        plain = without_authorship(name)
        for form in dict.fromkeys((normal_form(name), normal_form(plain), normal_form(species_of(plain)))):
            if form in self._unclear and form not in self._levels[0]:
                return None
            for level in self._levels:
                chosen = self._only(level.get(form, ()), observation_type)
                if chosen is not None:
                    return chosen
        return None

    def _only(self, taxa: Sequence[Taxon], observation_type: ObservationType | None) -> Taxon | None:
        if observation_type in _SURE_TYPES:
            taxa = [taxon for taxon in taxa if taxon.observation_type == observation_type]
        if len(taxa) > 1:
            taxa = [taxon for taxon in taxa if taxon.in_china] or taxa
        if len(taxa) > 1:
            taxa = [taxon for taxon in taxa if self._is_listed_by_its_name(taxon)] or taxa
        return taxa[0] if len(taxa) == 1 else None

    def _is_listed_by_its_name(self, taxon: Taxon) -> bool:
        return any(entry.name_in_list == taxon.key for entry in self._protection.get(taxon.key, ()))

    def resolve(
        self, label: str, scientific_name: str | None, observation_type: ObservationType | None = None
    ) -> Taxon | None:
        """Find the taxon of a detection or a verdict: by the scientific name, if it has one, else by the label."""
        named = (scientific_name or "").strip()
        return self.find(named, observation_type) if named else self.find(label, observation_type)

    def key(self, label: str, scientific_name: str | None, observation_type: ObservationType | None = None) -> str:
        """Return the name under which a detection or a verdict is counted.

        It is the accepted name of the taxon. A label that names no taxon stays as it is, but for underscores and
        repeated spaces; of an unknown scientific name, the first letter and the authorship are unified as well. So the
        same unknown name counts as one.
        """
        return self._cached_key(label, scientific_name, observation_type)

    def _key(self, label: str, scientific_name: str | None, observation_type: ObservationType | None) -> str:
        taxon = self.resolve(label, scientific_name, observation_type)
        if taxon is not None:
            return taxon.key
        named = " ".join((scientific_name or "").replace("_", " ").split())
        if named:
            known = without_authorship(named)
            return known[:1].upper() + known[1:]
        return " ".join(word for word in without_authorship(label).replace("_", " ").split(" ") if word) or label

    def names(self, taxon: Taxon) -> Sequence[str]:
        """Return all names of a taxon: accepted name, synonyms, Chinese and English names and others."""
        known = (taxon.key, taxon.zh, taxon.en, *self._synonyms.get(taxon.key, ()), *taxon.other_names)
        return tuple(dict.fromkeys(name for name in known if name))

    def protection(self, key: str) -> Sequence[ListedTaxon]:
        """Return the entries of the protection lists for an accepted name."""
        return self._protection.get(key, ())
