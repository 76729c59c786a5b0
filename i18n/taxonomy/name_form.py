"""Normal form of names, in which two spellings of one name are equal."""

import re
import unicodedata

# "Sus scrofa Linnaeus, 1758", "Cervus nippon (Temminck, 1838)": two or three words of a name, then its authorship.
_AUTHORSHIP = re.compile(r"([A-Z][a-z]+ [a-z-]+(?: [a-z-]+)?) \(?(?:[A-Z]|d'|de |von |van )[^0-9]*,? ?(?:\d{4})?\)?")
_SUBSPECIES = re.compile(r"([A-Z][a-z]+ [a-z-]+) (?:subsp\. |ssp\. )?[a-z-]+")
_QUALIFIERS = (" spp.", " spp", " sp.", " sp")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'"})


def normal_form(name: str) -> str:
    """Return a name without differences of case, width, spaces, hyphens, underscores and apostrophes.

    A mark such as "spp." after a genus is removed as well.
    """
    text = unicodedata.normalize("NFKC", name).translate(_APOSTROPHES).replace("_", " ").replace("-", " ")
    text = " ".join(text.split()).casefold()
    for mark in _QUALIFIERS:
        text = text.removesuffix(mark)
    return text


def without_authorship(name: str) -> str:
    """Return a scientific name without the author and year behind it; any other name as it is."""
    found = _AUTHORSHIP.fullmatch(" ".join(name.replace("_", " ").split()))
    return found[1] if found else name


def species_of(name: str) -> str:
    """Return the name of the species if a name has the form of a subspecies' name; any other name as it is."""
    found = _SUBSPECIES.fullmatch(" ".join(name.replace("_", " ").split()))
    return found[1] if found else name
