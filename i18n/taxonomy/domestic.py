"""Domestic animals, which no protection list means and which the pages show apart from wild ones."""

# Accepted names by Gentry, Clutton-Brock & Groves 2004 (doi:10.1016/j.jas.2003.10.006): own names for domestic forms.
DOMESTIC = frozenset(
    {
        "Bos grunniens",
        "Bos taurus",
        "Bubalus bubalis",
        "Camelus bactrianus",
        "Canis familiaris",
        "Capra hircus",
        "Equus asinus",
        "Equus caballus",
        "Felis catus",
        "Ovis aries",
        "Sus domesticus",
    }
)
