"""A taxon, or another thing that detectors report, with its names."""

from dataclasses import dataclass

from contract.messages import ObservationType

_RANK_WORDS = ("属", "科", "目", "纲")  # genus, family, order, class


@dataclass(frozen=True, slots=True)
class Taxon:
    """Names and classification of a taxon, or of a thing such as a vehicle.

    Attributes:
        key: Name under which its detections are counted: the accepted scientific name, or the label of a thing.
        scientific_name: Accepted scientific name; None for a thing.
        observation_type: "animal", "human" or "vehicle".
        rank: "species", "genus", "family", ...; "" for a thing.
        class_name: Scientific name of the class; "" if not known, as are ``order`` and ``family``.
        zh: Chinese name, "" if none is known.
        en: English name, "" if none is known.
        other_names: More names, in any language.
        pinyin: Syllables of the Chinese name without tones and spaces.
        initials: First letters of the syllables.
        in_china: Whether the taxon occurs in China.
    """

    key: str
    scientific_name: str | None
    observation_type: ObservationType
    rank: str = ""
    class_name: str = ""
    order: str = ""
    family: str = ""
    zh: str = ""
    en: str = ""
    other_names: tuple[str, ...] = ()
    pinyin: str = ""
    initials: str = ""
    in_china: bool = False

    def name(self, language: str) -> str:
        """Return the name in a language ("zh_CN" or "en"), or "" if none is known.

        In Chinese, a group is called by its common name: 熊 instead of 熊科.
        """
        if language != "zh_CN":
            return self.en
        is_group = self.scientific_name is not None and self.rank not in ("species", "subspecies")
        return self.other_names[0] if is_group and self.zh[-1:] in _RANK_WORDS and self.other_names else self.zh

    @property
    def label(self) -> str:
        """Label for a verdict: the English name, else the key."""
        return self.en or self.key

    @property
    def lineage(self) -> tuple[str, ...]:
        """Accepted names from the taxon itself up to its class: species, genus, family, order, class."""
        words = self.key.split()
        below = [" ".join(words[:count]) for count in range(len(words), 0, -1)] if self.scientific_name else [self.key]
        above = [name for name in (self.family, self.order, self.class_name) if name]
        return tuple(dict.fromkeys([*below, *above]))
