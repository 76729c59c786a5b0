"""Flags, verdicts and incidents in one SQL database; independent of the detection store, the rules and the pages."""
