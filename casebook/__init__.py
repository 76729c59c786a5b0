"""What rules and people decide: flags, verdicts, incidents and their database; knows no store, rule or page."""
