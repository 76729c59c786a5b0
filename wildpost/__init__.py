"""The `wildpost` command, its settings files, the assembly of servers and stations, and the demo."""
