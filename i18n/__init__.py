"""Languages, names of taxa, sentences and translations, for pages, alerts and reports alike."""
