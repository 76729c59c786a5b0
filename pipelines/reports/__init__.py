"""Summaries of a period's work, as documents of a wildlife-protection bureau."""
