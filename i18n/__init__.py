"""Languages, taxon names, sentences and translations for pages, alerts and reports."""
