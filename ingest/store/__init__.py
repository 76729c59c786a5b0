"""Detection stores: the interface, and one adapter for each database."""
