"""The `wildpost` command: one module for each subcommand."""
