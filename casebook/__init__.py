"""Casebook: one SQL database of flags, verdicts, incidents and quarantined input.

The package depends neither on the detection store nor on the rules nor on the pages.
"""
